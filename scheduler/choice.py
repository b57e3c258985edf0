"""Which of an account's ready broadcasts go first: read along the index of the limit's order, as far as is needed.

Where many at the head of that order are paused, or wait for the one before them of their own campaign, the first of
each campaign is looked for instead: a thousand that cannot go are not read to find the one that can.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    false,
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

_FURTHER = 20
"""So many more than may go are looked at, since some may have to wait."""

_FIRST = broadcasts.alias("first")
_LISTED = broadcasts.alias("listed")


class Ready(NamedTuple):
    """A broadcast that may go, unless it `waits` for what is none of its account's business.

    No row of SQLAlchemy: thousands of them cost twenty times as long to look into.
    """

    id: int
    creator_id: int
    platform: str
    waits: bool


def choose(connection: Connection, places: Mapping[int, int], paused: Collection[str], now: datetime) -> list[Ready]:
    """For each account, by id, the best that may go, as many as it has places; of all accounts the best first."""
    if not places:
        return []
    ranked: list[tuple[int, Ready]] = []
    for account, rows in groupby(_in_order(connection, places, paused, now), attrgetter("creator_id")):
        seen = list(rows)
        free = [row for row in seen if not row.waits]
        if len(free) < places[account] and len(seen) >= places[account] + _FURTHER:
            heads = _heads(account, paused, now).limit(places[account])
            free = list(map(Ready._make, connection.execute(heads).all()))
        ranked += enumerate(free[: places[account]])
    return [row for _, row in sorted(ranked, key=itemgetter(0))]


def _in_order(
    connection: Connection, places: Mapping[int, int], paused: Collection[str], now: datetime
) -> Iterable[Ready]:
    """The first of each account, one account after the other. SQLite knows no join that asks for each."""
    if is_sqlite(connection):
        for id_, count in places.items():
            first = connection.execute(_first(literal(id_), paused, now).limit(count + _FURTHER)).all()
            yield from map(Ready._make, first)
        return
    ids = func.unnest(array_of(places)).table_valued("id").render_derived()
    best = _first(ids.c.id, paused, now).limit(max(places.values()) + _FURTHER).lateral()
    yield from map(Ready._make, connection.execute(select(best).select_from(ids.join(best, true()))).all())


def _first(account: ColumnElement[int], paused: Collection[str], now: datetime) -> Select[Any]:
    waits = or_(allowance.overlapped(), broadcasts.c.campaign.in_(paused)) if paused else allowance.overlapped()
    due = (broadcasts.c.creator_id == account, allowance.ready_in_order(now))
    return select(*_columns(waits)).where(*due).order_by(*ORDER)


def _heads(account: int, paused: Collection[str], now: datetime) -> Select[Any]:
    """Of each campaign the first that has not ended, and whatever waits for none: a person's own, what is placed."""
    names = _campaigns(account)
    theirs = (_FIRST.c.creator_id == account, _FIRST.c.campaign == names.c.campaign, allowance.active(_FIRST))
    first = select(_FIRST.c.id).where(*theirs).order_by(_FIRST.c.due_at).limit(1).scalar_subquery()
    heads = select(first).select_from(names)
    planned = select(broadcasts.c.id).where(broadcasts.c.creator_id == account, PLANNED)
    these = (broadcasts.c.id.in_(ids) for ids in (heads, planned.where(_OWN), planned.where(_TO_BE_PLACED)))
    could_go = (allowance.ready_in_order(now), ~allowance.overlapped(), broadcasts.c.campaign.not_in(paused))
    return select(*_columns(false())).where(or_(*these), *could_go).order_by(*ORDER)


_OWN = broadcasts.c.kind == literal("send", literal_execute=True)
_TO_BE_PLACED = broadcasts.c.goes_at.is_not(None)


def _campaigns(account: int) -> Any:
    """Those of the account, from one to the next along an index, however many broadcasts of each there are."""
    theirs, least = (_LISTED.c.creator_id == account, allowance.active(_LISTED)), func.min(_LISTED.c.campaign)
    names = select(least.label("campaign")).where(*theirs).cte("names", recursive=True)
    further = select(least).where(*theirs, _LISTED.c.campaign > names.c.campaign)
    return names.union_all(select(further.scalar_subquery()).where(names.c.campaign.is_not(None)))


def _columns(waits: ColumnElement[bool]) -> Sequence[ColumnElement[Any]]:
    """Those of `Ready`."""
    return [broadcasts.c.id, broadcasts.c.creator_id, broadcasts.c.platform, waits.label("waits")]
