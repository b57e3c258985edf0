"""A few threads for what takes long, so that those which carry out orders are there to send."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger.connect import first_line

log = structlog.get_logger()

_MOST_WAITING = 100


class Crew:
    """Of one process. What it is given must end soon once it is told to stop; a kill harms nothing."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._waiting: dict[int, Callable[[], None]] = {}
        self._busy: set[int] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def give(self, subject: int, run: Callable[[], None]) -> bool:
        """Have it run, at once or when a hand is free. False if it is given already, or far too much is."""
        with self._lock:
            if subject in self._busy or subject in self._waiting or len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting[subject] = run
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()
        return True

    def _work(self) -> None:
        """Until nothing waits; the first given goes first."""
        while True:
            with self._lock:
                subject = next(iter(self._waiting), None)
                if subject is None:
                    self._threads.discard(threading.current_thread())
                    return
                run = self._waiting.pop(subject)
                self._busy.add(subject)
            self._carry_out(subject, run)
            with self._lock:
                self._busy.discard(subject)

    def _carry_out(self, subject: int, run: Callable[[], None]) -> None:
        """What fails is ordered again."""
        try:
            run()
        except SQLAlchemyError as error:
            log.error("no ledger now; it goes on later", work=self._name, subject=subject, error=first_line(error))
        except Exception:
            log.exception("it failed in an unforeseen way, and is tried again", work=self._name, subject=subject)

    def wait(self, seconds: float) -> None:
        """Until all are idle, but no longer."""
        give_up = clock.ticks() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, give_up - clock.ticks()))
