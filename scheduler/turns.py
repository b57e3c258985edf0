"""The turns of the beats: each survives a database that is away, and shows whether it comes back."""

import os
import signal
import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError

from carillon.ledger.connect import WrongSchemaError, first_line
from carillon.monitoring import metrics

log = structlog.get_logger()

_HUNG_SECONDS = 120.0
_LONG = {"look": 1800.0}
"""An edit of a hundred thousand campaigns comes into force in one transaction."""

_SILENT_SECONDS = 30.0


class Turns:
    """For one process. Times are on a clock that stands still while the machine is suspended."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], float] = {}
        self._last = time.monotonic()
        self._away: set[str] = set()

    def of(self, name: str, run: Callable[[], None], *, is_beat: bool = True) -> Callable[[], None]:
        """`run` as a beat of that name: what goes wrong is told, and its next turn tries again.

        What is not a beat goes round without the scheduler, and proves nothing about it.
        """

        def turn() -> None:
            begun = time.monotonic()
            if is_beat:
                self._last = begun
            self.go_on(name)
            try:
                run()
                self._back(name)
            except DBAPIError as error:
                self._gone(name, error)
            except WrongSchemaError as error:
                log.error(str(error))
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                log.exception("a beat failed", beat=name)
            finally:
                self._running.pop((name, threading.get_ident()), None)
                if is_beat:
                    metrics.beat(name, time.monotonic() - begun)

        return turn

    def go_on(self, name: str) -> None:
        """Said by a beat that takes long, so that it does not seem to hang."""
        self._running[name, threading.get_ident()] = time.monotonic()

    def hung(self) -> list[str]:
        """The beats that have not come round for long, and whether any begins at all."""
        now = time.monotonic()
        stuck = {name for (name, _), at in list(self._running.items()) if now - at > _LONG.get(name, _HUNG_SECONDS)}
        silent = ["no beat has begun for half a minute"] if now - self._last > _SILENT_SECONDS else []
        return [*(f"the beat {name} hangs" for name in sorted(stuck)), *silent]

    def _gone(self, name: str, error: DBAPIError) -> None:
        metrics.database_error(name)
        if name not in self._away:
            self._away.add(name)
            log.error("the ledger cannot be used now", beat=name, error=first_line(error))

    def _back(self, name: str) -> None:
        if name in self._away:
            self._away.discard(name)
            log.info("the ledger can be used again", beat=name)
