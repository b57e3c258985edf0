"""The dashboard's threads: webhooks are taken at the start and at each ring, and an outage ends neither."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import beats
from carillon.ledger.tables_house import installations
from console.attendance import Attendance
from console.receiver import following
from console.receiver.following import Following
from running import until


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What each look is to come to: webhooks that were taken, or an error; and nothing in the end."""
    to_come: list[object] = []

    def look(_ledger: Ledger, _who: str) -> int:
        outcome = to_come.pop(0) if to_come else 0
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, int)
        return outcome

    monkeypatch.setattr(following, "take_all", look)
    monkeypatch.setattr(following, "_AGAIN_SECONDS", 0.01)
    yield to_come
    assert to_come == []


def test_what_is_there_is_taken_at_the_start_and_at_each_ring(ledger: Ledger, looks: list[object]) -> None:
    looks += [2]
    nudged = threading.Semaphore(0)
    one = Following(ledger, "dashboard test", nudged.release)
    one.start()
    assert nudged.acquire(timeout=10)
    looks += [0, 1]
    one.ring()
    until(lambda: looks == [1])
    assert not nudged.acquire(blocking=False), "nothing was taken"
    one.ring()
    assert nudged.acquire(timeout=10)
    one.stop()


def test_it_outlives_a_ledger_that_is_away_and_what_nobody_foresaw(ledger: Ledger, looks: list[object]) -> None:
    looks += [OperationalError("SELECT", {}, Exception("away")), OperationalError("SELECT", {}, Exception("away")), 1]
    nudged = threading.Semaphore(0)
    one = Following(ledger, "dashboard test", nudged.release)
    one.start()
    assert nudged.acquire(timeout=10)
    looks += [ValueError("odd"), 1]
    one.ring()
    until(lambda: looks == [1])
    one.ring()
    assert nudged.acquire(timeout=10)
    one.stop()


def test_a_dashboard_says_that_it_is_there_until_it_leaves(ledger: Ledger) -> None:
    def seen() -> list[tuple[str, bool]]:
        with ledger.read() as session:
            return [(row.role, row.left_at is not None) for row in session.execute(select(beats))]

    one = Attendance(ledger, "dashboard", "dashboard test")
    one.start()
    until(lambda: seen() == [("dashboard", False)])
    one.stop()
    assert seen() == [("dashboard", True)]


def test_one_that_the_database_has_left_behind_ends(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.write() as connection:
        connection.execute(update(installations).values(oldest_revision="9999"))
    told: list[int] = []
    monkeypatch.setattr("console.attendance.os.kill", lambda _pid, number: told.append(number))
    one = Attendance(ledger, "dashboard", "dashboard test")
    one.start()
    until(lambda: told)
    one.stop()
