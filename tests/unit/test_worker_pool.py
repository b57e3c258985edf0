"""The worker's threads sleep until there is something to do, and then take it up at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from carillon.handoff import broker as brokers
from carillon.handoff import doorbell, waiting
from carillon.handoff.broker import Queue
from carillon.handoff.orders import DELIVER, hand_off
from running import until
from worker import jobs, pool
from worker.means import Means
from worker.pool import Pool

LONG_MS = 60_000
"""Nobody who is woken only by the clock would be in time for a test."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ASK_MS", LONG_MS)


@pytest.fixture(params=["in this process", "on Redis"])
def broker(request: pytest.FixtureRequest) -> Queue:
    return brokers.make(None if request.param == "in this process" else request.getfixturevalue("redis_url"), "test")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Which orders were carried out, and when."""
    found: dict[int, float] = {}
    carry_out(monkeypatch, lambda subject: found.setdefault(subject, time.monotonic()))
    return found


def carry_out(monkeypatch: pytest.MonkeyPatch, job: Callable[[int], object]) -> None:
    def deliver(_means: Means, subject: int) -> None:
        job(subject)

    monkeypatch.setattr(jobs, "deliver", deliver)


@contextmanager
def running(broker: Queue, threads: int = 2, *, hearing: bool = True) -> Iterator[Pool]:
    means = cast("Means", SimpleNamespace(stopping=threading.Event()))
    made = Pool(broker, means, {"frontrow": threads})
    made.start()
    try:
        until(lambda: cast("Any", broker.bells)._hears is hearing)
        yield made
    finally:
        made.stop()


def order(broker: Queue, *subjects: int) -> None:
    assert hand_off(broker, DELIVER, [(subject, "frontrow") for subject in subjects]) == list(subjects)


def test_an_order_is_taken_up_at_once(broker: Queue, done: dict[int, float]) -> None:
    with running(broker):
        for subject in range(5):
            time.sleep(0.1)
            order(broker, subject)
            until(lambda: subject in done, 5)  # noqa: B023


def test_who_had_its_fill_goes_on_when_a_part_is_done(broker: Queue, done: dict[int, float]) -> None:
    with running(broker, threads=1):
        order(broker, *range(200))
        until(lambda: len(done) == 200, 30)


def test_it_looks_for_no_delayed_orders(broker: Queue) -> None:
    with running(broker) as made:
        assert [set(worker.consumers) for worker in made._workers] == [{"frontrow"}]


def test_idle_threads_end_at_once(broker: Queue) -> None:
    with running(broker, threads=8):
        begun = time.monotonic()
    assert time.monotonic() - begun < 3


def test_what_was_fetched_and_not_begun_is_given_back(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = [], threading.Event()

    def slow(subject: int) -> None:
        begun.append(subject)
        released.wait(20)

    carry_out(monkeypatch, slow)
    first, second = brokers.make(redis_url, "test"), brokers.make(redis_url, "test")
    with running(first, threads=1) as made:
        order(first, 1, 2)
        until(lambda: begun == [1])
        stop = threading.Thread(target=made.stop)
        stop.start()
        until(lambda: all(worker._tray._closed for worker in made._workers))
        released.set()
        stop.join(20)
    assert begun == [1]
    with running(second, threads=1):
        until(lambda: begun == [1, 2])


def test_a_lost_ring_costs_no_more_than_a_look(
    redis_url: str, done: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_ASK_MS", 1000)
    broker = brokers.make(redis_url, "test")
    with running(broker), monkeypatch.context() as mute:
        mute.setattr("carillon.handoff.orders.ring", lambda *_: None)
        order(broker, 1)
        until(lambda: 1 in done, 10)


def test_who_cannot_hear_asks_often(redis_url: str, done: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell.Listener, "start", lambda _: None)
    broker = brokers.make(redis_url, "test")
    with running(broker, hearing=False):
        order(broker, 1)
        until(lambda: 1 in done, 10)


def test_who_hears_again_asks_at_once(redis_url: str, done: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was ordered while the line was broken did not ring; nobody asks often here."""
    monkeypatch.setattr(waiting, "_OFTEN_SECONDS", LONG_MS / 1000)
    monkeypatch.setattr(doorbell, "_AGAIN_SECONDS", 1.0)
    broker = brokers.make(redis_url, "test")
    with running(broker), redis.Redis.from_url(redis_url) as client:
        client.client_kill_filter(_type="pubsub")
        until(lambda: not cast("Any", broker.bells)._hears)
        time.sleep(0.3)  # those who were told have looked
        order(broker, 1)
        until(lambda: 1 in done, 10)
