"""Core statements in the driver's own words, worked out once: what SQLAlchemy does at each execution is left out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Executable, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

_PREFIX = "the_"


def the(name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A value that is given at each run. Not named as such, since SQLAlchemy keeps the names of columns for itself."""
    return BindParameter(_PREFIX + name, type_=type_, required=False)


class Prepared:
    """One statement for SQLite (`embedded`), or for PostgreSQL."""

    def __init__(self, statement: Executable, *, embedded: bool) -> None:
        assert isinstance(statement, ClauseElement)
        dialect: Dialect = sqlite.dialect() if embedded else psycopg.dialect()  # type: ignore[no-untyped-call]
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)
        self._text, self._by_place = compiled.string, compiled.positional
        self._values = [_Value(compiled, name, dialect) for name in (compiled.positiontup or compiled.params)]
        self._readers = list(_readers(statement, dialect))

    def run(self, cursor: Any, values: Mapping[str, Any]) -> Any:
        """The cursor, with what the statement gave; values that it does not ask for are left out."""
        if self._by_place:
            return cursor.execute(self._text, [value.of(values) for value in self._values])
        return cursor.execute(self._text, {value.name: value.of(values) for value in self._values})

    def one(self, cursor: Any, values: Mapping[str, Any]) -> list[Any] | None:
        """Its only row, if there is one."""
        found = self.run(cursor, values).fetchall()
        if not found:
            return None
        row = list(found[0])
        for place, read in self._readers:
            row[place] = read(row[place])
        return row


def _readers(statement: Executable, dialect: Dialect) -> Iterator[tuple[int, Any]]:
    columns: Iterable[ColumnElement[Any]] = statement.selected_columns if isinstance(statement, Select) else ()
    for place, column in enumerate(columns):
        reader = column.type.dialect_impl(dialect).result_processor(dialect, None)
        if reader:
            yield place, reader


class _Value:
    """One bind parameter: given at each run, or a constant of the statement."""

    def __init__(self, compiled: SQLCompiler, name: str, dialect: Dialect) -> None:
        self.name, self._constant = name, compiled.params[name]
        self._key = name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None
        self._write = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)

    def of(self, values: Mapping[str, Any]) -> Any:
        value = self._constant if self._key is None else values[self._key]
        return self._write(value) if self._write else value
