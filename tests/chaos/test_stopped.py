"""SIGTERM with a request under way, a SIGKILL that follows it, and a worker whose parent is killed: F11, F12."""

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from carillon.ledger.states import State
from chaos.conftest import Known
from chaos.estate import Estate
from chaos.house import House
from chaos.judge import Conduct
from chaos.verdicts import check
from running import until

Opened = Callable[[str], Known]
Build = Callable[..., Estate]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_told_to_stop_it_finishes_what_is_under_way_and_claims_nothing_new(kind: str, opened: Opened) -> None:
    """F11: its answer comes after the signal, and is recorded by its owner."""
    estate, sender, taken, held = _a_post_is_held(opened(kind))
    case = estate.declare()
    estate.judge.wait_for_taken(taken)
    posts = estate.judge.posts
    os.kill(sender.pid, signal.SIGTERM)
    until(lambda: "stopping" in sender.log.splitlines()[-1])
    later = estate.declare() if kind == "postgresql" else None
    time.sleep(0.2)
    held.released.set()
    assert sender.wait() == 0
    row = check(estate, case, "SIGTERM")
    assert [attempt.verdict for attempt in estate.attempts(row)] == ["accepted"]
    if later:
        assert estate.judge.posts == posts, "something new was claimed"
        estate.rest(later)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_since_it_did_not_stop_in_time(kind: str, opened: Opened) -> None:
    """F11: the platform had taken it, and says so when it is asked."""
    estate, sender, taken, _ = _a_post_is_held(opened(kind))
    case = estate.declare()
    estate.judge.wait_for_taken(taken)
    posts = estate.judge.posts
    os.kill(sender.pid, signal.SIGTERM)
    sender.kill()
    row = estate.rest(case)
    check(estate, case, "SIGTERM, then SIGKILL")
    assert [attempt.finished_at for attempt in estate.attempts(row)] == [None]
    assert estate.judge.posts == posts


def _a_post_is_held(known: Known) -> tuple[Estate, House, int, Conduct]:
    """The installation, its process that sends, how many are taken once the next one is, and what holds its answer."""
    held = Conduct(then="hold")
    known.estate.judge.next_posts(held)
    return known.estate, known.estate.houses[-1], len(known.estate.judge.taken) + 1, held


def test_a_worker_whose_parent_is_killed_delivers_its_verdict(build: Build) -> None:
    """F12: its process lives, so nobody gives it up; its answer wins, and then it ends by itself."""
    estate = build("scheduler", "worker")
    worker = estate.houses[1]
    held = Conduct(then="hold")
    estate.judge.next_posts(held)
    (child,) = (process.pid for process in psutil.Process(worker.pid).children())
    case = estate.declare()
    estate.judge.wait_for_taken(1)
    worker.kill_alone()
    time.sleep(0.4)  # some rounds of the rescue
    assert estate.first(case).state == State.SENDING
    held.released.set()
    until(lambda: estate.first(case).state == State.SENT)
    until(lambda: not psutil.pid_exists(child), 30)
    row = check(estate, case, "the worker's parent")
    assert [attempt.verdict for attempt in estate.attempts(row)] == ["accepted"]
    assert estate.looks(case) == 0, "it was looked for although its owner lived"
