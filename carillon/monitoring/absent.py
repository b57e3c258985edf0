"""No beat for a minute: schedulers and workers look after each other, since who is gone cannot tell."""

from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import Connection, select

from carillon import clock
from carillon.ledger import alarms, beats
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms as alarm_rows

log = structlog.get_logger()

Role = Literal["scheduler", "worker"]

PATIENCE = timedelta(minutes=1)
_LOST = {
    "scheduler": "nothing is planned or handed to the workers; start `carillon scheduler`",
    "worker": "nothing is sent; start `carillon worker`",
}


class Lookout:
    """One process's look at those of the other role."""

    def __init__(self, ledger: Ledger, own: Role) -> None:
        self._ledger, self._own = ledger, own
        self._other: Role = "worker" if own == "scheduler" else "scheduler"
        self._since = self._looked_at = clock.ticks()

    def look(self) -> bool:
        """Raise or clear the alarms of both roles; returns whether one of the other role is alive.

        Whoever has just started, or could not look for a while, waits: the others may be starting too.
        """
        if clock.ticks() - self._looked_at > PATIENCE.total_seconds():
            self._since = clock.ticks()
        with self._ledger.read() as session:
            connection = session.connection()
            now = self._ledger.now(connection)
            living = any(row.role == self._other for row in beats.alive(connection, now))
            last = beats.last(connection, self._other)
            told = set(connection.scalars(_open(self._own, self._other)))
        self._looked_at = clock.ticks()
        waited = clock.ticks() - self._since > PATIENCE.total_seconds()
        absent = not living and waited and (last is None or now - last > PATIENCE)
        over = told & {_cause(self._own), *([_cause(self._other)] if living else [])}
        if over or (absent and _cause(self._other) not in told):
            with self._ledger.write() as connection:
                alarms.clear_all(connection, over, now)
                if absent and self._raise(connection, last, now):
                    log.error(_words(self._other, last))
        return living

    def _raise(self, connection: Connection, last: datetime | None, now: datetime) -> bool:
        return alarms.sound(connection, _cause(self._other), _words(self._other, last), now)


def _open(*roles: Role) -> Any:
    causes = [_cause(role) for role in roles]
    return select(alarm_rows.c.cause).where(alarm_rows.c.cleared_at.is_(None), alarm_rows.c.cause.in_(causes))


def _cause(role: Role) -> str:
    return f"no_beat:{role}"


def _words(role: Role, last: datetime | None) -> str:
    since = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "ever"
    return f"no {role} has beaten {since}: {_LOST[role]}"
