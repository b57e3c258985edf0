"""What the ledger shows at a glance: one question, a transaction of its own, by which a scheduler knows what stirs.

Every move appends an event, so the newest event tells whether anything has changed since the last look.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, null, select

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.placing import PLACED
from carillon.ledger.prepared import Prepared
from carillon.ledger.states import State
from carillon.ledger.tables import alarms as alarm_rows
from carillon.ledger.tables import broadcasts, catalogues, creators, events
from carillon.ledger.tables_media import uploads
from carillon.ledger.tables_results import trackings
from carillon.ledger.tracking import UNTRACKED
from carillon.ledger.uploading import IS_OPEN


@dataclass(frozen=True)
class Signs:
    """The ledger at `now`, by its own clock; `begun` and `ended` are the ticks around that moment.

    `wake_at` is when something may go next, `expires_at` when something that waits can go no more, `collect_at` when
    results are to be asked for, `untracked_since` since when something is sent whose results nobody asks for yet,
    `follow_at` when something that is placed is to be looked at, `upload_at` when a medium is to be uploaded.
    """

    begun: float
    ended: float
    now: datetime
    wake_at: datetime | None
    expires_at: datetime | None
    generation: int | None
    newest_event: int | None
    newest_alarm: int | None
    queued: bool
    under_way: bool
    stopped: bool
    untracked_since: datetime | None = None
    collect_at: datetime | None = None
    follow_at: datetime | None = None
    upload_at: datetime | None = None


class Question:
    """Asked all the time, so it is worked out once and keeps a connection; for one thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._prepared = Prepared(_question(embedded=ledger.embedded), embedded=ledger.embedded)
        self._line = ExitStack()
        self._cursor: Any = None

    def ask(self) -> Signs:
        """Raises DBAPIError."""
        begun = clock.ticks()
        told_at, wake_at, planned, queued, sending, unknown, generation, event, alarm, stopped, *more = self._row()
        untracked_since, collect_at, follow_at, upload_at = more
        now = clock.now() if self._ledger.embedded else told_at.astimezone(UTC)
        return Signs(
            begun=begun,
            ended=clock.ticks(),
            now=now,
            wake_at=wake_at,
            expires_at=min((at for at in (planned, queued) if at), default=None),
            generation=generation,
            newest_event=event,
            newest_alarm=alarm,
            queued=queued is not None,
            under_way=sending is not None or unknown is not None,
            stopped=stopped is not None,
            untracked_since=untracked_since,
            collect_at=collect_at,
            follow_at=follow_at,
            upload_at=upload_at,
        )

    def close(self) -> None:
        self._line.close()

    def _row(self) -> list[Any]:
        """On the connection that is kept; one that broke is closed."""
        cursor, self._cursor = self._cursor, None
        with self._line as line:
            cursor = cursor or line.enter_context(self._ledger.straight.cursor())
            row = self._prepared.one(cursor, {})
            self._line, self._cursor = line.pop_all(), cursor
        assert row is not None
        return row


def _question(*, embedded: bool) -> Select[Any]:
    """Each part is answered by one end of an index; only stopped creators, who each have an open alarm, are few."""
    stopped = alarm_rows.c.cause.startswith("stopped:")
    return select(
        null() if embedded else func.clock_timestamp(),
        _alone(select(func.min(creators.c.wake_at))),
        *(_first_expiry(state) for state in (State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN)),
        _alone(select(func.max(catalogues.c.generation))),
        _alone(select(func.max(events.c.id))),
        _alone(select(func.max(alarm_rows.c.id))),
        _alone(select(func.min(alarm_rows.c.id)).where(alarm_rows.c.cleared_at.is_(None), stopped)),
        _alone(select(func.min(broadcasts.c.state_since)).where(UNTRACKED)),
        _alone(select(func.min(trackings.c.next_at))),
        _alone(select(func.min(broadcasts.c.hand_off_at)).where(PLACED)),
        _alone(select(func.min(uploads.c.next_at)).where(IS_OPEN)),
    )


def _first_expiry(state: State) -> ScalarSelect[Any]:
    return _alone(select(func.min(broadcasts.c.expires_at)).where(broadcasts.c.state == state.value))


def _alone(question: Select[Any]) -> ScalarSelect[Any]:
    return question.scalar_subquery()
