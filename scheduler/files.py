"""Tells the operator of a scheduler whose campaign files are wrong, or are not what is in force."""

import socket
from pathlib import Path

import structlog
from sqlalchemy import select

from carillon import clock
from carillon.ledger import alarms, beats
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms as alarm_rows

log = structlog.get_logger()

_KIND = "files:"

SOON_SECONDS = 3.0
"""Of two that are given the same files, one sees an edit a moment later."""

PATIENCE_SECONDS = 30.0
"""While an edit is on its way to all hosts, their files differ: that alone is no alarm."""


class Files:
    """The files that this process was given, as it last read them."""

    def __init__(self, ledger: Ledger, path: Path, who: str) -> None:
        self._ledger, self._path = ledger, path
        self._cause = f"{_KIND}{who}"
        self._digest: str | None = None
        self._differ_since: float | None = None
        self._said = self._raised = False

    def read(self, digest: str | None) -> None:
        """`digest` is None if they are wrong."""
        self._digest, self._differ_since, self._said = digest, None, False

    def compare(self, in_force: str, generation: int) -> None:
        """Say so soon in the log, and by an alarm if it lasts; clear the alarm when they agree again."""
        if self._digest == in_force:
            self._agree()
            return
        self._differ_since = self._differ_since or clock.ticks()
        lasted = clock.ticks() - self._differ_since
        if lasted > SOON_SECONDS and not self._said:
            self._said = True
            log.warning(self._words(), path=str(self._path), generation=generation)
        if lasted > PATIENCE_SECONDS and not self._raised:
            self._raise()

    def _agree(self) -> None:
        self._differ_since, self._said = None, False
        if self._raised:
            with self._ledger.write() as connection:
                alarms.clear(connection, self._cause, self._ledger.now(connection))
            self._raised = False

    def _raise(self) -> None:
        self._raised = True
        message = f"{self._words()}: {self._path.absolute()} on {socket.gethostname()}"
        with self._ledger.write() as connection:
            alarms.sound(connection, self._cause, message, self._ledger.now(connection))

    def _words(self) -> str:
        if self._digest is None:
            return "the campaign files are wrong, and what was good before stays in force; run `carillon check`"
        return "the campaign files here are not what is in force; following the ledger: bring them up to date"


def forget_gone(ledger: Ledger) -> None:
    """Nobody else can clear the alarm of a process that is gone."""
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        mine = {f"{_KIND}{row.process}" for row in beats.alive(connection, now)}
        of_files = (alarm_rows.c.cleared_at.is_(None), alarm_rows.c.cause.startswith(_KIND))
        gone = set(connection.scalars(select(alarm_rows.c.cause).where(*of_files))) - mine
    if gone:
        with ledger.write() as connection:
            alarms.clear_all(connection, gone, now)
