"""PostgreSQL restarts, crashes, fails over and hangs under load: late perhaps, but nothing lost and nothing twice."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlalchemy.engine import make_url

import servers
from chaos.arrivals import Arrivals
from chaos.fleets import counted, declared, ended, keys, soon
from chaos.toxic import Proxy, to_postgresql
from daemons import Fleet, Server
from running import until
from standins import StandIn

pytestmark = pytest.mark.chaos

CREATORS, EACH = 10, 8
WORKER = ("worker", "--processes", "2", "--threads", "2")


@contextmanager
def postgresql_that_stops(how: str) -> Iterator[tuple[str, Server]]:
    """INT is a fast shutdown, which ends all sessions; QUIT an immediate one, as a crash."""
    with servers.folder_for("pg") as folder:
        command, user, url = servers.postgresql_in(folder)
        server = Server(folder, command, user, how)
        server.start()
        try:
            servers.wait_for_postgresql(url)
            yield url, server
        finally:
            server.stop()


@contextmanager
def under_load(folder: Path, database_url: str, redis_url: str) -> Iterator[tuple[Fleet, Arrivals]]:
    """Eighty broadcasts in some fifteen seconds; at the end all are sent, once each, and the daemons stop well."""
    dawdle = Random(3)
    judge = Arrivals(lambda: dawdle.uniform(0, 0.4))
    with (
        StandIn(judge) as standin,
        Fleet(folder, {"frontrow": standin.url}, database_url, redis_url, **keys(CREATORS)) as fleet,
    ):
        fleet.declare(declared(CREATORS, [soon(10 + 2 * turn) for turn in range(EACH)]))
        fleet.run("migrate")
        fleet.start("scheduler")
        fleet.start(*WORKER)
        until(lambda: len(judge.accepted) >= 12, 60)
        yield fleet, judge
        found = ended(fleet, CREATORS * EACH, 120)
        assert [daemon.stop() for daemon in fleet.daemons] == [0] * len(fleet.daemons)
    assert judge.doubles == {}
    told = counted(found)
    assert told.keys() <= {"sent", "held"}
    taken = set(judge.texts)
    assert {row["id"] for row in found if row["state"] == "sent"} <= {row["id"] for row in found if _text(row) in taken}
    in_doubt = [row for row in found if row["state"] == "held"]
    assert all(row["reason"].startswith("unknown_outcome") for row in in_doubt)
    assert len(in_doubt) <= 8, told
    assert taken == {_text(row) for row in found if row["state"] == "sent"} | (taken & {_text(r) for r in in_doubt})
    assert "Traceback" not in fleet.logs


def _text(row: dict[str, str]) -> str:
    return f"{row['creator']}-t{row['campaign'].rpartition('-')[2]}"


@pytest.mark.parametrize("how", ["INT", "QUIT"])
def test_restarts(tmp_path: Path, redis_url: str, how: str) -> None:
    """F30 to F32, F35: three restarts, the second of them while Carillon is still coming back."""
    with postgresql_that_stops(how) as (url, server), under_load(tmp_path, url, redis_url) as (_, judge):
        for more, pause in ((0, 0.0), (4, 1.0), (20, 3.0)):
            begun = len(judge.accepted)
            until(lambda: len(judge.accepted) >= begun + more, 60)  # noqa: B023
            server.stop()
            time.sleep(pause)
            server.start()
            servers.wait_for_postgresql(url)


def end_all_sessions(url: str, proxy: Proxy) -> None:
    """As a failover or a pooler's restart does; three times."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    for _ in range(3):
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(1)


def cut_often(url: str, proxy: Proxy) -> None:
    for _ in range(20):
        proxy.cut()
        time.sleep(0.3)


def lose_answers(url: str, proxy: Proxy) -> None:
    """Now and then of a COMMIT or a function's call, now and then of whatever is asked."""
    for word in (b"COMMIT", b"claim", b"record", b"", b"COMMIT", b"UPDATE") * 3:
        proxy.trap("lose the answer", word=word)
        time.sleep(0.3)


def crawl(url: str, proxy: Proxy) -> None:
    proxy.latency = 0.05
    time.sleep(8)


def half_open(url: str, proxy: Proxy) -> None:
    """For twelve seconds nothing answers, nothing fails; then a firewall forgets the connections, and says so."""
    proxy.swallow("up", "down")
    time.sleep(12)
    proxy.heal()
    proxy.cut()


def gone(url: str, proxy: Proxy) -> None:
    proxy.go_away()
    time.sleep(12)
    proxy.listen()


@pytest.mark.parametrize(
    "harm",
    [end_all_sessions, cut_often, lose_answers, crawl, half_open, gone],
    ids=lambda harm: harm.__name__,
)
def test_toxic_connections(
    tmp_path: Path, postgresql_url: str, redis_url: str, harm: Callable[[str, Proxy], None]
) -> None:
    """F30 to F32, between all daemons and their PostgreSQL."""
    proxy, through = to_postgresql(postgresql_url)
    with proxy, under_load(tmp_path, through, redis_url):
        harm(postgresql_url, proxy)
        proxy.heal()
