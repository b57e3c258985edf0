"""The worker's threads, Dramatiq's own: a set for each platform, so that one that hangs takes none of the others'."""

import threading
from collections.abc import Mapping

import dramatiq
from dramatiq.worker import Worker

from worker import jobs
from worker.means import Means

POLL_MS = 200
"""How long an idle consumer of a Redis queue may sleep; Dramatiq's own second would make broadcasts late."""

_STOP_MS = 26_000
"""A little less than the 30 s after which a process that was told to stop must be gone."""


class Pool:
    """Carries out orders from `start` to `stop`, with so many threads for each platform."""

    def __init__(self, broker: dramatiq.Broker, means: Means, threads: Mapping[str, int]) -> None:
        jobs.declare(broker, means)
        self._means = means
        self._workers = [
            Worker(broker, queues={platform}, worker_timeout=POLL_MS, worker_threads=count)
            for platform, count in threads.items()
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
