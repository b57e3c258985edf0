"""An outcome that nobody knows: ask the platform what it has taken, and settle it by what it shows.

One look serves all open outcomes of an account, and they are settled together, in one transaction under its lock.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, insert, select
from structlog.contextvars import bound_contextvars

from carillon import clock
from carillon.ledger import accounts
from carillon.ledger.states import Note
from carillon.ledger.tables import creators, lookups
from carillon.monitoring import metrics
from carillon.platforms import credentials
from carillon.platforms.contract import Account, Shown
from worker import endings, inquiry
from worker.account import account_of
from worker.inquiry import Inquiry, Open
from worker.matching import judged
from worker.means import Means
from worker.record import settle_account
from worker.settle import Ending, Found, Sighted, settle
from worker.sight import Blind, Sight, look, told
from worker.verdict import turned_away

log = structlog.get_logger()

_CANNOT_BE_ASKED = Blind("unreadable", "", asked=False)


@dataclass(frozen=True)
class Settled:
    """One open outcome, what this look made of it, and the message that it is."""

    open: Open
    ending: Ending
    words: str
    message: Shown | None


def reconcile(means: Means, broadcast_id: int, *, at_once: bool = False) -> None:
    """One look, and what follows from it for all that is open of its account: endings, or when to look again.

    A process that is to stop leaves it to the next one.
    """
    if means.stopping.is_set():
        return
    with means.ledger.read() as session:
        connection = session.connection()
        now = means.ledger.now(connection)
        asked = inquiry.read(connection, broadcast_id, now, at_once=at_once)
    if asked is None:
        return
    begun = clock.ticks()
    seen, key = _see(means, asked, now)
    for settled in _settle(means, asked, seen, key, timedelta(seconds=clock.ticks() - begun)):
        _tell(settled)
    means.nudge()


def _see(means: Means, asked: Inquiry, now: datetime) -> tuple[Sight | Blind, str | None]:
    """The look, and the digest of the key that it was made with."""
    if not any(one.can_be_asked for one in asked.opens):
        return _CANNOT_BE_ASKED, None
    try:
        account = account_of(means, asked.creator)
    except credentials.CredentialError as error:
        return Blind("credentials", str(error), asked=asked.creator.stopped_at is None), None
    key = credentials.digest(account.secret)
    return _not_now(asked.creator, key, now) or _look(means, asked, account), key


def _not_now(creator: Row[Any], key: str, now: datetime) -> Blind | None:
    """The platform asked for patience, or turned this very key away."""
    if creator.cool_down_until is not None and creator.cool_down_until > now:
        return Blind("throttled", "the account cools down", asked=False)
    if creator.stopped_credential == key and creator.stopped_reason.startswith("credentials"):
        return Blind("credentials", "the platform does not accept the key", asked=False)
    return None


def _look(means: Means, asked: Inquiry, account: Account) -> Sight | Blind:
    seen = look(means, asked.platform, account, [one.wanted for one in asked.opens], asked.bound)
    if isinstance(seen, Blind) and seen.why == "throttled":
        metrics.throttled(asked.platform.name)
    return seen


def _settle(means: Means, asked: Inquiry, seen: Sight | Blind, key: str | None, took: timedelta) -> list[Settled]:
    """What somebody else has moved on meanwhile is left alone."""
    with accounts.held(means.ledger, [asked.creator.id]) as (connection, now):
        if isinstance(seen, Blind):
            _concern_account(connection, asked.creator, seen, key, Note(now, means.who, f"look-up: {seen.words}"))
        creator = connection.execute(select(creators).where(creators.c.id == asked.creator.id)).one()
        attempts = {one.attempt.id for one in asked.opens}
        still_open = [one for one in inquiry.open_ones(connection, creator.id) if one.attempt.id in attempts]
        return [_settle_one(connection, one, creator, seen, now, took, means.who) for one in still_open]


def _concern_account(connection: Connection, creator: Row[Any], seen: Blind, key: str | None, note: Note) -> None:
    if seen.error:
        settle_account(connection, creator.id, turned_away(seen.error, 0, creator.throttled_in_a_row), note, key)
    elif seen.why == "credentials" and seen.asked:
        accounts.stop(connection, creator.id, note.at, note.who, f"credentials: {seen.words}")


def _settle_one(
    connection: Connection, this: Open, creator: Row[Any], seen: Sight | Blind, now: datetime, took: timedelta, who: str
) -> Settled:
    sighted = _sighted(connection, this, seen) if isinstance(seen, Sight) else None
    words = _words(sighted, seen)
    if isinstance(seen, Sight) or seen.asked:
        _keep(connection, this, sighted, seen, words, now - took)
    ending = settle(inquiry.case(connection, this, creator, sighted, now))
    message = _message(seen, ending)
    endings.write(connection, this, ending, words, message, Note(now, who, endings.why(ending, words)))
    return Settled(this, ending, words, message)


def _sighted(connection: Connection, this: Open, seen: Sight) -> Sighted:
    bound = inquiry.bound_among(connection, this.row.creator_id, [one.id for one in seen.messages])
    unbound = [one for one in seen.messages if one.id not in bound]
    return judged(this.wanted, inquiry.others(connection, this, seen.ids), unbound)


def _words(sighted: Sighted | None, seen: Sight | Blind) -> str:
    if isinstance(seen, Blind):
        return seen.words
    assert sighted is not None
    if sighted.nothing:
        return "nothing new is shown"
    agreeing = len(sighted.whole) + len(sighted.awaited)
    return f"of what is new, {agreeing} agree with it, {len(sighted.part)} in part, {len(sighted.other)} not"


def _keep(
    connection: Connection, this: Open, sighted: Sighted | None, seen: Sight | Blind, words: str, began_at: datetime
) -> None:
    shown = json.dumps(seen.why) if isinstance(seen, Blind) else told(this.wanted, sighted or Sighted(), seen.messages)
    clean = sighted is not None and sighted.nothing
    row = {"attempt_id": this.attempt.id, "began_at": began_at, "clean": clean, "words": words, "seen": shown}
    connection.execute(insert(lookups).values(row))


def _message(seen: Sight | Blind, ending: Ending) -> Shown | None:
    if not isinstance(ending, Found) or isinstance(seen, Blind):
        return None
    return next(one for one in seen.messages if one.id == ending.message_id)


def _tell(settled: Settled) -> None:
    row, message = settled.open.row, settled.message
    with bound_contextvars(broadcast=row.id, campaign=row.campaign, creator=row.creator, occurrence=row.occurrence):
        log.info("looked up", ending=type(settled.ending).__name__.lower(), saw=settled.words)
    if message and message.created_at:
        metrics.accepted(row.platform, (message.created_at - row.due_at).total_seconds())
