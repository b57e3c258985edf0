"""Placing: the broadcast goes into the platform's own scheduler ahead of its due time, by the way of all others.

What is due too soon for that, or in the creator's quiet hours, is not placed. It waits until it is due, and is then
sent by Carillon as any other, after the quiet hours.
"""

from dataclasses import replace
from datetime import datetime

from carillon import clock
from carillon.ledger.parcels import Parcel
from carillon.ledger.states import State
from carillon.platforms.contract import Platform
from carillon.platforms.parts import Calendar
from worker.verdict import Verdict


def calendar_for(row: Parcel, platform: Platform) -> tuple[Calendar, datetime] | None:
    """Where and for when it is to be placed; None if it is to be sent. The claim has the last word."""
    if row.goes_at is None or platform.calendar is None:
        return None
    if row.goes_at <= clock.now() + platform.calendar.least_ahead:
        return None  # by the ledger's clock, which may be ahead of this one, it may be due
    return platform.calendar, row.goes_at


def as_placed(verdict: Verdict) -> Verdict:
    """What an answer to placing means, if it would mean that to sending."""
    if verdict.state is not State.SENT:
        return verdict
    words = verdict.words.replace("accepted", "placed", 1)
    return replace(verdict, state=State.PLACED, words=words)
