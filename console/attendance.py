"""A daemon that neither plans nor sends says in the ledger that it is alive: `migrate --after` waits for it."""

import os
import signal
import threading
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon.ledger import beats
from carillon.ledger.connect import Ledger, WrongSchemaError, first_line

log = structlog.get_logger()

_EVERY_SECONDS = 10.0


class Attendance:
    """Beats in a thread of its own, from `start` to `stop`; ends the process when the database has left it behind."""

    def __init__(self, ledger: Ledger, role: str, who: str) -> None:
        self._ledger, self._role, self._who = ledger, role, who
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="attendance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(_EVERY_SECONDS)
        with suppress(SQLAlchemyError):
            beats.leave(self._ledger, self._who)

    def _beat_on(self) -> None:
        while True:
            try:
                beats.beat(self._ledger, self._role, self._who)
            except WrongSchemaError as error:
                log.error(str(error))
                os.kill(os.getpid(), signal.SIGTERM)
            except SQLAlchemyError as error:
                log.error("the ledger cannot be used now", beat="attendance", error=first_line(error))
            if self._stopping.wait(_EVERY_SECONDS):
                return
