"""An alarm when a clock goes forward at once: what was counted by it, slots and cool-downs, may have ended too early.

Told from ticks, which never step and count suspension: a machine that slept, or a scheduler that stood still, is no
step. A step back frees nothing, since the ledger keeps instants and not what is left of them.
"""

import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from carillon import clock
from carillon.ledger import alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms as alarm_rows
from scheduler.signs import Signs

KIND = "clock_step:"
_DATABASE = "database"
_STEP_SECONDS = 5.0
_SHOWN = timedelta(hours=1)
_SAME = timedelta(minutes=1)
"""Several schedulers see the same step, each a moment later."""

Look = tuple[datetime, float]
"""What a clock showed, and the ticks just before."""


class ClockSteps:
    """The clocks that one scheduler can see: its host's, and the ledger's where that is another one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._host = f"host {socket.gethostname()}"
        self._looks: dict[str, Look] = {}

    def look(self, signs: Signs) -> None:
        """Raises DBAPIError if the alarm cannot be raised; then the next look finds the same step."""
        begun = clock.ticks()
        self._look_at(self._host, clock.now(), begun, clock.ticks())
        if not self._ledger.embedded:
            self._look_at(_DATABASE, signs.now, signs.begun, signs.ended)

    def clear_old(self) -> None:
        """An hour later whoever shall know of it knows."""
        with self._ledger.read() as session:
            connection = session.connection()
            now = self._ledger.now(connection)
            old = select(alarm_rows.c.cause).where(*_open(), alarm_rows.c.raised_at <= now - _SHOWN)
            causes = list(connection.scalars(old))
        if causes:
            with self._ledger.write() as connection:
                alarms.clear_all(connection, causes, now)

    def _look_at(self, whose: str, shown: datetime, begun: float, ended: float) -> None:
        last = self._looks.get(whose)
        if last:
            seconds = (shown - last[0]).total_seconds() - (ended - last[1])
            if seconds > _STEP_SECONDS:
                self._raise(whose, seconds)
        self._looks[whose] = (shown, begun)

    def _raise(self, whose: str, seconds: float) -> None:
        cause, words = f"{KIND}{whose}", self._words(whose, seconds)
        with self._ledger.write() as connection:
            now = self._ledger.now(connection)
            if not _just_told(connection, cause, now):
                alarms.clear(connection, cause, now)
                alarms.sound(connection, cause, words, now)

    def _words(self, whose: str, seconds: float) -> str:
        what = f"the clock of the {whose} went forward by {seconds:.0f} s at once: "
        if whose != _DATABASE and not self._ledger.embedded:
            return f"{what}nothing went too early, as the database's clock counts; see that this host keeps time"
        return (
            f"{what}slots, cool-downs and quiet hours may have ended too early, and what fell due in between goes now "
            "or has expired. If it was wrong before and is right now, nothing is to be done; if it is wrong now, "
            "`carillon pause --all`, set it right, and `carillon resume --all` an hour later"
        )


def _just_told(connection: Connection, cause: str, now: datetime) -> bool:
    """By another scheduler, of the same step."""
    told = select(alarm_rows.c.raised_at).where(*_open(), alarm_rows.c.cause == cause)
    at: datetime | None = connection.scalar(told)
    return at is not None and abs(now - at) < _SAME


def _open() -> tuple[Any, ...]:
    return alarm_rows.c.cleared_at.is_(None), alarm_rows.c.cause.startswith(KIND)
