"""What a dead worker left: `sending` becomes `unknown` (never straight back), and what is unknown is to be settled.

Workers settle it by look-ups. What none of them has settled in time, as all hang or are gone, is left to a person here.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import structlog
from sqlalchemy import Row, and_, select
from sqlalchemy.exc import OperationalError

from carillon.handoff.orders import RECHECK, RECONCILE, hand_off
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger, first_line
from carillon.ledger.doubts import look_is_due
from carillon.ledger.owners import Owner, proven_dead
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators

log = structlog.get_logger()

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_FORGET = timedelta(minutes=5)
_SETTLE_AGAIN = timedelta(seconds=5)
_SOON = timedelta(minutes=10)
_MOST = timedelta(minutes=4, seconds=55)
"""An unknown outcome ends within five minutes; the last look of a worker has begun half a minute before."""

_AT_ONCE = timedelta(seconds=1)
_FROM_TIME_TO_TIME = timedelta(seconds=30)


class Reminders:
    """When an order was last given for something, so that orders nobody takes do not pile up.

    What was given at a time that is still to come, as the clock was set back since, is given anew.
    """

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], datetime] = {}
        self._begun: datetime | None = None

    def begun(self, now: datetime) -> datetime:
        """When this was asked first: since then somebody could have carried out orders."""
        self._begun = min(self._begun or now, now)
        return self._begun

    def due(
        self, order: str, subjects: Iterable[tuple[int, str]], now: datetime, pause: timedelta
    ) -> list[tuple[int, str]]:
        """Those of the (id, platform) pairs for which this order was not given within `pause`."""
        self._given = {key: at for key, at in self._given.items() if abs(now - at) < _FORGET}
        fresh = [one for one in subjects if abs(now - self._given.get((order, one[0]), _LONG_AGO)) >= pause]
        self._given |= {(order, id_): now for id_, _ in fresh}
        return fresh


def rescue(ledger: Ledger, broker: dramatiq.Broker, reminders: Reminders, who: str) -> list[int]:
    """Find attempts whose owner is dead, or whose lease is over; order the look at all that is unknown."""
    with ledger.read() as session:
        open_ones = list(session.execute(_open_attempts()))
        now = ledger.now(session.connection())
        begun = reminders.begun(now)
        unknown = list(session.execute(select(broadcasts).where(broadcasts.c.state == State.UNKNOWN)))
    left = [row for row in open_ones if proven_dead(_owner(row)) or row.lease_until <= now]
    moved = _each(left, lambda row: _give_up(ledger, row, who))
    _each([row for row in unknown if now - max(row.state_since, begun) >= _MOST], lambda row: _hold(ledger, row, who))
    due = [row for row in unknown if look_is_due(row, now, _MOST)] + [row for row in left if row.id in moved]
    settle = {row.creator_id: (row.id, row.platform) for row in due}  # one look serves all that is open of an account
    hand_off(broker, RECONCILE, reminders.due(RECONCILE, settle.values(), now, _SETTLE_AGAIN))
    return moved


def recheck_stopped(ledger: Ledger, broker: dramatiq.Broker, reminders: Reminders) -> None:
    """Have workers, who hold the credentials, see whether those of stopped creators read differently now."""
    with ledger.read() as session:
        now = ledger.now(session.connection())
        columns = (creators.c.id, creators.c.platform, creators.c.stopped_at)
        rows = session.execute(select(*columns).where(creators.c.stopped_at.is_not(None))).all()
    for pause, just_stopped in ((_AT_ONCE, True), (_FROM_TIME_TO_TIME, False)):
        of_them = [(row.id, row.platform) for row in rows if (now - row.stopped_at < _SOON) is just_stopped]
        hand_off(broker, RECHECK, reminders.due(RECHECK, of_them, now, pause))


def _each(rows: Iterable[Row[Any]], deed: Callable[[Row[Any]], list[int]]) -> list[int]:
    """The ids of those that moved. An account that somebody holds costs the others a wait, and never their turn."""
    moved: list[int] = []
    busy: set[int] = set()
    for row in rows:
        if row.creator_id in busy:
            continue
        try:
            moved += deed(row)
        except OperationalError as error:
            busy.add(row.creator_id)
            log.error("an account cannot be changed now", creator=row.creator, error=first_line(error))
    return moved


def _open_attempts() -> Any:
    return (
        select(broadcasts, attempts.c.host, attempts.c.pid, attempts.c.process_birth, attempts.c.lease_until)
        .join(
            attempts,
            and_(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.number == broadcasts.c.attempts),
        )
        .where(broadcasts.c.state == State.SENDING)
    )


def _owner(row: Row[Any]) -> Owner:
    return Owner(row.host, row.pid, row.process_birth)


def _give_up(ledger: Ledger, row: Row[Any], who: str) -> list[int]:
    how = "died" if proven_dead(_owner(row)) else "let its lease run out"
    reason = f"unknown_outcome: its worker {_owner(row)} {how} in the middle of attempt {row.attempts}"
    with accounts.held(ledger, [row.creator_id]) as (connection, now):
        note = Note(now, who, reason)
        unchanged = version_of(row.id, row.version)
        return move(connection, unchanged, State.SENDING, State.UNKNOWN, note, reason=reason, hand_off_at=None)


def _hold(ledger: Ledger, row: Row[Any], who: str) -> list[int]:
    reason = f"{row.reason or 'unknown_outcome: nobody saw its end'}; no worker could look it up in time"
    with accounts.held(ledger, [row.creator_id]) as (connection, now):
        unchanged = version_of(row.id, row.version)
        return move(connection, unchanged, State.UNKNOWN, State.HELD, Note(now, who, reason), reason=reason)
