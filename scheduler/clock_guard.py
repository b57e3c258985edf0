"""Notices that this host's clock was set: APScheduler's jobs are timed by it, and would wait out a step back."""

import threading
import time
from collections.abc import Callable

import structlog

from carillon import clock

log = structlog.get_logger()

_EVERY_SECONDS = 2.0
_STEP_SECONDS = 1.0


class ClockGuard:
    """Calls `stepped` in a thread of its own, from `start` to `stop`; also after a suspension."""

    def __init__(self, stepped: Callable[[], None]) -> None:
        self._stepped = stepped
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="clock guard", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _watch(self) -> None:
        before = _offset()
        while not self._stopping.wait(_EVERY_SECONDS):
            after = _offset()
            if abs(after - before) > _STEP_SECONDS:
                log.warning("the clock of this host was set, or the host slept", seconds=round(after - before, 1))
                self._stepped()
            before = after


def _offset() -> float:
    return clock.now().timestamp() - time.monotonic()
