"""The Dramatiq broker between scheduler and worker: in this process, or on Redis or Valkey.

No middleware: nothing is retried, delayed or cut by the queue, so nobody need look at its queues for what is delayed.
What it loses, the scheduler's sweep hands off again.
"""

from typing import Any

import dramatiq
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from carillon.handoff.orders import QUEUES
from carillon.handoff.waiting import Bells, Patient


class _Waking(dramatiq.Broker):
    """Its consumers sleep until `bells` wakes them."""

    bells: Bells

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        return Patient(super().consume(queue_name, prefetch, 0), self.bells, queue_name, prefetch, timeout)

    def get_declared_queues(self) -> set[str]:
        return super().get_declared_queues() - self.delay_queues

    def get_declared_delay_queues(self) -> set[str]:
        return set()


class QueueOnRedis(_Waking, RedisBroker):
    """Whoever consumes must have rings told to its `bells`; until then they ask often."""

    def __init__(self, url: str, namespace: str) -> None:
        super().__init__(url=url, middleware=[], namespace=namespace)  # type: ignore[no-untyped-call]
        self.bells = Bells(hears=False)


class QueueInProcess(_Waking, StubBroker):
    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.bells = Bells(hears=True)

    def enqueue(self, message: "dramatiq.Message[Any]", *, delay: int | None = None) -> "dramatiq.Message[Any]":
        enqueued = super().enqueue(message, delay=delay)
        self.bells.ring([message.queue_name])
        return enqueued


Queue = QueueInProcess | QueueOnRedis


def make(redis_url: str | None, installation: str) -> Queue:
    """The in-process broker without a URL. Nothing is connected before the first order.

    Orders are ids of one ledger: another `installation` on the same Redis has queues of its own.
    """
    broker: Queue = QueueInProcess() if redis_url is None else QueueOnRedis(redis_url, f"carillon:{installation}")
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker
