"""What any test may ask for: a database of either kind, a migrated ledger, a Redis."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

import servers
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate

IN_CI = bool(os.environ.get("CI"))
# Tests start a few hundred processes, which need not compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

hypothesis.settings.register_profile("house", deadline=None, derandomize=IN_CI, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def given() -> Mapping[str, str]:
    """Taken out of the environment: what a person has set for a real Carillon must reach no test."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("CARILLON_")}


@pytest.fixture(scope="session")
def postgresql(given: Mapping[str, str]) -> Iterator[str]:
    """The URL of a PostgreSQL server for the whole run; tests want `database_url`."""
    try:
        with servers.postgresql(given.get("CARILLON_DATABASE_URL")) as url:
            yield url
    except servers.NoServerError as error:
        _without("PostgreSQL", error)


@pytest.fixture(scope="session")
def valkey(given: Mapping[str, str]) -> Iterator[str]:
    """The URL of a Redis or Valkey for the whole run; tests want `redis_url`."""
    try:
        with servers.valkey(given.get("CARILLON_REDIS_URL")) as url:
            yield url
    except servers.NoServerError as error:
        _without("Redis", error)


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """An empty database on PostgreSQL alone."""
    with servers.fresh_database(postgresql) as url:
        yield url


@pytest.fixture
def redis_url(valkey: str, given: Mapping[str, str]) -> Iterator[str]:
    """An empty Redis, with which this test is alone."""
    with servers.turn_on(valkey) if "CARILLON_REDIS_URL" in given else nullcontext():
        servers.empty(valkey)  # of what a process that was killed a moment ago has still written
        yield valkey
        servers.empty(valkey)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own, on both kinds: empty, unless the test asks for a `ledger`, which stands in it."""
    filled = "ledger" in request.fixturenames
    if request.param == "sqlite":
        database = tmp_path / "carillon.db"
        if filled:
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), database)
        yield f"sqlite:///{database}"
        return
    server = request.getfixturevalue("postgresql")
    template = request.getfixturevalue("migrated_postgresql") if filled else servers.EMPTY
    with servers.fresh_database(server, template) as url:
        yield url


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger with this version's tables and nothing in them, on both databases."""
    with closing(Ledger(database_url)) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy: to migrate takes far longer."""
    database = tmp_path_factory.mktemp("migrated") / "carillon.db"
    _migrate(f"sqlite:///{database}")
    return database


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> Iterator[str]:
    """The name of a database to copy."""
    with servers.fresh_database(postgresql) as url:
        _migrate(url)
        yield servers.closed(postgresql, url)


def _migrate(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        migrate(ledger)


def _without(server: str, error: Exception) -> NoReturn:
    words = f"no {server} for the tests: {error}"
    if IN_CI:
        pytest.fail(words)
    pytest.skip(words)
