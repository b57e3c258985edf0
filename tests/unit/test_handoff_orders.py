"""Orders reach a worker through either broker, each once, by id alone."""

import threading
from collections import Counter

import dramatiq
import pytest
from dramatiq.worker import Worker

from carillon.handoff import broker as brokers
from carillon.handoff.orders import DELIVER, QUEUES, hand_off


@pytest.mark.parametrize("kind", ["in this process", "on Redis"])
def test_every_order_is_carried_out_once(kind: str, request: pytest.FixtureRequest) -> None:
    broker = brokers.make(None if kind == "in this process" else request.getfixturevalue("redis_url"), "test")
    done: Counter[int] = Counter()
    wanted = 1_203
    all_done = threading.Event()
    lock = threading.Lock()

    def deliver(subject: int) -> None:
        with lock:
            done[subject] += 1
            if sum(done.values()) == wanted:
                all_done.set()

    as_actor = dramatiq.actor(actor_name=DELIVER, queue_name=QUEUES[0], broker=broker)
    as_actor(deliver)
    accepted = hand_off(broker, DELIVER, [(n, QUEUES[n % 4]) for n in range(wanted)])
    worker = Worker(broker, worker_threads=4)
    worker.start()
    assert all_done.wait(30), f"{sum(done.values())} of {wanted}"
    worker.stop()
    broker.close()
    assert accepted == list(range(wanted))
    assert set(done.values()) == {1}


def test_a_queue_that_is_away_accepts_nothing() -> None:
    broker = brokers.make("redis://127.0.0.1:1", "test")
    assert hand_off(broker, DELIVER, [(1, "frontrow"), (2, "fanvue")]) == []
    broker.close()
