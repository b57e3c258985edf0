"""The Dramatiq broker between scheduler and worker: in this process, or on Redis or Valkey.

No middleware: nothing is retried, delayed or cut by the queue. What it loses, the scheduler's sweep hands off again.
"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from carillon.handoff.orders import QUEUES


def make(redis_url: str | None, installation: str) -> dramatiq.Broker:
    """The in-process broker without a URL. Nothing is connected before the first order.

    Orders are ids of one ledger: another `installation` on the same Redis has queues of its own.
    """
    broker: dramatiq.Broker
    if redis_url is None:
        broker = StubBroker(middleware=[])
    else:
        namespace = f"carillon:{installation}"
        broker = RedisBroker(url=redis_url, middleware=[], namespace=namespace)  # type: ignore[no-untyped-call]
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker
