"""What the two databases say in different words: inserts that meet a row, and conditions on many ids."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Interval,
    Row,
    Select,
    Table,
    Text,
    any_,
    cast,
    column,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The statement that inserts those of `rows` that meet no unique key."""
    return _dialect(connection).insert(table).values(rows).on_conflict_do_nothing()


def upsert(connection: Connection, table: Table) -> Any:
    """The dialect's own insert into the table, for a rule of one's own about the row that is met."""
    return _dialect(connection).insert(table)


def put(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert the row, or bring the one with this key up to date."""
    statement = _dialect(connection).insert(table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def put_all(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """As `put`, for many rows that give the same columns."""
    statement = _dialect(connection).insert(table)
    fresh = {name: statement.excluded[name] for name in rows[0] if name not in key} if rows else {}
    if rows:
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=fresh), rows)


def insert_all_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *returned: ColumnElement[Any]
) -> Sequence[Row[Any]]:
    """Insert those of `rows`, which give the same columns, that meet no unique key; returns what is asked of them."""
    if not rows:
        return ()
    statement = _dialect(connection).insert(table)
    if is_sqlite(connection):
        return connection.execute(statement.on_conflict_do_nothing().returning(*returned), rows).all()
    sent = statement.from_select(list(rows[0]), _as_rows(table, rows))
    return connection.execute(sent.on_conflict_do_nothing().returning(*returned)).all()


def _as_rows(table: Table, rows: Sequence[Mapping[str, Any]]) -> Select[Any]:
    """One value for all: to say each by itself would take the driver longer than the server takes to insert them."""
    columns = [column(name, table.c[name].type) for name in rows[0]]
    text = literal(json.dumps(rows, default=_said), Text)
    return select(*func.json_to_recordset(cast(text, JSON)).table_valued(*columns).render_derived(with_types=True).c)


def _said(value: object) -> str:
    assert isinstance(value, date)  # of which instants are a kind
    return value.isoformat()


def among(connection: Connection, column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """`column` is one of these ids. PostgreSQL takes them as one value: thousands cost no more to say than one."""
    return column.in_(ids) if is_sqlite(connection) else column == any_(array_of(ids))


def array_of(ids: Iterable[int]) -> ColumnElement[Any]:
    """For PostgreSQL. Sent as text, which costs a tenth of an array whose items the driver dumps one by one."""
    return cast(func.string_to_array(",".join(map(str, ids)), ","), ARRAY(BigInteger))


def earliest(connection: Connection, one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The earlier of two instants that may be null; null if both are."""
    if is_sqlite(connection):
        return func.min(func.coalesce(one, other), func.coalesce(other, one), type_=one.type)
    return func.least(one, other, type_=one.type)


def day_before(connection: Connection, instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """On SQLite without its fraction of a second."""
    if is_sqlite(connection):
        return func.datetime(instant, "-1 day", type_=instant.type)
    return type_coerce(instant - literal(timedelta(days=1), Interval), instant.type)


def is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _dialect(connection: Connection) -> Any:
    return sqlite if is_sqlite(connection) else postgresql
