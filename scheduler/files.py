"""Tells the operator of a scheduler whose campaign files are wrong, or are not what is in force."""

import socket
from pathlib import Path

import structlog

from carillon import clock
from carillon.ledger import alarms
from carillon.ledger.connect import Ledger

log = structlog.get_logger()

PATIENCE_SECONDS = 30.0
"""While an edit is on its way to all hosts, their files differ: that alone is no alarm."""


class Files:
    """The files that this process was given, as it last read them."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger, self._path = ledger, path
        self._cause = f"files:{socket.gethostname()}:{path.absolute()}"
        self._digest: str | None = None
        self._differ_since: float | None = None
        self._may_be_open = True

    def read(self, digest: str | None) -> None:
        """`digest` is None if they are wrong."""
        self._digest, self._differ_since = digest, None

    def compare(self, in_force: str, generation: int) -> None:
        """Say so at once in the log, and by an alarm if it lasts; clear the alarm when they agree again."""
        if self._digest == in_force:
            self._agree()
        elif self._differ_since is None:
            self._differ_since = clock.ticks()
            if self._digest is not None:
                log.warning(self._words(), path=str(self._path), generation=generation)
        elif clock.ticks() - self._differ_since > PATIENCE_SECONDS:
            self._raise()

    def _agree(self) -> None:
        self._differ_since = None
        if self._may_be_open:
            with self._ledger.write() as connection:
                alarms.clear(connection, self._cause, self._ledger.now(connection))
            self._may_be_open = False

    def _raise(self) -> None:
        self._differ_since = float("inf")  # told
        self._may_be_open = True
        message = f"{self._words()}: {self._path.absolute()} on {socket.gethostname()}"
        with self._ledger.write() as connection:
            alarms.sound(connection, self._cause, message, self._ledger.now(connection))

    def _words(self) -> str:
        if self._digest is None:
            return "the campaign files are wrong, and what was good before stays in force; run `carillon check`"
        return "the campaign files here are not what is in force; following the ledger: bring them up to date"
