"""The turns of the beats: what hangs, what goes on, and what a step of the host's clock does to them."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from carillon import clock
from running import until
from scheduler import clock_guard, turns
from scheduler.clock_guard import ClockGuard
from scheduler.turns import Turns


class Now:
    """A monotonic clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    made = Now()
    monkeypatch.setattr(turns, "time", made)
    return made


def test_a_beat_that_does_not_come_back_hangs_but_not_one_that_goes_on(now: Now) -> None:
    of_it, seen = Turns(), []

    def long() -> None:
        for _ in range(3):
            now.seconds += 100
            of_it.go_on("plan")
            seen.append([words for words in of_it.hung() if "plan" in words])
        now.seconds += 130
        seen.append([words for words in of_it.hung() if "plan" in words])

    of_it.of("plan", long)()
    assert seen == [[], [], [], ["the beat plan hangs"]]
    assert [words for words in of_it.hung() if "plan" in words] == []


def test_two_that_run_at_once_are_told_apart(now: Now) -> None:
    of_it = Turns()
    begun, released = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        released.wait(10)

    thread = threading.Thread(target=of_it.of("release", stuck))
    thread.start()
    begun.wait(10)
    of_it.of("release", lambda: None)()
    now.seconds += 130
    assert "the beat release hangs" in of_it.hung()
    released.set()
    thread.join()


def test_no_beat_at_all_is_told(now: Now) -> None:
    of_it = Turns()
    of_it.of("release", lambda: None)()
    now.seconds += 29
    assert of_it.hung() == []
    now.seconds += 2
    assert of_it.hung() == ["no beat has begun for half a minute"]


def test_what_goes_round_without_the_scheduler_does_not_speak_for_it(now: Now) -> None:
    of_it = Turns()
    now.seconds += 31
    of_it.of("glance", lambda: None, is_beat=False)()
    assert of_it.hung() == ["no beat has begun for half a minute"]


def test_a_database_that_is_away_is_told_once_and_when_it_is_back() -> None:
    faults: list[Exception] = [OperationalError("SELECT", {}, Exception("gone\nDETAIL: a row"))] * 3
    of_it = Turns()

    def run() -> None:
        if faults:
            raise faults.pop()

    with capture_logs() as log:
        for _ in range(5):
            of_it.of("watch", run)()
    assert [line["log_level"] for line in log] == ["error", "info"]
    assert log[0]["error"] == "gone"


@pytest.mark.parametrize("step", [timedelta(minutes=-10), timedelta(minutes=10)], ids=["back", "forward"])
def test_a_clock_that_is_set_is_noticed(monkeypatch: pytest.MonkeyPatch, step: timedelta) -> None:
    monkeypatch.setattr(clock_guard, "_EVERY_SECONDS", 0.02)
    steps: list[datetime] = []
    guard = ClockGuard(lambda: steps.append(clock.now()))
    guard.start()
    real: Callable[[], datetime] = clock.now
    with capture_logs():
        monkeypatch.setattr(clock, "now", lambda: real() + step)
        until(lambda: len(steps) == 1)
    guard.stop()
