"""The worker's threads, Dramatiq's own: a set for each platform, so that one that hangs takes none of the others'.

All of them sleep until there is something to do: an order is announced by the doorbell, work by the tray.
"""

import threading
from collections.abc import Mapping
from queue import Empty, PriorityQueue
from typing import Any

import dramatiq
from dramatiq.worker import Worker

from carillon.handoff.broker import Queue
from carillon.handoff.doorbell import ORDERS, Listener
from worker import jobs
from worker.means import Means

_ASK_MS = 5000
"""How long a consumer sleeps at most while rings can be heard: a ring that was lost costs no more."""

_STOP_MS = 26_000
"""A little less than the 30 s after which a process that was told to stop must be gone."""


class Pool:
    """Carries out orders from `start` to `stop`, with so many threads for each platform."""

    def __init__(self, broker: Queue, means: Means, threads: Mapping[str, int]) -> None:
        jobs.declare(broker, means)
        self._means, self._bells = means, broker.bells
        self._workers = [_Threads(broker, platform, count) for platform, count in threads.items()]
        self._doorbell = Listener(broker, ORDERS, lambda queues: self._bells.ring(queues.split()), self._bells.hear)

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        self._doorbell.start()

    def stop_claiming(self) -> None:
        """What is queued stays so; what is claimed goes on."""
        self._means.stopping.set()

    def stop(self) -> None:
        """Finish and record what is on its way."""
        self.stop_claiming()
        self._doorbell.stop()
        self._bells.close()
        stops = [threading.Thread(target=worker.stop, kwargs={"timeout": _STOP_MS}) for worker in self._workers]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()


class _Threads(Worker):
    """Those of one platform."""

    def __init__(self, broker: dramatiq.Broker, platform: str, count: int) -> None:
        super().__init__(broker, queues={platform}, worker_timeout=_ASK_MS, worker_threads=count)
        self.work_queue = self._tray = _Tray()

    def stop(self, timeout: int = _STOP_MS) -> None:
        self._tray.close()
        super().stop(timeout)


class _Tray(PriorityQueue[Any]):
    """What was fetched. Whoever waits for it is woken by it, or by the end, and by no clock."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Empty, as after a time-out, only once it is closed; what is left then is got without blocking."""
        if not block:
            return super().get(block=False)
        with self.not_empty:
            while not self._qsize() and not self._closed:
                self.not_empty.wait()
            if self._closed:
                raise Empty
            return self._get()

    def close(self) -> None:
        with self.not_empty:
            self._closed = True
            self.not_empty.notify_all()
