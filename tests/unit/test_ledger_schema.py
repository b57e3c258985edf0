import fcntl
import io
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, insert, inspect, text, update
from sqlalchemy.exc import IntegrityError

import servers
from carillon import clock
from carillon.ledger import schema
from carillon.ledger.connect import Ledger, LedgerError
from carillon.ledger.schema import migrate, newest, require_current, revision, waiting
from carillon.ledger.tables import beats, broadcasts
from carillon.ledger.tables_house import installations
from carillon.settings import Settings
from console import opening
from ledger_rows import add_broadcast, add_creator

TABLES = broadcasts.metadata
MIGRATIONS = Path(schema.__file__).parent / "migrations"
FIRST = newest()
GROWN, CUT, GROWN_AGAIN, CUT_AGAIN = (f"{int(FIRST) + step:04}" for step in range(1, 5))
MADE_UP = (
    (GROWN, "before", FIRST),
    (CUT, "after", CUT),
    (GROWN_AGAIN, "before", CUT),
    (CUT_AGAIN, "after", CUT_AGAIN),
)
RELEASES = {"old": 0, "new": 2, "newer": 4}
"""How many of the made-up migrations each release knows, beside the real ones."""

Code = Callable[[str], None]


@pytest.fixture
def empty(database_url: str) -> Iterator[Ledger]:
    with closing(Ledger(database_url)) as ledger:
        yield ledger


@pytest.fixture
def at_scale(postgresql: str) -> Iterator[Ledger]:
    """An empty PostgreSQL."""
    with servers.fresh_database(postgresql) as url, closing(Ledger(url)) as ledger:
        yield ledger


@pytest.fixture
def code_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Code:
    """From its call on, this process is the code of that release."""

    def become(release: str) -> None:
        folder = tmp_path / release
        if not folder.exists():
            shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
            for made_up in MADE_UP[: RELEASES[release]]:
                add_migration(folder, *made_up)
        monkeypatch.setattr(schema, "_MIGRATIONS", folder)

    return become


def add_migration(folder: Path, number: str, runs: str, oldest: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    with redirect_stdout(io.StringIO()):
        command.revision(config, "Made up", rev_id=number)
    (file,) = (folder / "versions").glob(f"{number}_*.py")
    changes = {"runs = .*": f"runs = {runs!r}", "oldest = .*": f"oldest = {oldest!r}"}
    changes["    pass"] = f"    op.create_table('made_up_{number}', sa.Column('id', BigId))"
    written = file.read_text()
    for old, new in changes.items():
        written, times = re.subn(f"^{old}$", new, written, flags=re.MULTILINE)
        assert times == 1
    file.write_text(written)


def add_beat(ledger: Ledger, process: str, made_for: str, *, seconds_ago: float = 0, left: bool = False) -> None:
    at = clock.now() - timedelta(seconds=seconds_ago)
    row: dict[str, Any] = {"process": process, "role": "worker", "at": at, "host": "h", "host_at": at}
    with ledger.write() as connection:
        connection.execute(insert(beats).values(**row, revision=made_for, left_at=at if left else None))


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


def test_of_many_that_migrate_an_empty_database_at_once_one_does_it(empty: Ledger) -> None:
    assert revision(empty) is None
    together = threading.Barrier(4)

    def start() -> tuple[str | None, str]:
        with closing(Ledger(empty.url.render_as_string(hide_password=False))) as ledger:
            together.wait(30)
            return migrate(ledger)

    with ThreadPoolExecutor(4) as processes:
        results = [future.result() for future in [processes.submit(start) for _ in range(4)]]
    assert sorted(before or "" for before, _ in results) == ["", FIRST, FIRST, FIRST]
    assert {after for _, after in results} == {FIRST}


def test_who_cannot_have_its_turn_is_told_to_come_again(at_scale: Ledger) -> None:
    @event.listens_for(at_scale.engine, "begin")
    def impatient(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")

    with closing(Ledger(at_scale.url.render_as_string(hide_password=False))) as other, other.write() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({schema._MIGRATING})"))
        with pytest.raises(LedgerError, match="nothing was written: try again"):
            migrate(at_scale)
    assert revision(at_scale) is None


def test_an_empty_database_asks_for_migrate(empty: Ledger) -> None:
    with pytest.raises(LedgerError, match="carillon migrate"):
        require_current(empty)
    assert contents(empty) == {}


def test_new_code_asks_for_migrate_until_it_has_what_it_needs(code_of: Code, ledger: Ledger) -> None:
    code_of("new")
    assert waiting(ledger) == (GROWN, CUT)
    with pytest.raises(LedgerError, match="run `carillon migrate` first"):
        require_current(ledger)
    migrate(ledger)
    require_current(ledger)
    assert f"made_up_{GROWN}" in contents(ledger)


def test_one_process_gets_all_at_once_and_many_wait_with_what_older_code_still_uses(
    code_of: Code, ledger: Ledger
) -> None:
    code_of("new")
    if ledger.embedded:
        assert migrate(ledger) == (FIRST, CUT)
        return
    assert migrate(ledger) == (FIRST, GROWN)
    assert waiting(ledger) == (CUT,)
    assert migrate(ledger) == (GROWN, GROWN)
    assert migrate(ledger, after=True) == (GROWN, CUT)
    assert waiting(ledger) == ()
    assert migrate(ledger, after=True) == (CUT, CUT)
    require_current(ledger)


def test_an_empty_database_gets_all_at_once(code_of: Code, empty: Ledger) -> None:
    code_of("newer")
    assert migrate(empty) == (None, CUT_AGAIN)
    assert waiting(empty) == ()
    code_of("new")
    with pytest.raises(LedgerError, match="newer Carillon"):
        require_current(empty)


def test_code_of_the_last_release_works_beside_the_new_one_until_the_cut(code_of: Code, at_scale: Ledger) -> None:
    code_of("old")
    migrate(at_scale)
    code_of("new")
    migrate(at_scale)
    code_of("old")
    made = contents(at_scale)
    require_current(at_scale)
    assert migrate(at_scale) == migrate(at_scale, after=True) == (GROWN, GROWN)
    assert waiting(at_scale) == ()
    assert contents(at_scale) == made
    code_of("new")
    migrate(at_scale, after=True)
    code_of("old")
    made = contents(at_scale)
    for bring_up in (migrate, require_current, waiting):
        with pytest.raises(LedgerError, match=f"at {CUT}, made by a newer Carillon; nothing was written"):
            bring_up(at_scale)
    assert contents(at_scale) == made


def test_the_cut_of_a_release_is_due_with_the_next_release(code_of: Code, at_scale: Ledger) -> None:
    code_of("old")
    migrate(at_scale)
    code_of("new")
    migrate(at_scale)
    code_of("newer")
    assert migrate(at_scale) == (GROWN, GROWN_AGAIN)
    assert waiting(at_scale) == (CUT_AGAIN,)
    code_of("new")
    require_current(at_scale)
    code_of("old")
    with pytest.raises(LedgerError, match="newer Carillon"):
        require_current(at_scale)


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize(
    ("beat", "in_the_way"),
    [
        ({"made_for": FIRST}, True),
        ({"made_for": FIRST, "seconds_ago": 20}, True),
        ({"made_for": FIRST, "seconds_ago": 40}, False),
        ({"made_for": FIRST, "left": True}, False),
        ({"made_for": CUT}, False),
        ({"made_for": CUT_AGAIN}, False),
    ],
)
def test_a_cut_is_refused_while_code_that_needs_what_it_takes_is_alive(
    code_of: Code, at_scale: Ledger, beat: dict[str, Any], in_the_way: bool, after: bool
) -> None:
    code_of("old")
    migrate(at_scale)
    code_of("new" if after else "newer")
    add_beat(at_scale, "host:12", **beat)
    if not in_the_way:
        assert migrate(at_scale, after=after) == (FIRST, CUT if after else GROWN_AGAIN)
        return
    made = contents(at_scale)
    with pytest.raises(LedgerError, match="host:12; nothing was written: stop or update"):
        migrate(at_scale, after=after)
    assert contents(at_scale) == made


def test_what_runs_before_the_code_stops_nobody_of_the_last_release(code_of: Code, at_scale: Ledger) -> None:
    code_of("old")
    migrate(at_scale)
    code_of("new")
    add_beat(at_scale, "host:12", FIRST)
    assert migrate(at_scale) == (FIRST, GROWN)


def test_an_up_that_starts_anew_on_sqlite_is_not_stopped_by_its_own_last_beat(code_of: Code, tmp_path: Path) -> None:
    code_of("old")
    with closing(Ledger(f"sqlite:///{tmp_path / 'carillon.db'}")) as ledger:
        migrate(ledger)
        add_beat(ledger, "host:12", FIRST)
        code_of("new")
        assert migrate(ledger) == (FIRST, CUT)


@pytest.mark.parametrize("bring_up", [migrate, require_current, waiting])
@pytest.mark.parametrize(("found", "oldest"), [("9999", "9999"), ("0000", FIRST), ("zzz", None)])
def test_a_database_that_this_code_may_not_work_on_is_left_as_it_is(
    ledger: Ledger, bring_up: Callable[[Ledger], object], found: str, oldest: str | None
) -> None:
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        if oldest is None:
            connection.execute(text("DROP TABLE installation"))
        else:
            connection.execute(update(installations).values(oldest_revision=oldest))
    before = contents(ledger)
    with pytest.raises(LedgerError, match=f"{found}, made by a newer Carillon; nothing was written"):
        bring_up(ledger)
    assert contents(ledger) == before


def test_the_command_says_what_it_did_and_what_waits(
    code_of: Code, at_scale: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=at_scale.url.render_as_string(hide_password=False))

    def said(release: str, *, after: bool = False) -> list[str]:
        code_of(release)
        assert opening.migrate(settings, after) == 0
        return capsys.readouterr().out.splitlines()

    wait = "until no older process runs: carillon migrate --after"
    assert said("old") == [f"the database is at {FIRST}, it was empty"]
    assert said("new") == [f"the database is at {GROWN}, it was {FIRST}", f"1 migration waits {wait}"]
    assert said("new") == [f"the database is at {GROWN}", f"1 migration waits {wait}"]
    assert said("old", after=True) == [
        f"the database is at {GROWN}, made by a newer Carillon that lets this one work on it; nothing to do"
    ]
    assert said("new", after=True) == [f"the database is at {CUT}, it was {GROWN}"]


def test_the_command_leaves_a_home_alone_on_which_an_older_up_runs(code_of: Code, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    code_of("old")
    opening.migrate(settings, after=False)
    code_of("new")
    with (tmp_path / "home" / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="an older `carillon up` runs on"):
            opening.migrate(settings, after=False)
    assert opening.migrate(settings, after=False) == 0


def test_each_migration_says_when_it_runs_and_whose_code_may_work_on_what_it_leaves() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    first, *others = reversed(list(ScriptDirectory.from_config(config).walk_revisions()))
    oldest = first.revision
    for number, script in enumerate(others, 2):
        assert script.revision == f"{number:04}"
        assert script.module.runs in {"before", "after"}
        assert oldest <= script.module.oldest <= script.revision
        assert script.module.runs == "after" or script.module.oldest < script.revision
        oldest = script.module.oldest
    assert first.revision == "0001"


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
