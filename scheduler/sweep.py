"""Orders that the queue lost are handed off again, and what cannot go in time any more expires."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import dramatiq
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.doubts import end_unsent
from carillon.ledger.inserts import among
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts
from scheduler.awake import SWEEP_AFTER
from scheduler.pairs import batches
from scheduler.release import put_on_queue

MOST_HAND_OFFS = 10
_LONGEST = timedelta(minutes=5)
_ACCOUNTS_AT_ONCE = 1000
"""After a long outage all may have something that expired."""


def sweep(ledger: Ledger, broker: dramatiq.Broker, who: str) -> list[int]:
    """Hand off again what stands `queued` for too long; after ten accepted hand-offs a person must look."""
    if not _is_any_lost(ledger):
        return []
    with ledger.write() as connection:
        now = ledger.now(connection)
        _hold_what_nobody_takes(connection, now, who)
        rows = connection.execute(_to_hand_off(now)).all()
        patience = {row.id: (row.hand_offs, _patience(row)) for row in rows}
        for hand_offs, lasting in set(patience.values()):
            these = [id_ for id_, of_it in patience.items() if of_it == (hand_offs, lasting)]
            again = update(broadcasts).where(broadcasts.c.id.in_(these))
            connection.execute(again.values(hand_offs=hand_offs + 1, hand_off_at=now + lasting))
    return put_on_queue(ledger, broker, [(row.id, row.platform) for row in rows])


def _is_any_lost(ledger: Ledger) -> bool:
    """Mostly not, and then nobody is kept from writing."""
    with ledger.read() as session:
        now = ledger.now(session.connection())
        return session.scalar(select(broadcasts.c.id).where(_lost(now)).limit(1)) is not None


def _to_hand_off(now: datetime) -> Any:
    """Of two schedulers that sweep at once, each takes what the other has not."""
    columns = [broadcasts.c[name] for name in ("id", "platform", "hand_offs", "hand_off_at", "state_since")]
    return select(*columns).where(_lost(now)).limit(10_000).with_for_update(skip_locked=True)


def _lost(now: datetime) -> ColumnElement[bool]:
    """What is to be handed off only after longer than ever was put down before the clock was set back."""
    at = broadcasts.c.hand_off_at
    return and_(broadcasts.c.state == State.QUEUED, or_(at <= now, at > now + _LONGEST))


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
        waiting = broadcasts.c.state.in_((State.PLANNED, State.QUEUED))
        late = select(broadcasts.c.creator_id).where(broadcasts.c.expires_at <= now, waiting)
        owners = list(session.scalars(late.distinct()))
    return [id_ for some in batches(owners, _ACCOUNTS_AT_ONCE) for id_ in _expire(ledger, some, now, who)]


def _expire(ledger: Ledger, owners: Sequence[int], now: datetime, who: str) -> list[int]:
    with ledger.write() as connection:
        accounts.lock(connection, owners)
        of_them = among(connection, broadcasts.c.creator_id, owners) & (broadcasts.c.expires_at <= now)
        reason = "too_late: it could not go before it expired"
        ended = [
            end_unsent(connection, of_them, source, State.EXPIRED, Note(now, who, reason), reason=reason)
            for source in (State.PLANNED, State.QUEUED)
        ]
        return [id_ for ids in ended for id_ in ids]


def _patience(row: Row[Any]) -> timedelta:
    """Doubled each time, but for what somebody had taken who has ended (`orphans`): nobody waited for that one."""
    if row.hand_off_at <= row.state_since:
        return SWEEP_AFTER
    doubled: timedelta = SWEEP_AFTER * 2**row.hand_offs
    return min(doubled, _LONGEST)


def _hold_what_nobody_takes(connection: Connection, now: datetime, who: str) -> None:
    reason = f"not_taken_up: handed off {MOST_HAND_OFFS} times, and no worker claimed it"
    which = (broadcasts.c.hand_offs >= MOST_HAND_OFFS) & (broadcasts.c.hand_off_at <= now)
    accounts.lock_of(connection, which & (broadcasts.c.state == State.QUEUED))
    move(connection, which, State.QUEUED, State.HELD, Note(now, who, reason), reason=reason)
