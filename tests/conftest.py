"""What any test may ask for: a database of either kind, a migrated ledger, a Redis."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

import servers
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate

IN_CI = bool(os.environ.get("CI"))
# Taken out of the environment: what a person has set for a real Carillon must reach no test.
GIVEN = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("CARILLON_")}

hypothesis.settings.register_profile("house", deadline=None, derandomize=IN_CI, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server for the whole run; tests want `database_url`."""
    try:
        with servers.postgresql(GIVEN.get("CARILLON_DATABASE_URL")) as url:
            yield url
    except servers.NoServerError as error:
        _without("PostgreSQL", error)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The URL of a Redis or Valkey for the whole run; tests want `redis_url`."""
    try:
        with servers.valkey(GIVEN.get("CARILLON_REDIS_URL")) as url:
            yield url
    except servers.NoServerError as error:
        _without("Redis", error)


@pytest.fixture
def redis_url(valkey: str) -> Iterator[str]:
    """An empty Redis."""
    yield valkey
    servers.empty(valkey)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'carillon.db'}"
        return
    with servers.fresh_database(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger with this version's tables and nothing in them, on both databases."""
    ledger = Ledger(database_url)
    try:
        migrate(ledger)
        yield ledger
    finally:
        ledger.close()


def _without(server: str, error: Exception) -> NoReturn:
    words = f"no {server} for the tests: {error}"
    if IN_CI:
        pytest.fail(words)
    pytest.skip(words)
