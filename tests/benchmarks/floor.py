"""The floor: bare Dramatiq and httpx, which post the same JSON and keep no books at all.

`python -m benchmarks.floor URL THREADS PROCESSES REDIS`, or `… THREADS 1 COUNT` for a queue inside the process.
"""

import os
import signal
import sys
from typing import Any

import dramatiq
import httpx
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.worker import Worker

QUEUE = "floor"
_BATCH = 500


def body(number: int) -> dict[str, Any]:
    """What Carillon sends to FrontRow for the broadcast of that number."""
    return {"text": text(number), "includeLists": [{"type": "smart", "id": "subscribers"}]}


def text(number: int) -> str:
    return f"New drop tonight, number {number}: something that is worth a look, and not for long"


def key(number: int) -> str:
    return f"key-of-account-{number}-0123456789abcdef"


def message(number: int) -> "dramatiq.Message[None]":
    return dramatiq.Message(queue_name=QUEUE, actor_name="post", args=(number,), kwargs={}, options={})


def fill(redis_url: str, count: int) -> None:
    """Put so many orders on the queue."""
    broker = RedisBroker(url=redis_url, middleware=[], namespace=QUEUE)  # type: ignore[no-untyped-call]
    broker.enqueue(message(0))
    for start in range(1, count, _BATCH):
        with broker.client.pipeline(transaction=False) as pipe:
            piped = RedisBroker(client=pipe, middleware=[], namespace=QUEUE)  # type: ignore[no-untyped-call]
            for number in range(start, min(start + _BATCH, count)):
                piped.enqueue(message(number))
            pipe.execute()
    broker.client.close()


def work(url: str, threads: int, broker: dramatiq.Broker) -> Worker:
    limits = httpx.Limits(max_connections=threads, max_keepalive_connections=threads)
    client = httpx.Client(limits=limits, timeout=20, trust_env=False)

    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def post(number: int) -> None:
        headers = {"Authorization": f"Bearer {key(number)}"}
        client.post(f"{url}/api/v1/chats/mass-messages", json=body(number), headers=headers).raise_for_status()

    worker = Worker(broker, worker_threads=threads)
    worker.start()
    return worker


def main(url: str, threads: int, processes: int, queue: str) -> None:
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    if queue.isdigit():
        broker: dramatiq.Broker = StubBroker(middleware=[])
        broker.declare_queue(QUEUE)
        for number in range(int(queue)):
            broker.enqueue(message(number))
    else:
        broker = RedisBroker(url=queue, middleware=[], namespace=QUEUE)  # type: ignore[no-untyped-call]
    work(url, threads, broker)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
