import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from carillon import clock
from carillon.ledger.connect import Ledger, LedgerError
from carillon.ledger.schema import revision
from ledger_rows import add_broadcast, add_creator, broadcast


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(f"sqlite:///{tmp_path / 'home' / 'carillon.db'}")) as ledger:
        yield ledger


def test_sqlite_forgets_no_commit(sqlite: Ledger, tmp_path: Path) -> None:
    with sqlite.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_write_on_sqlite_holds_the_lock_from_its_start(sqlite: Ledger) -> None:
    with sqlite.write(), closing(sqlite3.connect(str(sqlite.url.database), timeout=0)) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchall() == [(0,)]
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_postgresql_reads_what_others_committed_meanwhile(postgresql: str) -> None:
    with closing(Ledger(postgresql)) as ledger, ledger.write() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_a_database_that_may_forget_commits_is_refused(database_url: str) -> None:
    with closing(Ledger(database_url)) as ledger:
        ledger.prove_durable()
        if ledger.embedded:
            return
        with ledger.write() as connection:
            connection.execute(text(f'ALTER DATABASE "{ledger.url.database}" SET synchronous_commit = off'))
        ledger.close()
        with pytest.raises(LedgerError, match="synchronous_commit"):
            ledger.prove_durable()


@pytest.mark.parametrize("ask", [revision, Ledger.prove_durable])
def test_a_database_that_does_not_answer_is_named_without_its_password(ask: Callable[[Ledger], object]) -> None:
    ledger = Ledger("postgresql+psycopg://mia:s3cret@127.0.0.1:1/ledger")
    with pytest.raises(LedgerError, match="CARILLON_DATABASE_URL") as refused:
        ask(ledger)
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_instants_come_back_as_they_went_in_utc(ledger: Ledger) -> None:
    due_at = datetime(2026, 12, 31, 23, 59, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger), due_at=due_at))
    assert row.due_at == due_at
    assert row.due_at.tzinfo is UTC


def test_an_instant_without_a_zone_never_gets_in(ledger: Ledger) -> None:
    with pytest.raises(StatementError, match="an instant needs its zone"):
        add_broadcast(ledger, add_creator(ledger), due_at=datetime(2026, 12, 31, 23, 59))  # noqa: DTZ001


def test_the_clock_is_the_databases_and_runs_within_a_transaction(ledger: Ledger) -> None:
    with ledger.write() as connection:
        first, second = ledger.now(connection), ledger.now(connection)
    assert first < second
    assert abs(second - clock.now()) < timedelta(minutes=1)
