"""Which of an account's ready broadcasts go first: read along the index of the limit's order, as far as is needed.

Where many at the head of that order are paused, or wait for the one before them of their own campaign, the first of
each campaign is looked for instead: a thousand that cannot go are not read to find the one that can.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    true,
)

from carillon.ledger import allowance
from carillon.ledger.allowance import ORDER, PLANNED
from carillon.ledger.inserts import array_of, is_sqlite
from carillon.ledger.tables import broadcasts

_NAMES = ("id", "creator_id", "platform")
_FURTHER = 20
"""So many more than may go are looked at, since some may have to wait."""

_FIRST = broadcasts.alias("first")
_LISTED = broadcasts.alias("listed")


def choose(connection: Connection, places: Mapping[int, int], paused: Collection[str], now: datetime) -> list[Row[Any]]:
    """For each account, by id, the best that may go, as many as it has places; of all accounts the best first."""
    if not places:
        return []
    ranked: list[tuple[int, Row[Any]]] = []
    for account, rows in groupby(_in_order(connection, places, paused, now), lambda row: row.creator_id):
        seen = list(rows)
        free = [row for row in seen if not row.waits]
        if len(free) < places[account] and len(seen) >= places[account] + _FURTHER:
            free = list(connection.execute(_heads(account, paused, now).limit(places[account])))
        ranked += enumerate(free[: places[account]])
    return [row for _, row in sorted(ranked, key=lambda each: each[0])]


def _in_order(
    connection: Connection, places: Mapping[int, int], paused: Collection[str], now: datetime
) -> Iterable[Row[Any]]:
    """The first of each account, one account after the other. SQLite knows no join that asks for each."""
    if is_sqlite(connection):
        for id_, count in places.items():
            yield from connection.execute(_first(literal(id_), paused, now).limit(count + _FURTHER)).all()
        return
    ids = func.unnest(array_of(places)).table_valued("id").render_derived()
    best = _first(ids.c.id, paused, now).limit(max(places.values()) + _FURTHER).lateral()
    yield from connection.execute(select(best).select_from(ids.join(best, true()))).all()


def _first(account: ColumnElement[int], paused: Collection[str], now: datetime) -> Select[Any]:
    """Each with whether it `waits` for what is none of its account's business."""
    waits = or_(allowance.overlapped(), broadcasts.c.campaign.in_(paused)) if paused else allowance.overlapped()
    due = (broadcasts.c.creator_id == account, allowance.ready_in_order(now))
    return select(*_columns(), waits.label("waits")).where(*due).order_by(*ORDER)


def _heads(account: int, paused: Collection[str], now: datetime) -> Select[Any]:
    """Of each campaign the first that has not ended, and whatever a person sends, which waits for none."""
    names = _campaigns(account)
    theirs = (_FIRST.c.creator_id == account, _FIRST.c.campaign == names.c.campaign, allowance.active(_FIRST))
    first = select(_FIRST.c.id).where(*theirs).order_by(_FIRST.c.due_at).limit(1).scalar_subquery()
    own = select(broadcasts.c.id).where(broadcasts.c.creator_id == account, PLANNED, _OWN)
    heads = select(first).select_from(names).where(names.c.campaign.not_in(paused))
    these = or_(broadcasts.c.id.in_(heads), and_(broadcasts.c.id.in_(own), broadcasts.c.campaign.not_in(paused)))
    could_go = (allowance.ready_in_order(now), ~allowance.overlapped())
    return select(*_columns()).where(these, *could_go).order_by(*ORDER)


_OWN = broadcasts.c.kind == literal("send", literal_execute=True)


def _campaigns(account: int) -> Any:
    """Those of the account, from one to the next along an index, however many broadcasts of each there are."""
    theirs, least = (_LISTED.c.creator_id == account, allowance.active(_LISTED)), func.min(_LISTED.c.campaign)
    names = select(least.label("campaign")).where(*theirs).cte("names", recursive=True)
    further = select(least).where(*theirs, _LISTED.c.campaign > names.c.campaign)
    return names.union_all(select(further.scalar_subquery()).where(names.c.campaign.is_not(None)))


def _columns() -> Sequence[ColumnElement[Any]]:
    return [broadcasts.c[name] for name in _NAMES]
