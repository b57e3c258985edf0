"""What a piece of work asks of the database and of the processor, counted and not timed where it can be."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from sqlalchemy import event, func, select
from sqlalchemy.engine import make_url

from carillon.ledger.connect import Ledger

_READ = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(idx_scan) FROM pg_stat_user_tables"
_ENTRIES = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"


@dataclass
class Work:
    """Statements, rows read and index entries passed; CPU seconds of this process and of PostgreSQL."""

    statements: int = 0
    rows: int = 0
    entries: int = 0
    own_cpu: float = 0.0
    server_cpu: float = 0.0

    @property
    def cpu(self) -> float:
        return self.own_cpu + self.server_cpu

    @property
    def read(self) -> int:
        return self.rows + self.entries

    def __str__(self) -> str:
        return f"{self.statements} statements, {self.rows} rows, {self.entries} index entries"


@contextmanager
def counted(ledger: Ledger) -> Iterator[Work]:
    """Done when the block ends."""
    work = Work()

    def count(*_: Any) -> None:
        work.statements += 1

    server = _server(ledger)
    before, spent = _read(ledger), _seconds(server)
    event.listen(ledger.engine, "before_cursor_execute", count)
    begun = time.process_time()
    try:
        yield work
    finally:
        work.own_cpu = time.process_time() - begun
        event.remove(ledger.engine, "before_cursor_execute", count)
        work.rows, work.entries = (after - was for after, was in zip(_read(ledger), before, strict=True))
        work.server_cpu = _seconds(server) - spent


def milliseconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1000


def _read(ledger: Ledger) -> tuple[int, int]:
    """Sessions tell what they read when they are idle for a second, or when they end."""
    ledger.engine.dispose()
    conninfo = make_url(ledger.url).set(drivername="postgresql").render_as_string(hide_password=False)
    time.sleep(0.05)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows, entries = connection.execute(_READ).fetchone(), connection.execute(_ENTRIES).fetchone()
    assert rows
    assert entries
    return int(rows[0] or 0), int(entries[0] or 0)


def _server(ledger: Ledger) -> psutil.Process:
    with ledger.read() as session:
        backend = psutil.Process(session.scalar(select(func.pg_backend_pid())))
    server = backend.parent()
    assert server
    return server


def _seconds(server: psutil.Process) -> float:
    """Of its sessions that live, and of those that have ended."""
    own = server.cpu_times()
    spent = own.user + own.system + own.children_user + own.children_system
    for child in server.children():
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            spent += times.user + times.system
    return spent
