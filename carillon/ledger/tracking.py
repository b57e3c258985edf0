"""Which sent broadcasts are asked about, from when until when, and what is to be asked next."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    update,
)

from carillon.ledger.inserts import among, insert_all_new
from carillon.ledger.results import bind
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators
from carillon.ledger.tables_results import sales, trackings

WINDOW = timedelta(days=14)
"""For so long after it was sent a broadcast still sells."""

_AGES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))
_DAY = timedelta(days=1)

RIPE = timedelta(seconds=30)
"""What was sent just now is left alone: there is more to be sent, and nothing to be asked yet."""

_WHILE = timedelta(minutes=10)

_TOGETHER = timedelta(seconds=20)
"""What is to be asked so soon after what is due is asked along with it."""

_TRACKED = [broadcasts.c[name] for name in ("id", "creator_id", "platform_message_id", "sent_at", "state_since")]

UNTRACKED = and_(broadcasts.c.state == literal(State.SENT.value, literal_execute=True), broadcasts.c.tracked == false())
"""In the words of the index: SQLite takes it for no others."""


def next_look(sent_at: datetime, now: datetime) -> datetime | None:
    """The older a broadcast, the rarer it is asked about, at last once its window ends; None after that."""
    ends = sent_at + WINDOW
    if now >= ends:
        return None
    age = now - sent_at
    days = max(1, age // _DAY + 1)
    following = next((step for step in _AGES if step > age), days * _DAY)
    return min(sent_at + following, ends)


def begin(connection: Connection, now: datetime, most: int) -> int:
    """Track what was sent a while ago and is not tracked yet, at most so many; returns how many these were.

    What has no id at its platform cannot be asked about.
    """
    ripe = select(*_TRACKED).where(UNTRACKED, broadcasts.c.state_since <= now - RIPE)
    chosen = ripe.order_by(broadcasts.c.state_since).limit(most)
    rows = connection.execute(chosen.with_for_update(skip_locked=True, key_share=True)).all()
    if not rows:
        return 0
    these = among(connection, broadcasts.c.id, [row.id for row in rows])
    fresh = [_first(row) for row in rows if _sent_at(row) + WINDOW > now]
    insert_all_new(connection, trackings, fresh, trackings.c.broadcast_id)
    connection.execute(update(broadcasts).where(these).values(tracked=True))
    for sold in connection.execute(_sold_before(these)).all():
        bind(connection, sold.creator_id, sold.message_id, sold.id)
    return len(rows)


def due_accounts(connection: Connection, platform: str, now: datetime, most: int) -> list[int]:
    """Accounts of which something is to be asked, longest due first; none that is stopped or cools down."""
    due = (
        select(trackings.c.creator_id)
        .join(creators, creators.c.id == trackings.c.creator_id)
        .where(trackings.c.next_at <= now, creators.c.platform == platform, *_able(now))
        .group_by(trackings.c.creator_id)
        .order_by(func.min(trackings.c.next_at))
        .limit(most)
    )
    return list(connection.scalars(due))


def let_wait(connection: Connection, now: datetime) -> None:
    """Nobody can be asked about what is due of accounts that are stopped, cool down or are gone: not for a while."""
    idle = select(creators.c.id).where(not_(and_(*_able(now))))
    due = select(trackings.c.broadcast_id).where(trackings.c.next_at <= now, trackings.c.creator_id.in_(idle))
    if connection.scalar(due.limit(1)) is not None:
        mine = update(trackings).where(trackings.c.broadcast_id.in_(due))
        connection.execute(mine.values(next_at=now + _WHILE))


def account(connection: Connection, creator_id: int, now: datetime) -> Row[Any] | None:
    """None if nothing is to be asked of it now: it is stopped, cools down, or is not in the files any more."""
    return connection.execute(select(creators).where(creators.c.id == creator_id, *_able(now))).one_or_none()


def due(connection: Connection, creator_id: int, now: datetime, most: int) -> Sequence[Row[Any]]:
    """The account's broadcasts to be asked about now, with `until` and `put_offs`; longest due first."""
    of_them = (trackings.c.creator_id == creator_id, trackings.c.next_at <= now + _TOGETHER)
    tracked = (
        select(broadcasts, trackings.c.until, trackings.c.put_offs, trackings.c.next_at)
        .join(trackings, trackings.c.broadcast_id == broadcasts.c.id)
        .where(*of_them)
        .order_by(trackings.c.next_at)
        .limit(most)
    )
    rows = connection.execute(tracked).all()
    return rows if rows and rows[0].next_at <= now else ()


def take(connection: Connection, rows: Collection[Row[Any]], now: datetime) -> bool:
    """Whether they are the caller's to ask about: for a while nobody else does, unless there is news of them."""
    still_due = (trackings.c.broadcast_id.in_([row.id for row in rows]), trackings.c.next_at <= now + _TOGETHER)
    return bool(connection.execute(update(trackings).where(*still_due).values(next_at=now + _WHILE)).rowcount)


def asked(connection: Connection, rows: Collection[Row[Any]], now: datetime) -> None:
    """They were asked about: each is asked again when its age says so."""
    for row in rows:
        values = {"next_at": next_look(row.until - WINDOW, now), "asked_at": now, "put_offs": 0, "words": None}
        connection.execute(update(trackings).where(trackings.c.broadcast_id == row.id).values(values))


def put_off(connection: Connection, rows: Collection[Row[Any]], until: datetime, words: str, now: datetime) -> None:
    """They could not be asked about, for `words`; nor will they be, a day after their window has ended."""
    over = trackings.c.until <= now - _DAY
    later = {"next_at": case((over, null()), else_=until), "put_offs": trackings.c.put_offs + 1, "words": words}
    mine = trackings.c.broadcast_id.in_([row.id for row in rows])
    connection.execute(update(trackings).where(mine).values(later))


def tracking_of(connection: Connection, broadcast_id: int) -> Row[Any] | None:
    return connection.execute(select(trackings).where(trackings.c.broadcast_id == broadcast_id)).one_or_none()


def _able(now: datetime) -> tuple[ColumnElement[bool], ...]:
    cool = or_(creators.c.cool_down_until.is_(None), creators.c.cool_down_until <= now)
    return creators.c.enabled, creators.c.stopped_at.is_(None), cool


def _sold_before(these: ColumnElement[bool]) -> Select[Any]:
    """By whose ids something was sold before they were known as broadcasts."""
    named = and_(sales.c.creator_id == broadcasts.c.creator_id, sales.c.message_id == broadcasts.c.platform_message_id)
    columns = (broadcasts.c.id, broadcasts.c.creator_id, sales.c.message_id)
    unbound = select(*columns).join(sales, named).where(these, sales.c.broadcast_id.is_(None))
    return unbound.distinct()


def _first(row: Row[Any]) -> dict[str, Any]:
    sent_at = _sent_at(row)
    return {
        "broadcast_id": row.id,
        "creator_id": row.creator_id,
        "next_at": sent_at + _AGES[0] if row.platform_message_id is not None else None,
        "until": sent_at + WINDOW,
        "put_offs": 0,
    }


def _sent_at(row: Row[Any]) -> datetime:
    at: datetime = row.sent_at or row.state_since
    return at
