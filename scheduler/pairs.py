"""Campaigns for creators, many at a time: their cursors, and the conditions that name them in a statement."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Connection, Row, Text, and_, any_, bindparam, cast, func, select, update

from carillon.ledger.inserts import among, array_of, is_sqlite, put_all
from carillon.ledger.tables import cursors

Pair = tuple[str, int]
T = TypeVar("T")


def around(connection: Connection, table: Any, pairs: Collection[Pair]) -> ColumnElement[bool]:
    """Rows of `table` whose campaign is among the pairs' and whose creator is: maybe of a few other pairs too."""
    campaigns = {campaign for campaign, _ in pairs}
    named = table.c.campaign.in_(campaigns) if is_sqlite(connection) else table.c.campaign == any_(_words(campaigns))
    return and_(named, among(connection, table.c.creator_id, {creator_id for _, creator_id in pairs}))


def cursors_of(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, Row[Any]]:
    """Those that there are."""
    wanted = set(pairs)
    rows = connection.execute(select(cursors).where(around(connection, cursors, pairs))).all()
    return {pair: row for row in rows if (pair := (row.campaign, row.creator_id)) in wanted}


def put_cursors(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert them, or bring those that are there up to date."""
    put_all(connection, cursors, ("campaign", "creator_id"), rows)


def mark(connection: Connection, pairs: Collection[Pair]) -> None:
    """An edit concerns them: what is planned of them is still to be brought in line."""
    if not pairs:
        return
    if is_sqlite(connection):
        one = and_(cursors.c.campaign == bindparam("name"), cursors.c.creator_id == bindparam("whose"))
        rows = [{"name": campaign, "whose": creator_id} for campaign, creator_id in pairs]
        connection.execute(update(cursors).where(one).values(edited=True), rows)
        return
    listed = list(pairs)
    names, ids = _words(campaign for campaign, _ in listed), array_of(creator_id for _, creator_id in listed)
    each = func.unnest(names, ids).table_valued("campaign", "creator_id").render_derived()
    same = (cursors.c.campaign == each.c.campaign, cursors.c.creator_id == each.c.creator_id)
    connection.execute(update(cursors).where(*same).values(edited=True))


def batches(found: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]


def _words(names: Any) -> ColumnElement[Any]:
    """For PostgreSQL. A campaign's name has no comma."""
    return cast(func.string_to_array(",".join(names), ","), ARRAY(Text))
