"""The worker's threads, Dramatiq's own: a set for each platform, so that one that hangs takes none of the others'."""

import threading

import dramatiq
from dramatiq.worker import Worker

from carillon.handoff.orders import QUEUES
from worker import jobs
from worker.means import Means

THREADS = 8
"""For each platform, unless told otherwise."""

POLL_MS = 200
"""How long an idle consumer of a Redis queue may sleep; Dramatiq's own second would make broadcasts late."""

_STOP_MS = 30_000


class Pool:
    """Carries out orders from `start` to `stop`."""

    def __init__(self, broker: dramatiq.Broker, means: Means, threads: int = THREADS) -> None:
        jobs.declare(broker, means)
        self._means = means
        self._workers = [
            Worker(broker, queues={queue}, worker_timeout=POLL_MS, worker_threads=threads) for queue in QUEUES
        ]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop_claiming(self) -> None:
        """What is queued stays so; what is claimed goes on."""
        self._means.stopping.set()

    def stop(self) -> None:
        """Finish and record what is on its way."""
        self.stop_claiming()
        stops = [threading.Thread(target=worker.stop, kwargs={"timeout": _STOP_MS}) for worker in self._workers]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
