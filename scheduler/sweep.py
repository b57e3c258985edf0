"""Orders that the queue lost are handed off again, and what cannot go in time any more expires."""

from datetime import datetime, timedelta
from typing import Any

import dramatiq
from sqlalchemy import ColumnElement, Connection, exists, select, update

from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts
from scheduler.awake import SWEEP_AFTER
from scheduler.release import put_on_queue

MOST_HAND_OFFS = 10
_LONGEST = timedelta(minutes=5)


def sweep(ledger: Ledger, broker: dramatiq.Broker, who: str) -> list[int]:
    """Hand off again what stands `queued` for too long; after ten accepted hand-offs a person must look."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        _hold_what_nobody_takes(connection, now, who)
        lost = (broadcasts.c.state == State.QUEUED, broadcasts.c.hand_off_at <= now)
        rows = connection.execute(_lost(lost)).all()
        for hand_offs in {row.hand_offs for row in rows}:
            these = [row.id for row in rows if row.hand_offs == hand_offs]
            again = update(broadcasts).where(broadcasts.c.id.in_(these))
            connection.execute(again.values(hand_offs=hand_offs + 1, hand_off_at=now + _patience(hand_offs)))
    return put_on_queue(ledger, broker, [(row.id, row.platform) for row in rows])


def _lost(lost: tuple[ColumnElement[bool], ...]) -> Any:
    """Of two schedulers that sweep at once, each takes what the other has not."""
    return select(broadcasts).where(*lost).limit(10_000).with_for_update(skip_locked=True)


def sweep_all(ledger: Ledger, broker: dramatiq.Broker, who: str) -> list[int]:
    """At the start of the embedded shape the queue is surely empty: hand off whatever stands `queued` at once."""
    with ledger.write() as connection:
        queued = update(broadcasts).where(broadcasts.c.state == State.QUEUED)
        connection.execute(queued.values(hand_off_at=ledger.now(connection)))
    return sweep(ledger, broker, who)


def expire(ledger: Ledger, who: str) -> list[int]:
    """What could not be sent in time is not sent any more. What may have been sent before is left to a person."""
    with ledger.read() as session:
        now = ledger.now(session.connection())
        late = broadcasts.c.expires_at <= now
        waiting = broadcasts.c.state.in_((State.PLANNED, State.QUEUED))
        owners = list(session.scalars(select(broadcasts.c.creator_id).where(late, waiting).distinct()))
    if not owners:
        return []
    with ledger.write() as connection:
        accounts.lock(connection, owners)
        of_them = late & broadcasts.c.creator_id.in_(owners)
        _end(connection, of_them & _MAY_BE_SENT, State.HELD, _TAKEN_PERHAPS, now, who)
        return _end(connection, of_them, State.EXPIRED, "too_late: it could not go before it expired", now, who)


_RESENT = (attempts.c.broadcast_id == broadcasts.c.id, attempts.c.verdict == "resent")
_MAY_BE_SENT = exists(select(attempts.c.id).where(*_RESENT))
_TAKEN_PERHAPS = "unknown_outcome: it may have been taken before, and could not go once more before it expired"


def _end(
    connection: Connection, which: ColumnElement[bool], target: State, reason: str, now: datetime, who: str
) -> list[int]:
    note = Note(now, who, reason)
    sources = (State.PLANNED, State.QUEUED)
    return [id_ for source in sources for id_ in move(connection, which, source, target, note, reason=reason)]


def _patience(hand_offs: int) -> timedelta:
    doubled: timedelta = SWEEP_AFTER * 2**hand_offs
    return min(doubled, _LONGEST)


def _hold_what_nobody_takes(connection: Connection, now: datetime, who: str) -> None:
    reason = f"not_taken_up: handed off {MOST_HAND_OFFS} times, and no worker claimed it"
    which = (broadcasts.c.hand_offs >= MOST_HAND_OFFS) & (broadcasts.c.hand_off_at <= now)
    accounts.lock_of(connection, which & (broadcasts.c.state == State.QUEUED))
    move(connection, which, State.QUEUED, State.HELD, Note(now, who, reason), reason=reason)
