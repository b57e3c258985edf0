"""Takes the hints of what was stored, in a thread of its own: at once, and at the start what was left before."""

import threading
from collections.abc import Callable

import structlog

from carillon.ledger.connect import Ledger, first_line
from worker.hints import AWAY, take_all

log = structlog.get_logger()

_EVERY_SECONDS = 30.0
"""Another process may have died after it stored one."""

_AGAIN_SECONDS = 2.0
_PATIENCE_SECONDS = 10.0


class Following:
    """`nudge` tells the scheduler that something may go, or be asked, now."""

    def __init__(self, ledger: Ledger, who: str, nudge: Callable[[], None]) -> None:
        self._ledger, self._who, self._nudge = ledger, who, nudge
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """A webhook was stored."""
        self._bell.set()

    def stop(self) -> None:
        """What it has not taken yet is taken at the next start."""
        self._stopping.set()
        self._bell.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._bell.clear()
            self._bell.wait(self._take())

    def _take(self) -> float:
        """Returns for how many seconds there is nothing to do."""
        try:
            if take_all(self._ledger, self._who):
                self._nudge()
        except AWAY as error:
            log.error("webhooks cannot be taken now", error=first_line(error))
            return _AGAIN_SECONDS
        except Exception:
            log.exception("webhooks could not be taken")
        return _EVERY_SECONDS
