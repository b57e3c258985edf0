"""What is believed of a broadcast's results where several sources speak: one figure for a person. `chosen` is the rule.

Whatever nobody said is None, never zero.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, case, func, null, select

from carillon.ledger.tables import broadcasts
from carillon.ledger.tables_results import figures, sales


@dataclass(frozen=True)
class Figures:
    """Of one broadcast. `estimated`: the revenue is no exact one. Tips are no part of the revenue."""

    recipients: int | None = None
    views: int | None = None
    purchases: int | None = None
    revenue_cents: int | None = None
    estimated: bool = False
    tips_cents: int | None = None


@dataclass(frozen=True)
class Said:
    """What one source says, as it was kept."""

    source: str
    at: datetime
    recipients: int | None = None
    views: int | None = None
    purchases: int | None = None
    revenue_cents: int | None = None
    estimated: bool = False


@dataclass(frozen=True)
class Sold:
    """What was told sale by sale: `cents` is the sum of purchases and refunds, `unpriced` counts those without amount.

    `refunds`: when and how much, below zero.
    """

    purchases: int = 0
    cents: int | None = None
    unpriced: int = 0
    newest: datetime | None = None
    refunds: Sequence[tuple[datetime, int]] = ()
    tips_cents: int | None = None


@dataclass(frozen=True)
class Evidence:
    """All that is known of one broadcast. `accepted` is the count of recipients that came with its acceptance."""

    accepted: int | None = None
    said: Sequence[Said] = ()
    sold: Sold = Sold()


def chosen(evidence: Evidence) -> Figures:
    """What is believed.

    Recipients: what was said last; else the count that came with the acceptance.
    Views, purchases: the largest count, since counts only grow and sources lag behind each other; purchases that were
    told one by one are a source as well.
    Revenue: the platform's exact figure that was said last (of two said at once the one of more purchases, and then
    the smaller, from which something was taken back), less what was refunded after it, if it is newer than all sales
    or not smaller than their sum; else that sum, if it is of all purchases; else the largest of what is left, an
    estimate among it, and it counts as an estimate, since some sales are missing in it.
    """
    purchases = _largest([*(one.purchases for one in evidence.said), evidence.sold.purchases or None])
    revenue, estimated = _revenue(evidence, purchases)
    return Figures(
        recipients=_latest(evidence.said, "recipients", evidence.accepted),
        views=_largest([one.views for one in evidence.said]),
        purchases=purchases,
        revenue_cents=revenue,
        estimated=estimated,
        tips_cents=evidence.sold.tips_cents,
    )


def evidence_of(connection: Connection, which: ColumnElement[bool]) -> dict[int, Evidence]:
    """By the broadcast's id, of all broadcasts that are `which`."""
    said: dict[int, list[Said]] = defaultdict(list)
    for row in connection.execute(_of(figures, which)):
        said[row.broadcast_id].append(_said(row))
    sold = _sold(connection, which)
    accepted = connection.execute(select(broadcasts.c.id, broadcasts.c.recipient_count).where(which))
    return {id_: Evidence(count, said.get(id_, ()), sold.get(id_, Sold())) for id_, count in accepted}


def counts_of_purchases(connection: Connection, which: ColumnElement[bool]) -> Mapping[int, int]:
    """How many purchases were told one by one, by the broadcast's id."""
    of_them = select(sales.c.broadcast_id, func.count()).join(broadcasts, broadcasts.c.id == sales.c.broadcast_id)
    counted = of_them.where(which, sales.c.kind == "purchase").group_by(sales.c.broadcast_id)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _sold(connection: Connection, which: ColumnElement[bool]) -> dict[int, Sold]:
    refunds: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    given_back = (sales.c.kind != "tip", sales.c.amount_cents < 0)
    for row in connection.execute(_of(sales, which, *given_back)):
        refunds[row.broadcast_id].append((row.at, row.amount_cents))
    tip = sales.c.kind == "tip"
    counted = select(
        sales.c.broadcast_id,
        func.sum(case((sales.c.kind == "purchase", 1), else_=0)),
        func.sum(case((tip, null()), else_=sales.c.amount_cents)),
        func.sum(case((and_(~tip, sales.c.amount_cents.is_(None)), 1), else_=0)),
        func.max(case((tip, null()), else_=sales.c.at), type_=sales.c.at.type),
        func.sum(case((tip, sales.c.amount_cents))),
    )
    of_them = counted.join(broadcasts, broadcasts.c.id == sales.c.broadcast_id).where(which)
    return {
        id_: Sold(purchases, _whole(cents), unpriced, newest, refunds.get(id_, ()), _whole(tips))
        for id_, purchases, cents, unpriced, newest, tips in connection.execute(of_them.group_by(sales.c.broadcast_id))
    }


def _whole(sum_: Any) -> int | None:
    """PostgreSQL sums big integers up to a decimal."""
    return None if sum_ is None else int(sum_)


def _of(table: Table, which: ColumnElement[bool], *more: ColumnElement[bool]) -> Select[Any]:
    joined = select(table).join(broadcasts, broadcasts.c.id == table.c.broadcast_id)
    return joined.where(which, *more).order_by(table.c.id)


def _said(row: Row[Any]) -> Said:
    return Said(row.source, row.at, row.recipients, row.views, row.purchases, row.revenue_cents, row.estimated)


def _revenue(evidence: Evidence, purchases: int | None) -> tuple[int | None, bool]:
    sold, exact = evidence.sold, _exact(evidence)
    if exact is not None:
        told_at, cents = exact
        if sold.cents is None or cents >= sold.cents or (sold.newest is not None and told_at >= sold.newest):
            return cents, False
    if sold.cents is not None and not sold.unpriced and sold.purchases == (purchases or 0):
        return sold.cents, False
    guess = _largest([one.revenue_cents for one in evidence.said if one.estimated])
    found = _largest([guess, sold.cents, exact[1] if exact else None])
    return found, found is not None


def _exact(evidence: Evidence) -> tuple[datetime, int] | None:
    """When it was said, and how much that is now."""
    told = [
        (one.at, one.purchases or 0, -one.revenue_cents)
        for one in evidence.said
        if one.revenue_cents is not None and not one.estimated
    ]
    if not told:
        return None
    at, _, below_zero = max(told)
    return at, sum(amount for refunded_at, amount in evidence.sold.refunds if refunded_at > at) - below_zero


def _latest(said: Sequence[Said], name: str, otherwise: int | None) -> int | None:
    told = [(one.at, value) for one in said if (value := getattr(one, name)) is not None]
    return max(told)[1] if told else otherwise


def _largest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
