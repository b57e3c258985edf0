"""No beat for a minute: schedulers and workers look after each other, since who is gone cannot tell."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import Connection, Select, func, null, select

from carillon import clock
from carillon.ledger import alarms
from carillon.ledger.beats import ALIVE
from carillon.ledger.connect import Ledger
from carillon.ledger.prepared import Prepared
from carillon.ledger.tables import alarms as alarm_rows
from carillon.ledger.tables import beats

log = structlog.get_logger()

Role = Literal["scheduler", "worker"]

PATIENCE = timedelta(minutes=1)
_LOST = {
    "scheduler": "nothing is planned or handed to the workers; start `carillon scheduler`",
    "worker": "nothing is sent; start `carillon worker`",
}


@dataclass(frozen=True)
class Seen:
    """`last` is when any of the other role beat, `present` the same of those that have not left."""

    now: datetime
    last: datetime | None
    present: datetime | None
    told: frozenset[Role]


class Lookout:
    """One process's look at those of the other role."""

    def __init__(self, ledger: Ledger, own: Role) -> None:
        self._ledger, self._own = ledger, own
        self._other: Role = "worker" if own == "scheduler" else "scheduler"
        self._question = Prepared(_question(own, self._other, embedded=ledger.embedded), embedded=ledger.embedded)
        self._since = self._looked_at = clock.ticks()

    def look(self) -> bool:
        """Raise or clear the alarms of both roles; returns whether one of the other role is alive.

        Whoever has just started, or could not look for a while, waits: the others may be starting too.
        """
        if clock.ticks() - self._looked_at > PATIENCE.total_seconds():
            self._since = clock.ticks()
        seen = self._ask()
        self._looked_at = clock.ticks()
        living = seen.present is not None and seen.present > seen.now - ALIVE
        waited = clock.ticks() - self._since > PATIENCE.total_seconds()
        absent = not living and waited and (seen.last is None or seen.now - seen.last > PATIENCE)
        over = seen.told & {self._own, *([self._other] if living else [])}
        if over or (absent and self._other not in seen.told):
            with self._ledger.write() as connection:
                alarms.clear_all(connection, [_cause(role) for role in over], seen.now)
                if absent and self._raise(connection, seen):
                    log.error(_words(self._other, seen.last))
        return living

    def _ask(self) -> Seen:
        with self._ledger.straight.cursor() as cursor:
            row = self._question.one(cursor, {})
        assert row is not None
        at, last, present, own_told, other_told = row
        now = clock.now() if self._ledger.embedded else at.astimezone(UTC)
        told = {self._own: own_told, self._other: other_told}
        return Seen(now, last, present, frozenset(role for role, alarm in told.items() if alarm is not None))

    def _raise(self, connection: Connection, seen: Seen) -> bool:
        return alarms.sound(connection, _cause(self._other), _words(self._other, seen.last), seen.now)


def _question(own: Role, other: Role, *, embedded: bool) -> Select[Any]:
    """All in one, since it is asked every ten seconds, and by every process."""
    last = select(func.max(beats.c.at)).where(beats.c.role == other)
    told = [
        select(func.min(alarm_rows.c.id)).where(alarm_rows.c.cleared_at.is_(None), alarm_rows.c.cause == _cause(role))
        for role in (own, other)
    ]
    parts = [last, last.where(beats.c.left_at.is_(None)), *told]
    return select(null() if embedded else func.clock_timestamp(), *(part.scalar_subquery() for part in parts))


def _cause(role: Role) -> str:
    return f"no_beat:{role}"


def _words(role: Role, last: datetime | None) -> str:
    since = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "ever"
    return f"no {role} has beaten {since}: {_LOST[role]}"
