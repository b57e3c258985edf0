"""What concerns a platform account as a whole: its lock, its wake-up, its cool-down and its stop.

Whoever changes broadcasts together with slots, pauses or stops locks the accounts first, in the order of their
ids, and the broadcasts after them: one order for all, so that nobody waits in a ring.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, literal, or_, select, update

from carillon.ledger import alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import among
from carillon.ledger.tables import broadcasts, creators, events


@contextmanager
def held(ledger: Ledger, creator_ids: Collection[int]) -> Iterator[tuple[Connection, datetime]]:
    """A transaction that holds these accounts, and the ledger's clock as it was read after that."""
    with ledger.write() as connection:
        lock(connection, creator_ids)
        yield connection, ledger.now(connection)


def lock(connection: Connection, creator_ids: Collection[int]) -> None:
    """Hold the accounts until the transaction ends; on SQLite a writing transaction holds everything already.

    As FOR NO KEY UPDATE: rows that only refer to an account, such as alarms, need not wait for it.
    """
    chosen = select(creators.c.id).where(among(connection, creators.c.id, creator_ids)).order_by(creators.c.id)
    connection.execute(chosen.with_for_update(key_share=True))


def lock_of(connection: Connection, which: ColumnElement[bool]) -> None:
    """Hold the accounts of the broadcasts that are `which` now."""
    lock(connection, list(connection.scalars(select(broadcasts.c.creator_id).where(which).distinct())))


def wake(connection: Connection, creator_ids: Collection[int], at: datetime) -> None:
    """Have the scheduler look at these accounts at `at`, or earlier if that was already asked."""
    _wake(connection, creator_ids, sleeps_until_after(_instant(at)), at)


def wake_waiting(connection: Connection, creator_ids: Collection[int], now: datetime) -> None:
    """Wake those of these accounts where something is due: nobody else has a use for what has ended."""
    _wake(connection, creator_ids, sleeps_though_awaited(_instant(now)), now)


def _wake(connection: Connection, creator_ids: Collection[int], which: ColumnElement[bool], at: datetime) -> None:
    of_them = among(connection, creators.c.id, creator_ids)
    connection.execute(update(creators).where(of_them, which).values(wake_at=at))


def sleeps_until_after(at: ColumnElement[datetime]) -> ColumnElement[bool]:
    return or_(creators.c.wake_at.is_(None), creators.c.wake_at > at)


def sleeps_though_awaited(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """The account has a planned broadcast that is due; what falls due later wakes it by itself."""
    planned = broadcasts.c.state == literal("planned", literal_execute=True)
    due = exists().where(broadcasts.c.creator_id == creators.c.id, planned, broadcasts.c.due_at <= now)
    return and_(sleeps_until_after(now), due)


def _instant(at: datetime) -> ColumnElement[datetime]:
    return literal(at, creators.c.wake_at.type)


def cool_down(connection: Connection, creator_id: int, until: datetime) -> None:
    """Send nothing before `until`; an older cool-down that lasts longer stands."""
    shorter = or_(creators.c.cool_down_until.is_(None), creators.c.cool_down_until < until)
    connection.execute(
        update(creators).where(creators.c.id == creator_id).values(throttled_in_a_row=creators.c.throttled_in_a_row + 1)
    )
    connection.execute(update(creators).where(creators.c.id == creator_id, shorter).values(cool_down_until=until))


def stop(
    connection: Connection,
    creator_id: int,
    now: datetime,
    who: str,
    reason: str,
    credential: str | None = None,
) -> None:
    """Claim nothing more until a person resumes, or until the credential reads differently from `credential`."""
    connection.execute(
        update(creators)
        .where(creators.c.id == creator_id)
        .values(stopped_at=now, stopped_reason=reason, stopped_credential=credential)
    )
    key = connection.scalar(select(creators.c.key).where(creators.c.id == creator_id))
    _append(connection, creator_id, now, who, f"stopped: {reason}")
    words = f"creator {key} is stopped: {reason}; mend it, or `carillon resume --creator {key}`"
    alarms.sound(connection, f"stopped:{creator_id}", words, now, creator_id=creator_id)


def lift_stop(connection: Connection, creator_id: int, now: datetime, who: str) -> bool:
    """Let a stopped account go on; a cool-down that lasts stays. Returns whether it was stopped."""
    lifted = connection.execute(
        update(creators)
        .where(creators.c.id == creator_id, creators.c.stopped_at.is_not(None))
        .values(stopped_at=None, stopped_reason=None, stopped_credential=None)
    )
    if lifted.rowcount:
        _append(connection, creator_id, now, who, "resumed")
        alarms.clear(connection, f"stopped:{creator_id}", now)
    wake(connection, [creator_id], now)
    return bool(lifted.rowcount)


def _append(connection: Connection, creator_id: int, now: datetime, who: str, why: str) -> None:
    connection.execute(insert(events).values(creator_id=creator_id, at=now, who=who, why=why))
