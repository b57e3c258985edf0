"""What the platforms' own schedulers keep: when workers look at it, and what an edit of the file wishes of it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import dramatiq
from sqlalchemy import Connection, Row, select

from carillon.campaigns.catalogue import Entry
from carillon.campaigns.text import TextError
from carillon.handoff.orders import FOLLOW, hand_off
from carillon.ledger import placing
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State
from carillon.ledger.tables import broadcasts
from scheduler.edits import frozen_values
from scheduler.pairs import Pair, around
from scheduler.proposals import expiry
from scheduler.rescue import Reminders

_MOST = 1000
_AGAIN = timedelta(seconds=5)
"""After so long an order that nobody carried out is given again."""

_LONGEST_JITTER = timedelta(days=1)
_EDITED = "it was edited in the file"


def follow_placed(ledger: Ledger, broker: dramatiq.Broker, reminders: Reminders) -> list[int]:
    """Order a look at what is placed and due for one; returns the ids that the queue took."""
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        due = placing.to_follow(connection, now, _MOST)
    return hand_off(broker, FOLLOW, reminders.due(FOLLOW, due, now, _AGAIN))


def placed_of(connection: Connection, pairs: Collection[Pair], now: datetime) -> Mapping[Pair, list[Row[Any]]]:
    """What is placed of them and not due yet, but for what a person withdraws."""
    found: dict[Pair, list[Row[Any]]] = {pair: [] for pair in pairs}
    which = (around(connection, broadcasts, pairs), placing.PLACED, broadcasts.c.goes_at > now)
    for row in connection.execute(select(broadcasts).where(*which).order_by(broadcasts.c.id)):
        if not placing.said_by_a_person(row):
            found.get((row.campaign, row.creator_id), []).append(row)
    return found


def on_the_way(connection: Connection, pairs: Collection[Pair], now: datetime) -> set[Pair]:
    """Those of which something may just be being placed: what an edit says of it is looked at once more."""
    states = broadcasts.c.state.in_((State.QUEUED, State.SENDING, State.UNKNOWN))
    which = (around(connection, broadcasts, pairs), states, broadcasts.c.goes_at > now)
    found = connection.execute(select(broadcasts.c.campaign, broadcasts.c.creator_id).where(*which))
    return {(row.campaign, row.creator_id) for row in found}


def withdraw(connection: Connection, rows: Sequence[Row[Any]], reason: str, note: Note) -> None:
    for row in rows:
        if row.wish != placing.WITHDRAW:
            placing.wish(connection, row, placing.WITHDRAW, {"reason": reason}, Note(note.at, note.who, reason))


def revise(connection: Connection, entry: Entry, rows: Sequence[Row[Any]], rescheduled: str, note: Note) -> None:
    """Have what is placed say what the file says now; what it does not name any more is withdrawn."""
    if not rows:
        return
    times = [row.goes_at for row in rows]
    known = {item.label: item for item in entry.occurrences(min(times) - _LONGEST_JITTER, max(times))}
    withdraw(connection, [row for row in rows if row.occurrence not in known], rescheduled, note)
    for row in rows:
        if row.occurrence in known:
            with suppress(TextError):  # then it keeps what it had, and the planner tells of it
                content = entry.content(known[row.occurrence], row.number).frozen()
                _revise_one(connection, row, _columns(entry, content, known[row.occurrence].due), note)


def _columns(entry: Entry, content: str, goes_at: datetime) -> dict[str, Any]:
    times = {"goes_at": goes_at, "expires_at": expiry(entry, goes_at)}
    return {**frozen_values(entry, content), **times, "revision": entry.revision}


def _revise_one(connection: Connection, row: Row[Any], columns: Mapping[str, Any], note: Note) -> None:
    """What the platform does not see is changed here alone."""
    otherwise = {name: value for name, value in columns.items() if getattr(row, name) != value}
    why = Note(note.at, note.who, _EDITED)
    if row.wish or {"content", "goes_at"} & otherwise.keys():
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}
        placing.wish(connection, row, placing.REPLACE, {"columns": told, "why": _EDITED}, why)
    elif otherwise:
        placing.change(connection, row, why, **otherwise)
