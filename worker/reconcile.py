"""An outcome that nobody knows: ask the platform what it has taken, and settle it by what it shows."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update
from structlog.contextvars import bound_contextvars

from carillon import clock
from carillon.ledger import accounts
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators, lookups, slots
from carillon.platforms import credentials, errors
from carillon.platforms.contract import Content, Platform, Shown, Shows
from carillon.platforms.roster import PLATFORMS
from worker.account import account_of
from worker.means import Means
from worker.settle import Absent, Case, Doubt, Ending, Found, LookAgain, Resend, settle
from worker.sight import LOOK_BACK, Sight, Wanted, look
from worker.verdict import backoff

log = structlog.get_logger()

_UNBOUND = (State.SENDING, State.UNKNOWN, State.HELD, State.SENT)


@dataclass(frozen=True)
class Open:
    """A broadcast of unknown outcome as it was read, with the attempt that nobody knows the end of."""

    row: Row[Any]
    attempt: Row[Any]
    creator: Row[Any]
    platform: Platform
    wanted: Wanted

    @property
    def can_be_asked(self) -> bool:
        return self.shows(self.attempt.started_at) != "nothing"

    def shows(self, now: datetime) -> Shows:
        return self.platform.shows(self.wanted.content, now - self.attempt.started_at)


def reconcile(means: Means, broadcast_id: int) -> None:
    """One look, and what follows from it: an ending, or when to look again."""
    with means.ledger.read() as session:
        opened = _read(session.connection(), broadcast_id)
    if opened is None:
        return
    with bound_contextvars(broadcast=opened.row.id, campaign=opened.row.campaign, creator=opened.row.creator):
        begun = clock.ticks()
        sight, words = _look(means, opened)
        took = timedelta(seconds=clock.ticks() - begun)
        ending = _settle(means, opened, sight, words, took)
        log.info("looked up", ending=type(ending).__name__.lower() if ending else "gone")
    means.nudge()


def _read(connection: Connection, broadcast_id: int) -> Open | None:
    row = connection.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
    if row is None or row.state != State.UNKNOWN:
        return None
    latest = and_(attempts.c.broadcast_id == row.id, attempts.c.number == row.attempts)
    attempt = connection.execute(select(attempts).where(latest)).one()
    creator = connection.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    return Open(row, attempt, creator, PLATFORMS[row.platform], _wanted(connection, row, attempt))


def _wanted(connection: Connection, row: Row[Any], attempt: Row[Any]) -> Wanted:
    of_account = broadcasts.c.creator_id == row.creator_id
    recent = broadcasts.c.state_since >= attempt.started_at - LOOK_BACK
    bound = select(broadcasts.c.platform_message_id).where(of_account, broadcasts.c.platform_message_id.is_not(None))
    unbound = select(broadcasts.c.content).where(
        of_account,
        recent,
        broadcasts.c.id != row.id,
        broadcasts.c.state.in_(_UNBOUND),
        broadcasts.c.platform_message_id.is_(None),
        or_(broadcasts.c.state != State.HELD, broadcasts.c.reason.startswith("unknown_outcome")),
    )
    return Wanted(
        content=Content.model_validate_json(row.content),
        started_at=attempt.started_at,
        ended_at=attempt.finished_at or attempt.lease_until,
        baseline=frozenset(json.loads(attempt.baseline)) if attempt.baseline else None,
        bound=frozenset(connection.scalars(bound.where(recent))),
        siblings=[Content.model_validate_json(content) for content in connection.scalars(unbound)],
    )


def _look(means: Means, opened: Open) -> tuple[Sight | None, str]:
    if not opened.can_be_asked:
        return None, f"{opened.row.platform} cannot be asked what it has taken"
    try:
        sight = look(means, opened.platform, account_of(means, opened.creator), opened.wanted)
    except (errors.PlatformError, credentials.CredentialError) as error:
        return None, f"could not look: {error}"
    found = sight.sighted
    return sight, f"{len(found.whole)} agree, {len(found.part)} in part, {len(found.other)} not"


def _settle(means: Means, opened: Open, sight: Sight | None, words: str, took: timedelta) -> Ending | None:
    """None if somebody else moved the broadcast on meanwhile."""
    with accounts.held(means.ledger, [opened.row.creator_id]) as (connection, now):
        again = _read(connection, opened.row.id)
        if again is None or again.attempt.id != opened.attempt.id:
            return None
        if sight is not None and set(sight.sighted.whole) & set(again.wanted.bound):
            return None  # the next look sees that it is another one's
        _keep(connection, opened, sight, words, now - took)
        ending = settle(_case(connection, opened, sight, now))
        _apply(connection, opened, sight, ending, Note(now, means.who, _why(ending, words)))
        return ending


def _keep(connection: Connection, opened: Open, sight: Sight | None, words: str, began_at: datetime) -> None:
    if not opened.can_be_asked:
        return
    clean = sight is not None and not (sight.sighted.whole or sight.sighted.part or sight.sighted.other)
    seen = sight.told() if sight else "[]"
    row = {"attempt_id": opened.attempt.id, "began_at": began_at, "clean": clean, "words": words, "seen": seen}
    connection.execute(insert(lookups).values(row))


def _case(connection: Connection, opened: Open, sight: Sight | None, now: datetime) -> Case:
    clean = select(lookups.c.began_at).where(lookups.c.attempt_id == opened.attempt.id, lookups.c.clean)
    resent = select(attempts.c.id).where(attempts.c.broadcast_id == opened.row.id, attempts.c.verdict == "resent")
    return Case(
        now=now,
        unknown_since=opened.row.state_since,
        ended_at=opened.wanted.ended_at,
        sighted=sight.sighted if sight else None,
        clean_looks=list(connection.scalars(clean)),
        can_be_asked=opened.can_be_asked,
        absence_is_proof=opened.shows(now) == "all",
        has_baseline=opened.attempt.baseline is not None,
        may_resend=opened.row.on_unknown == "resend" and connection.scalar(resent) is None,
    )


def _why(ending: Ending, words: str) -> str:
    match ending:
        case Found(message_id):
            return f"looked up: the platform has taken it, as {message_id}"
        case Absent():
            return f"looked up: the platform has surely not taken it ({words})"
        case Resend():
            return f"looked up, and sent once more, as the campaign says ({words})"
        case Doubt(why):
            return f"looked up: {why}: a person must decide"
        case LookAgain():
            return words


def _apply(connection: Connection, opened: Open, sight: Sight | None, ending: Ending, note: Note) -> None:
    unchanged = version_of(opened.row.id, opened.row.version)
    match ending:
        case Found(message_id):
            assert sight is not None
            _mark(connection, opened, "accepted")
            changes = _sent(sight.messages[message_id])
            move(connection, unchanged, State.UNKNOWN, State.SENT, note, **changes)
        case Absent():
            _mark(connection, opened, "absent")
            connection.execute(delete(slots).where(slots.c.attempt_id == opened.attempt.id))
            move(connection, unchanged, State.UNKNOWN, State.PLANNED, note, **_again(opened.row, note.at))
        case Resend():
            _mark(connection, opened, "resent")
            move(connection, unchanged, State.UNKNOWN, State.PLANNED, note, **_again(opened.row, note.at))
        case Doubt(why):
            reason = f"{opened.row.reason or 'unknown_outcome: nobody saw its end'}; {why}"
            move(connection, unchanged, State.UNKNOWN, State.HELD, note, reason=reason)
        case LookAgain(at):
            connection.execute(update(broadcasts).where(unchanged).values(hand_off_at=at))


def _mark(connection: Connection, opened: Open, verdict: str) -> None:
    connection.execute(update(attempts).where(attempts.c.id == opened.attempt.id).values(verdict=verdict))


def _sent(message: Shown) -> dict[str, Any]:
    reason = None
    if message.delivery in {"error", "cancelled"}:
        reason = f"error_after_accept: the platform shows it as {message.delivery}"
    return {
        "platform_message_id": message.id,
        "recipient_count": message.recipient_count,
        "sent_at": message.created_at,
        "delivery": message.delivery,
        "reason": reason,
    }


def _again(row: Row[Any], now: datetime) -> dict[str, Any]:
    return {
        "waiting_for": "retry",
        "not_before": now + timedelta(seconds=backoff(row.put_offs)),
        "put_offs": row.put_offs + 1,
        "reason": None,
        "hand_offs": 0,
        "hand_off_at": None,
    }
