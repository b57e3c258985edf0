"""What is to happen at the platforms later: scheduled broadcasts, media that become ready, webhooks.

`lock` is the sandbox's only lock: whoever judges a call or shows what is kept holds it.
"""

import heapq
import time
from collections.abc import Callable
from itertools import count
from threading import Condition, RLock, Thread

_LONGEST_REST = 3_600  # seconds; a clock that is set meanwhile makes nothing later than that


class Clockwork:
    """Acts run in the order of their instants, in a thread of their own or before the next call is judged."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._changed = Condition(self.lock)
        self._numbers = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._running = False

    def at(self, instant: float, act: Callable[[], None]) -> None:
        with self.lock:
            heapq.heappush(self._due, (instant, next(self._numbers), act))
            self._changed.notify()

    def run(self, now: float | None = None) -> None:
        """Everything that is due by now."""
        with self.lock:
            while self._due and self._due[0][0] <= (time.time() if now is None else now):
                heapq.heappop(self._due)[2]()

    def start(self) -> None:
        self._running = True
        Thread(target=self._keep_running, name="clockwork", daemon=True).start()

    def stop(self) -> None:
        with self.lock:
            self._running = False
            self._changed.notify()

    def _keep_running(self) -> None:
        with self.lock:
            while self._running:
                self.run()
                rest = self._due[0][0] - time.time() if self._due else _LONGEST_REST
                self._changed.wait(min(max(0.001, rest), _LONGEST_REST))
