"""The Dramatiq broker between scheduler and worker: in this process, or on Redis or Valkey.

No middleware: nothing is retried, delayed or cut by the queue. What it loses, the scheduler's sweep hands off again.
"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from carillon.handoff.orders import QUEUES


def make(redis_url: str | None) -> dramatiq.Broker:
    """The in-process broker without a URL. Nothing is connected before the first order."""
    broker: dramatiq.Broker
    if redis_url is None:
        broker = StubBroker(middleware=[])
    else:
        broker = RedisBroker(url=redis_url, middleware=[], namespace="carillon")  # type: ignore[no-untyped-call]
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker
