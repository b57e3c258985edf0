"""What became of broadcasts, written down: what each source says, sales, delivery, and when to ask next.

Money is in US cents; what nobody said is None, never zero. Whoever writes holds no account's lock, and needs none:
no state changes here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, or_, select, update

from carillon.ledger import alarms
from carillon.ledger.inserts import insert_new, upsert
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts
from carillon.ledger.tables_results import figures, sales, trackings

LEAST_BETWEEN = timedelta(seconds=60)
"""From one question about a broadcast to the next, however many webhooks hint at something new."""

_FURTHER: Mapping[str, Sequence[str]] = {
    "delivering": ("accepted",),
    "done": ("accepted", "delivering"),
    "error": ("accepted", "delivering", "done"),
    "cancelled": ("accepted", "delivering", "done"),
}
"""How far a delivery must be for a word to be news: one that comes late takes nothing back."""

_BAD = {
    "error": "the platform says that it failed after it was accepted",
    "cancelled": "it was withdrawn on the platform after it was accepted",
}


def keep_told(
    connection: Connection,
    broadcast_id: int,
    source: str,
    at: datetime,
    *,
    recipients: int | None = None,
    views: int | None = None,
    purchases: int | None = None,
    revenue_cents: int | None = None,
    estimated: bool = False,
) -> None:
    """The latest that `source` says of a broadcast; `estimated` is said of the revenue.

    What one answer leaves out stays as it was told before, an estimate does not take the place of an exact revenue,
    and an answer that is older than what is kept changes nothing.
    """
    said = {"recipients": recipients, "views": views, "purchases": purchases, "revenue_cents": revenue_cents}
    row = {"broadcast_id": broadcast_id, "source": source, "at": at, **said, "estimated": estimated}
    statement = upsert(connection, figures).values(row)
    new = statement.excluded
    kept: dict[str, ColumnElement[Any]] = {name: func.coalesce(new[name], figures.c[name]) for name in said}
    worse = or_(new.revenue_cents.is_(None), and_(new.estimated, _exact()))
    kept["revenue_cents"] = case((worse, figures.c.revenue_cents), else_=new.revenue_cents)
    kept["estimated"] = case((worse, figures.c.estimated), else_=new.estimated)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["broadcast_id", "source"], set_={**kept, "at": new.at}, where=figures.c.at <= new.at
        )
    )


def _exact() -> ColumnElement[bool]:
    return and_(figures.c.revenue_cents.is_not(None), ~figures.c.estimated)


def keep_delivery(
    connection: Connection, broadcast_id: int, delivery: str | None, now: datetime, recipients: int | None = None
) -> bool:
    """How far the platform is with what it accepted, and to how many it goes, if that was unknown; whether it is news.

    What went wrong with it is told once.
    """
    this = (broadcasts.c.id == broadcast_id, broadcasts.c.state == State.SENT)
    if recipients is not None:
        unknown = update(broadcasts).where(*this, broadcasts.c.recipient_count.is_(None))
        connection.execute(unknown.values(recipient_count=recipients))
    if delivery is None or delivery not in _FURTHER:
        return False
    before = or_(broadcasts.c.delivery.is_(None), broadcasts.c.delivery.in_(_FURTHER[delivery]))
    bad = _BAD.get(delivery)
    reason = {"reason": f"error_after_accept: {bad}"} if bad else {}
    news = update(broadcasts).where(*this, before).values(delivery=delivery, **reason)
    owner = connection.scalar(news.returning(broadcasts.c.creator_id))
    if owner is not None and bad:
        message = f"broadcast {broadcast_id}: {reason['reason']}"
        alarms.say_once(connection, f"delivery:{broadcast_id}", message, now, broadcast_id, owner)
    return owner is not None


def keep_sale(
    connection: Connection,
    creator_id: int,
    sale: str,
    kind: str,
    at: datetime,
    *,
    broadcast_id: int | None = None,
    message_id: str | None = None,
    fan: str | None = None,
    amount_cents: int | None = None,
    source: str,
) -> bool:
    """A `purchase`, `tip` or `refund` (whose amount is negative), by the platform's id of it; whether it is new.

    What another source told before, of the same fan and broadcast, is the same purchase, and only completed. A sale
    whose broadcast is not known is bound to it by `bind` once its `message_id` is.
    """
    if broadcast_id is None and message_id is not None:
        broadcast_id = broadcast_of(connection, creator_id, [message_id])
    said = {"broadcast_id": broadcast_id, "message_id": message_id, "fan": fan, "amount_cents": amount_cents}
    known = _sale(connection, sales.c.creator_id == creator_id, sales.c.sale == sale)
    if known is None and kind == "purchase" and broadcast_id is not None and fan is not None:
        _lock(connection, broadcast_id)
        known = _sale(connection, *_purchase(broadcast_id, fan), sales.c.source != source)
    if known is not None:
        _complete(connection, known, said)
        return False
    row = {"creator_id": creator_id, "sale": sale, "kind": kind, "at": at, "source": source, **said}
    return connection.execute(insert_new(connection, sales, [row]).returning(sales.c.id)).first() is not None


def broadcast_of(connection: Connection, creator_id: int, ids: Sequence[str]) -> int | None:
    """The broadcast that has one of these ids on the platform; else the one whose sales go by such an id."""
    named = (broadcasts.c.creator_id == creator_id, broadcasts.c.platform_message_id.in_(ids))
    found: int | None = connection.scalar(select(broadcasts.c.id).where(*named).limit(1))
    if found is None:
        bound = (sales.c.creator_id == creator_id, sales.c.message_id.in_(ids), sales.c.broadcast_id.is_not(None))
        found = connection.scalar(select(sales.c.broadcast_id).where(*bound).limit(1))
    return found


def bind(connection: Connection, creator_id: int, message_id: str, broadcast_id: int) -> None:
    """An id of a broadcast on the platform is known: what was sold by it so far is its own."""
    _lock(connection, broadcast_id)
    unbound = (sales.c.creator_id == creator_id, sales.c.message_id == message_id, sales.c.broadcast_id.is_(None))
    for row in connection.execute(select(sales).where(*unbound)).all():
        if row.kind == "purchase" and row.fan is not None:
            _take_over(connection, row, broadcast_id)
        connection.execute(update(sales).where(sales.c.id == row.id).values(broadcast_id=broadcast_id))


def hurry(connection: Connection, broadcast_id: int, now: datetime) -> None:
    """Something new is to be had of a broadcast that is tracked: it is asked about soon."""
    soon = case((trackings.c.asked_at > now - LEAST_BETWEEN, now + LEAST_BETWEEN), else_=now)
    lasts = and_(trackings.c.broadcast_id == broadcast_id, trackings.c.until > now)
    later = or_(trackings.c.next_at.is_(None), trackings.c.next_at > now + LEAST_BETWEEN)
    connection.execute(update(trackings).where(lasts, later).values(next_at=soon))


def _take_over(connection: Connection, row: Row[Any], broadcast_id: int) -> None:
    """What another source told of the same purchase, when the broadcast was known and this sale was not."""
    twin = _sale(connection, *_purchase(broadcast_id, row.fan), sales.c.source != row.source)
    if twin is not None:
        _complete(connection, row, {"amount_cents": twin.amount_cents})
        connection.execute(delete(sales).where(sales.c.id == twin.id))


def _lock(connection: Connection, broadcast_id: int) -> None:
    """So that two who tell of one sale in one moment do not both find it new."""
    this = select(broadcasts.c.id).where(broadcasts.c.id == broadcast_id)
    connection.execute(this.with_for_update(key_share=True))


def _purchase(broadcast_id: int, fan: str) -> Sequence[ColumnElement[bool]]:
    return sales.c.broadcast_id == broadcast_id, sales.c.fan == fan, sales.c.kind == "purchase"


def _sale(connection: Connection, *which: ColumnElement[bool]) -> Row[Any] | None:
    return connection.execute(select(sales).where(*which).order_by(sales.c.id).limit(1)).one_or_none()


def _complete(connection: Connection, known: Row[Any], said: Mapping[str, Any]) -> None:
    news = {name: value for name, value in said.items() if value is not None and getattr(known, name) is None}
    if news:
        connection.execute(update(sales).where(sales.c.id == known.id).values(news))
