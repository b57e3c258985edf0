"""Installations that a test may kill, one of each kind, and what is passed in them; they lie still between tests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

import servers
from chaos.estate import Estate
from chaos.house import Nursery
from chaos.judge import Judge
from chaos.points import Point, of_idling, of_sending
from daemons import own_valkey

ROLES = ("scheduler", "worker")


@dataclass(frozen=True)
class Known:
    """An installation, with what it passes when it idles and what it passes in one send."""

    kind: str
    estate: Estate
    idle: frozenset[str]
    points: Sequence[Point]

    def of(self, *stages: str) -> list[Point]:
        return [point for point in self.points if point.stage in stages]

    @property
    def claimed(self) -> Point:
        """The claim is committed and nothing else has been done."""
        return [point for point in self.of("claim") if not point.alone][-1]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="session")
def known_sqlite(nursery: Nursery) -> Iterator[Known]:
    """Embedded: built, and looked through, once for a test process."""
    with _embedded(nursery) as estate:
        yield _look_through("sqlite", estate)


@pytest.fixture(scope="session")
def known_postgresql(nursery: Nursery, postgresql: str, migrated_postgresql: str) -> Iterator[Known]:
    """At scale."""
    with _at_scale(nursery, postgresql, migrated_postgresql, ROLES) as estate:
        yield _look_through("postgresql", estate)


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Known]]:
    """The installation of that kind with its processes running, until the test is over."""
    used: list[Known] = []

    def open_it(kind: str) -> Known:
        used.append(request.getfixturevalue(f"known_{kind}"))
        used[-1].estate.open()
        return used[-1]

    yield open_it
    for one in used:
        one.estate.shut()


@pytest.fixture
def build(request: pytest.FixtureRequest, nursery: Nursery) -> Iterator[Callable[..., Estate]]:
    """An installation of the test's own: embedded, or at scale with the roles that it names."""
    with ExitStack() as stack:

        def one(*roles: str) -> Estate:
            if not roles:
                return stack.enter_context(_embedded(nursery))
            server, template = request.getfixturevalue("postgresql"), request.getfixturevalue("migrated_postgresql")
            return stack.enter_context(_at_scale(nursery, server, template, roles))

        yield one


def _look_through(kind: str, estate: Estate) -> Known:
    idle = of_idling(estate)
    points = of_sending(estate, idle)
    estate.shut()
    return Known(kind, estate, idle, points)


@contextmanager
def _embedded(nursery: Nursery) -> Iterator[Estate]:
    with (
        servers.folder_for("chaos") as folder,
        Judge() as judge,
        Estate(nursery, judge, folder, f"sqlite:///{folder}/home/carillon.db") as estate,
    ):
        yield estate


@contextmanager
def _at_scale(nursery: Nursery, server: str, template: str, roles: Sequence[str]) -> Iterator[Estate]:
    with (
        servers.folder_for("chaos") as folder,
        Judge() as judge,
        own_valkey() as (redis_url, _),
        servers.fresh_database(server, template) as database,
        Estate(nursery, judge, folder, database, redis_url, roles) as estate,
    ):
        yield estate
