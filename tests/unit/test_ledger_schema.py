from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from carillon.ledger.connect import Ledger, LedgerError
from carillon.ledger.schema import migrate, require_current, revision
from carillon.ledger.tables import broadcasts
from ledger_rows import add_broadcast, add_creator

TABLES = broadcasts.metadata


@pytest.fixture
def empty(database_url: str) -> Iterator[Ledger]:
    with closing(Ledger(database_url)) as ledger:
        yield ledger


def contents(ledger: Ledger) -> dict[str, list[object]]:
    with ledger.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        return {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in names}


def test_the_first_migration_makes_the_tables_and_the_second_changes_nothing(empty: Ledger) -> None:
    before, newest = migrate(empty)
    assert before is None
    assert set(contents(empty)) == {*TABLES.tables, "alembic_version"}
    made = contents(empty)
    assert migrate(empty) == (newest, newest)
    assert contents(empty) == made
    require_current(empty)


def test_two_processes_migrate_one_after_the_other(database_url: str) -> None:
    with closing(Ledger(database_url)) as first, closing(Ledger(database_url)) as second:
        assert migrate(first)[0] is None
        assert migrate(second)[0] == revision(first)


def test_an_empty_database_asks_for_migrate(empty: Ledger) -> None:
    with pytest.raises(LedgerError, match="carillon migrate"):
        require_current(empty)
    assert contents(empty) == {}


@pytest.mark.parametrize("bring_up", [migrate, require_current])
def test_a_newer_database_is_refused_and_left_as_it_is(ledger: Ledger, bring_up: Callable[[Ledger], object]) -> None:
    add_broadcast(ledger, add_creator(ledger))
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = contents(ledger)
    with pytest.raises(LedgerError, match="9999, made by a newer Carillon"):
        bring_up(ledger)
    assert contents(ledger) == before


def test_models_and_migrations_agree(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, TABLES) == []


def test_an_occurrence_is_planned_once_for_ever(ledger: Ledger) -> None:
    creator_id = add_creator(ledger)
    add_broadcast(ledger, creator_id, occurrence="2026-12-01T20:00 Europe/Berlin", state="cancelled")
    with pytest.raises(IntegrityError):
        add_broadcast(ledger, creator_id, occurrence="2026-12-01T20:00 Europe/Berlin")
    add_broadcast(ledger, creator_id, occurrence="2026-12-01T20:00 Europe/Berlin", part="canary")
    assert len(contents(ledger)["broadcast"]) == 2


def test_a_message_of_the_platform_belongs_to_one_broadcast_of_an_account(ledger: Ledger) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia")
    add_broadcast(ledger, luna, "a", platform_message_id="mm_1")
    with pytest.raises(IntegrityError):
        add_broadcast(ledger, luna, "b", platform_message_id="mm_1")
    add_broadcast(ledger, mia, "b", platform_message_id="mm_1")
    assert len(contents(ledger)["broadcast"]) == 2
