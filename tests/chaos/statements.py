"""Every statement and every commit of a process, on the driver itself: nothing of the product can go another way."""

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Engine

Pass = Callable[[str], None]

_TABLE = re.compile(r"(?:INTO|UPDATE|FROM|TABLE)\s+\"?(\w+)", re.IGNORECASE)
_pass_by: list[Pass] = []


def string_statements(pass_by: Pass) -> None:
    """To be called once, before the first connection is made."""
    _pass_by.append(pass_by)
    event.listen(Engine, "do_connect", _connect)


class _SqliteCursor(sqlite3.Cursor):
    def execute(self, sql: str, *rest: Any) -> Any:
        return _around(sql, lambda: super(_SqliteCursor, self).execute(sql, *rest), self._alone)

    def executemany(self, sql: str, *rest: Any) -> Any:
        return _around(sql, lambda: super(_SqliteCursor, self).executemany(sql, *rest), self._alone)

    def _alone(self) -> bool:
        return not self.connection.in_transaction


class _SqliteConnection(sqlite3.Connection):
    def cursor(self, factory: Any = _SqliteCursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        _around_commit(super().commit, begun=self.in_transaction)


class _PostgresqlCursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, *rest: Any, **options: Any) -> Any:
        return _around(query, lambda: super(_PostgresqlCursor, self).execute(query, *rest, **options), self._alone)

    def executemany(self, query: Any, *rest: Any, **options: Any) -> Any:
        return _around(query, lambda: super(_PostgresqlCursor, self).executemany(query, *rest, **options), self._alone)

    def _alone(self) -> bool:
        return self.connection.info.transaction_status == TransactionStatus.IDLE


class _PostgresqlConnection(psycopg.Connection[Any]):
    def commit(self) -> None:
        _around_commit(super().commit, begun=self.info.transaction_status != TransactionStatus.IDLE)


def _connect(dialect: Any, _record: Any, words: Any, options: Any) -> Any:
    if dialect.name == "sqlite":
        return sqlite3.connect(*words, **{**options, "factory": _SqliteConnection})
    return _PostgresqlConnection.connect(*words, **{**options, "cursor_factory": _PostgresqlCursor})


def _around(statement: object, run: Callable[[], Any], alone: Callable[[], bool]) -> Any:
    """Before a statement; and after it, if it was a transaction of its own."""
    what = said(statement)
    if not what:
        return run()
    _pass("before " + what)
    found = run()
    if alone():
        _pass("after " + what)
    return found


def _around_commit(commit: Callable[[], None], *, begun: bool) -> None:
    if begun:
        _pass("before COMMIT")
    commit()
    if begun:
        _pass("after COMMIT")


def _pass(what: str) -> None:
    for pass_by in _pass_by:
        pass_by(what)


def said(statement: object) -> str:
    """A statement's first word and its table; "" for one that only asks whether the server is there."""
    text = statement.decode() if isinstance(statement, bytes) else str(statement)
    words = text.split()
    if not words or words[0] == ";":
        return ""
    table = _TABLE.search(text)
    return f"{words[0].upper()} {table[1] if table else ' '.join(words[1:2])}".strip()
