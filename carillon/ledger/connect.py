"""The one way to the ledger's database, SQLite or PostgreSQL, with the settings that the promise needs.

SQLite runs in WAL with synchronous FULL, and its writes begin IMMEDIATE; PostgreSQL is pinned to READ COMMITTED:
under any other level the claim's count of slots would be older than the account's lock.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from carillon import clock
from carillon.ledger.gathered import Gathered
from carillon.ledger.straight import Straight

_POSTGRESQL = {
    "isolation_level": "READ COMMITTED",
    "connect_args": {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # ms; keepalives do nothing while bytes are on their way
        "options": r"-c idle_in_transaction_session_timeout=30s -c lock_timeout=10s"
        r" -c default_transaction_isolation=read\ committed",  # statements that are transactions of their own obey it
    },
}
"""So that a host that vanishes inside a transaction does not hold an account's lock for hours."""


_CONNECTIONS, _MORE = 10, 5
"""For each process: transactions take milliseconds, threads are many, and PostgreSQL's connections are few."""


_PATIENCE_SECONDS = 5.0


class LedgerError(Exception):
    """The database cannot be used as it is; says what to do."""


class WrongSchemaError(LedgerError):
    """The database and this code are of releases that do not fit; neither changes by waiting."""


class Ledger:
    """The engine, and transactions on it. One for a process; safe among threads."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        if self.embedded and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        options: dict[str, Any] = {} if self.embedded else _POSTGRESQL
        self.engine = create_engine(
            self.url,
            pool_size=_CONNECTIONS,
            max_overflow=_MORE,
            pool_pre_ping=not self.embedded,
            hide_parameters=True,  # they hold message texts, and errors are logged
            **options,
        )
        self._one_writer: AbstractContextManager[object] = threading.Lock() if self.embedded else nullcontext()
        if self.embedded:
            event.listen(self.engine, "connect", _make_durable)
            event.listen(self.engine, "begin", _begin)
        self.straight = Straight(self.engine)
        self.gathered = Gathered(self.straight.transaction, self._one_writer)

    @property
    def shown(self) -> str:
        """Where it is, for logs and errors: without its password, which may stand in the query too."""
        place = {name: value for name, value in self.url.query.items() if name in {"host", "port"}}
        return self.url.set(query=place).render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it holds the write lock from its start."""
        with (
            self._one_writer,
            self.engine.connect() as connection,
            connection.execution_options(writes=True).begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for questions; it never waits for a writer."""
        with Session(self.engine) as session:
            yield session

    def now(self, connection: Connection) -> datetime:
        """The database's clock at this moment (not the transaction's start); SQLite has this host's."""
        if self.embedded:
            return clock.now()
        instant = connection.scalar(select(func.clock_timestamp()))
        assert isinstance(instant, datetime)
        return instant.astimezone(UTC)

    def prove_durable(self) -> None:
        """Refuse a PostgreSQL that may forget a commit: a lost claim is a double send. Raises LedgerError."""
        if self.embedded:
            return
        try:
            with self.engine.connect() as connection:
                setting = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
        except SQLAlchemyError as error:
            raise LedgerError(unreachable(self, error)) from None
        if setting == "off":
            raise LedgerError("PostgreSQL runs with synchronous_commit = off; set it to on for this database")

    def close(self) -> None:
        self.straight.close()
        self.engine.dispose()


def first_line(error: BaseException) -> str:
    """What a database's error says, without the DETAIL below it, which quotes rows."""
    words = str(getattr(error, "orig", None) or error)
    return words.partition("\n")[0] or type(error).__name__


def unreachable(ledger: Ledger, error: Exception) -> str:
    """One line for a database that cannot be reached; never its password."""
    return f"cannot use the database {ledger.shown}: {first_line(error)}; see CARILLON_DATABASE_URL and CARILLON_HOME"


def _make_durable(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "busy_timeout = 15000"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any) -> None:
    """Several that open a new file in one moment are in each other's way, and SQLite does not wait for this one."""
    give_up = clock.ticks() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if clock.ticks() > give_up:
                raise
            time.sleep(0.02)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
