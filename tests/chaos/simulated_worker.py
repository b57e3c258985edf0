"""One worker process: the product's actors, with means of its own."""

import threading
from collections.abc import Callable
from typing import Any, cast

from dramatiq.brokers.stub import StubBroker

from carillon.handoff.orders import QUEUES
from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from chaos.simulated_platform import Platforms
from chaos.simulated_time import Process, Timeline
from worker import jobs
from worker.means import Means

TIMEOUT = 20.0


class _Stopping(threading.Event):
    """Waits on the timeline."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline

    def wait(self, timeout: float | None = None) -> bool:
        self._timeline.sleep(timeout or 0.0)
        return self.is_set()


class Worker:
    def __init__(self, process: Process, ledger: Ledger, platforms: Platforms, nudge: Callable[[], None]) -> None:
        self.process = process
        self.busy = 0
        self.means = Means(
            ledger,
            cast("Client", platforms),
            f"worker {process.pid}",
            TIMEOUT,
            nudge=nudge,
            stopping=_Stopping(platforms.timeline),
        )
        self._broker = StubBroker(middleware=[])
        for queue in QUEUES:
            self._broker.declare_queue(queue)
        jobs.declare(self._broker, self.means)

    def carry_out(self, message: Any) -> None:
        """In a strand of its own. Raises Killed."""
        self._broker.get_actor(message.actor_name)(*message.args)
