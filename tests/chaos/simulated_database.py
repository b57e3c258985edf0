"""A SQLite ledger in which a process may die at any statement, before and after any commit.

The hook sits under SQLAlchemy, on the driver's own cursor, so that no statement goes past it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from carillon.ledger.connect import Ledger
from chaos.simulated_time import Killed, Timeline


@contextmanager
def opened(database: Path, timeline: Timeline) -> Iterator[Ledger]:
    """Nothing is synced: what is simulated is the death of processes, not of the machine."""

    def may_die() -> None:
        if timeline.process is not None and timeline.process.meets_its_doom():
            timeline.process.alive = False
            raise Killed

    class Cursor(sqlite3.Cursor):
        def execute(self, *args: Any) -> "Cursor":
            may_die()
            super().execute(*args)
            return self

        def executemany(self, *args: Any) -> "Cursor":
            may_die()
            super().executemany(*args)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            may_die()
            super().commit()
            may_die()

    def connect(_dialect: Any, _record: Any, args: Any, options: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, factory=Connection, **options)

    def unsynced(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    ledger = Ledger(f"sqlite:///{database}")
    event.listen(ledger.engine, "do_connect", connect)
    event.listen(ledger.engine, "connect", unsynced)
    try:
        yield ledger
    finally:
        ledger.close()
