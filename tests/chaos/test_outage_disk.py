"""A full disk: no claim that is not durable, no request without a claim, an error that says so, and no outcome lost."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chaos.arrivals import Arrivals, documented
from chaos.fleets import counted, declared, ended, keys, soon
from running import Carillon, until
from standins import Reply, Seen, StandIn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets the limits of another process")

FULL = 64 * 1024
"""Bytes that any file may have: the log still fits, the ledger and its WAL have long been larger."""


@pytest.fixture
def judge() -> Arrivals:
    return Arrivals()


@pytest.fixture
def carillon(tmp_path: Path, judge: Arrivals) -> Iterator[Carillon]:
    with StandIn(judge) as standin, Carillon(tmp_path, {"frontrow": standin.url}, **keys(6)) as carillon:
        yield carillon


def fill_disk(carillon: Carillon) -> None:
    _limit_files(carillon, FULL)


def free_disk(carillon: Carillon) -> None:
    _limit_files(carillon, resource.RLIM_INFINITY)


def _limit_files(carillon: Carillon, most: int) -> None:
    assert carillon.process
    process = psutil.Process(carillon.process.pid)
    _, hard = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (most, hard))


@pytest.mark.chaos
def test_a_disk_that_is_full_for_a_while(carillon: Carillon, judge: Arrivals) -> None:
    """F36 on SQLite: it fills while one request is under way. Its outcome is kept until it can be written; what falls
    due meanwhile sends nothing, and goes when there is room."""

    def full_from_now_on(seen: Seen, message_id: str) -> Reply:
        if message_id == "m1":
            fill_disk(carillon)
        return documented(seen, message_id)

    judge.answer = full_from_now_on
    carillon.declare(declared(6, [soon(3600)]))
    carillon.up()
    early, late = soon(5), soon(12)
    one = declared(1, [early]).partition("campaigns:\n")[2].replace("t0", "early")
    carillon.declare(declared(6, [late]) + one)
    until(lambda: judge.accepted, 30)
    until(lambda: "the verdict cannot be written yet" in carillon.log)
    until(lambda: soon(0) > late and carillon.log.count("[error") >= 3)
    assert judge.texts == ["c0-early"]
    assert carillon.process
    assert carillon.process.poll() is None
    free_disk(carillon)
    found = ended(carillon, 13)
    assert counted(found) == {"cancelled": 6, "sent": 7}
    assert judge.doubles == {}
    assert len(judge.accepted) == 7
    assert "Traceback" not in carillon.log
    assert carillon.stop() == 0
