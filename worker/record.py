"""The record of a verdict: state, platform's id, attempt, slot and account, all in one transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, select, update

from carillon.ledger import accounts, alarms, allowance, clear
from carillon.ledger.clear import Acceptance
from carillon.ledger.doubts import end_unsent
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts, creators, slots
from carillon.platforms.errors import NotSent
from worker.claim import Claim, Subject
from worker.insist import written
from worker.late import hold_if_taken, tell_late
from worker.means import Means
from worker.settle import SETTLE
from worker.verdict import Verdict, turned_away

_VERDICT = "the verdict"
_AT_ONCE = timedelta(0)
FIRST_LOOK = timedelta(seconds=5)
"""After a broadcast was placed: whether the platform has it as it should be."""

_OWN_LOOK = timedelta(seconds=2)
"""Who made the request looks up at once what became of it; others only if that one does not."""

_SOURCES = (State.SENDING, State.UNKNOWN, State.HELD)
"""Whence an attempt's owner may still deliver its verdict; after a person's decision it only alarms."""


def record(means: Means, row: Subject, claim: Claim, verdict: Verdict, latency_ms: int, credential: str) -> None:
    """Write it down; while the database is away, try again for as long as this process lives."""
    written(_VERDICT, lambda: _write(means, row, claim, verdict, latency_ms, credential), verdict=verdict.name)
    means.nudge()


def take_back(means: Means, row: Subject, token: str) -> None:
    """Of a claim whose commit nobody confirmed: should it stand, its owner alone knows that nothing was sent for it.

    Read under the account's lock, for which it may still have waited. A process that is to stop leaves it to look-ups.
    """

    def read() -> Claim | None:
        return None if means.stopping.is_set() else _standing(means, row, token)

    found = written(_VERDICT, read, verdict="unheard")
    if found:
        nothing_sent = turned_away(NotSent("the claim was not confirmed, and nothing was sent for it"), row.put_offs, 0)
        record(means, row, found, nothing_sent, 0, "")


def _standing(means: Means, row: Subject, token: str) -> Claim | None:
    its_attempt = select(attempts.c.id, attempts.c.number, attempts.c.token).where(attempts.c.token == token)
    with accounts.held(means.ledger, [row.creator_id]) as (connection, _):
        found = connection.execute(its_attempt).one_or_none()
    return Claim(*found, lease_ticks=0) if found else None


def _write(means: Means, row: Subject, claim: Claim, verdict: Verdict, latency_ms: int, credential: str) -> None:
    if _record_clearly(means, row, claim, verdict, latency_ms):
        return
    with accounts.held(means.ledger, [row.creator_id]) as (connection, now):
        _record(connection, now, means.who, row, claim, verdict, latency_ms, credential)


def _record_clearly(means: Means, row: Subject, claim: Claim, verdict: Verdict, latency_ms: int) -> bool:
    """Whether it was accepted as it should be, and is written."""
    if verdict.receipt is None or verdict.reason is not None or verdict.state is not State.SENT:
        return False
    acceptance = Acceptance(
        broadcast=row.id,
        account=row.creator_id,
        attempt=claim.attempt_id,
        number=claim.number,
        token=claim.token,
        latency_ms=latency_ms,
        status=verdict.status,
        verdict=verdict.name,
        words=verdict.words,
        message_id=verdict.receipt.message_id,
        recipient_count=verdict.receipt.recipient_count,
        delivery=verdict.receipt.delivery,
        who=means.who,
    )
    return clear.record(means.ledger, acceptance)


def _record(
    connection: Connection,
    now: datetime,
    who: str,
    row: Subject,
    claim: Claim,
    verdict: Verdict,
    latency_ms: int,
    credential: str,
) -> None:
    if not _close_attempt(connection, claim, verdict, now, latency_ms):
        return
    note = Note(now, who, f"{verdict.name}: {verdict.words}")
    if _move(connection, row, claim, verdict, note):
        _settle_slot(connection, row, claim, verdict, now)
        _settle_account(connection, row, verdict, note, credential)
        hold_if_taken(connection, row.id, claim.attempt_id, note)
    else:
        tell_late(connection, row, claim, verdict, note)


def _close_attempt(connection: Connection, claim: Claim, verdict: Verdict, now: datetime, latency_ms: int) -> bool:
    """False if this very verdict was written before and only its commit's answer was lost."""
    open_one = (
        attempts.c.id == claim.attempt_id,
        attempts.c.token == claim.token,
        attempts.c.finished_at.is_(None),
    )
    resent = case((attempts.c.verdict == "resent", "resent"), else_=verdict.name)  # once: that may not be forgotten
    values = {
        "finished_at": now,
        "latency_ms": latency_ms,
        "status": verdict.status,
        "verdict": resent if verdict.state is State.UNKNOWN else verdict.name,
        "words": verdict.words,
    }
    return bool(connection.execute(update(attempts).where(*open_one).values(values)).rowcount)


def _move(connection: Connection, row: Subject, claim: Claim, verdict: Verdict, note: Note) -> bool:
    """False if a person, or a newer attempt, has the broadcast by now."""
    mine = and_(broadcasts.c.id == row.id, broadcasts.c.attempts == claim.number)
    changes = _changes(connection, row, verdict, note.at)
    go_on = end_unsent if verdict.state is State.FAILED else move
    for source in _SOURCES:
        if source is State.HELD and verdict.state is State.UNKNOWN:
            continue
        if source is verdict.state:
            continue
        if go_on(connection, mine, source, verdict.state, note, **changes):
            return True
    return verdict.state is State.UNKNOWN and _is_in_doubt(connection, mine)


def _is_in_doubt(connection: Connection, mine: ColumnElement[bool]) -> bool:
    state = connection.scalar(select(broadcasts.c.state).where(mine))
    return state in {State.UNKNOWN, State.HELD}


def _changes(connection: Connection, row: Subject, verdict: Verdict, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"reason": verdict.reason}
    if verdict.state is State.UNKNOWN:
        changes["hand_off_at"] = now + _OWN_LOOK
    if verdict.state is State.PLANNED:
        changes |= {"waiting_for": verdict.waiting_for, "hand_offs": 0, "hand_off_at": None}
        changes["put_offs"] = row.put_offs + 1 if verdict.waiting_for == "retry" else 0
        delay = verdict.cool_down if verdict.retry_in is None else verdict.retry_in
        changes["not_before"] = now + timedelta(seconds=delay) if delay is not None else None
    if verdict.receipt:
        changes |= {
            "platform_message_id": _unbound_id(connection, row, verdict.receipt.message_id, now),
            "recipient_count": verdict.receipt.recipient_count,
            "sent_at": now,
            "delivery": verdict.receipt.delivery,
        }
    if verdict.state is State.PLACED:
        changes |= {"sent_at": None, "delivery": None, "hand_off_at": now + FIRST_LOOK}
    return changes


def _unbound_id(connection: Connection, row: Subject, message_id: str | None, now: datetime) -> str | None:
    """The platform's id, unless another broadcast of the account has it: then a person should look."""
    if message_id is None:
        return None
    same = select(broadcasts.c.id).where(
        broadcasts.c.creator_id == row.creator_id, broadcasts.c.platform_message_id == message_id
    )
    other = connection.scalar(same)
    if other is None:
        return message_id
    message = f"broadcast {row.id}: the platform answered with the id of broadcast {other}: {message_id}"
    alarms.say_once(connection, f"same_id:{row.id}", message, now, row.id, row.creator_id)
    return None


def _settle_slot(connection: Connection, row: Subject, claim: Claim, verdict: Verdict, now: datetime) -> None:
    mine = slots.c.attempt_id == claim.attempt_id
    if verdict.slot_kept:
        ended_at = allowance.slot_clock(connection, row.creator_id, now) + (SETTLE if verdict.may_arrive else _AT_ONCE)
        connection.execute(update(slots).where(mine, slots.c.counts_from.is_(None)).values(ended_at=ended_at))
    else:
        connection.execute(delete(slots).where(mine))


def _settle_account(connection: Connection, row: Subject, verdict: Verdict, note: Note, credential: str) -> None:
    if verdict.receipt:
        forget = update(creators).where(creators.c.id == row.creator_id, creators.c.throttled_in_a_row > 0)
        connection.execute(forget.values(throttled_in_a_row=0))
        alarm_bad_delivery(connection, row, verdict.reason, note.at)
    settle_account(connection, row.creator_id, verdict, note, credential)


def settle_account(
    connection: Connection, creator_id: int, verdict: Verdict, note: Note, credential: str | None
) -> None:
    """Cool the account down, or stop it, as the verdict says."""
    if verdict.cool_down is not None:
        accounts.cool_down(connection, creator_id, note.at + timedelta(seconds=verdict.cool_down))
    if verdict.stop:
        accounts.stop(connection, creator_id, note.at, note.who, verdict.stop, credential)


def alarm_bad_delivery(connection: Connection, row: Subject, reason: str | None, now: datetime) -> None:
    """`reason` is None where nothing is wrong with what was accepted."""
    if reason:
        alarms.say_once(connection, f"delivery:{row.id}", f"broadcast {row.id}: {reason}", now, row.id, row.creator_id)
