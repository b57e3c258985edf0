"""Every state that is not final has a time after which it raises an alarm; alarms are told in the log."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, true, update

from carillon.ledger import alarms, allowance, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import among
from carillon.ledger.states import State
from carillon.ledger.tables import alarms as alarm_rows
from carillon.ledger.tables import broadcasts, creators

log = structlog.get_logger()

PATIENCE = {
    State.QUEUED: timedelta(minutes=5),
    State.SENDING: timedelta(minutes=2),
    State.UNKNOWN: timedelta(0),
    State.HELD: timedelta(0),
}
OVERDUE = timedelta(minutes=1)
NOT_SETTLED = timedelta(minutes=2)
"""After the due time of what the platform was to send, until it is known to be sent."""
_TELL_AGAIN = timedelta(hours=1)
_TOLD = [broadcasts.c[name] for name in ("id", "creator_id", "creator", "campaign", "state", "state_since", "reason")]


def watch(ledger: Ledger) -> None:
    """Raise what has stood too long, clear what no longer does, and write new alarms to the log."""
    with ledger.read() as session:
        now = ledger.now(session.connection())
        still_open = set(session.scalars(_open_causes()))  # first: what others raise meanwhile is not cleared below
        stuck = {_cause(row): row for wanted in (_stuck(now), _not_settled(now)) for row in session.execute(wanted)}
        stuck |= {f"overdue:{row.id}": row for row in _overdue(session.connection(), now)}
        untold = list(session.execute(_untold(now)))
    if stuck.keys() == still_open and not untold:
        return
    with ledger.write() as connection:
        for cause in sorted(stuck.keys() - still_open):  # in one order for all schedulers: none waits in a ring
            row = stuck[cause]
            alarms.sound(connection, cause, _words(row), now, broadcast_id=row.id, creator_id=row.creator_id)
        alarms.clear_all(connection, still_open - stuck.keys(), now)
        fresh = connection.execute(_untold(now).with_for_update(skip_locked=True)).all()
        told = update(alarm_rows).where(among(connection, alarm_rows.c.id, [row.id for row in fresh]))
        connection.execute(told.values(told_at=now))
    for row in fresh:
        log.error(row.message, alarm=row.id, **({"broadcast": row.broadcast_id} if row.broadcast_id else {}))


def _stuck(now: datetime) -> Any:
    """Where there is no patience, the time is not asked for: it may lie ahead of a clock that was set back."""
    too_long = [
        and_(broadcasts.c.state == state, broadcasts.c.state_since <= now - patience if patience else true())
        for state, patience in PATIENCE.items()
    ]
    return select(*_TOLD).where(or_(*too_long))


def _not_settled(now: datetime) -> Any:
    return select(*_TOLD).where(placing.PLACED, broadcasts.c.goes_at <= now - NOT_SETTLED)


def _overdue(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The head of each account that could send it: planned, past due, and nothing to wait for."""
    late = allowance.ready(now) & _long_ready(now)
    theirs = (broadcasts.c.creator_id == creators.c.id, allowance.PLANNED, broadcasts.c.due_at <= now - OVERDUE)
    some = select(broadcasts.c.id).where(*theirs).limit(1).scalar_subquery().is_not(None)
    held = or_(creators.c.stopped_at.is_not(None), creators.c.cool_down_until > now)
    accounts = allowance.accounts(connection, and_(held.is_not(True), some))
    if not accounts:
        return []
    standings = allowance.standings(connection, accounts, now)
    able = [(id_, it.paused_campaigns) for id_, it in standings.items() if not it.blocked and it.free]
    heads = [_head(connection, late & (broadcasts.c.creator_id == id_), paused) for id_, paused in able]
    return [head for head in heads if head is not None]


def _head(connection: Connection, late: ColumnElement[bool], paused: Collection[str]) -> Row[Any] | None:
    could_go = select(*_TOLD).where(late, ~allowance.overlapped(), broadcasts.c.campaign.not_in(paused))
    return connection.execute(could_go.order_by(*allowance.ORDER).limit(1)).one_or_none()


def _long_ready(now: datetime) -> ColumnElement[bool]:
    return and_(
        broadcasts.c.due_at <= now - OVERDUE,
        or_(broadcasts.c.not_before.is_(None), broadcasts.c.not_before <= now - OVERDUE),
        broadcasts.c.state_since <= now - OVERDUE,
    )


def _cause(row: Row[Any]) -> str:
    return f"{row.state}:{row.id}"


def _words(row: Row[Any]) -> str:
    about = f"broadcast {row.id} of {row.campaign} for {row.creator}"
    if row.state == State.PLANNED:
        return f"{about} is past due with nothing to wait for; is a scheduler running?"
    if row.state == State.HELD:
        decide = f"see `carillon show {row.id}`, then `carillon resolve {row.id}` or `carillon cancel {row.id}`"
        return f"{about} is held: {row.reason}; {decide}"
    if row.state == State.UNKNOWN:
        seen = f"the platform is being asked, see `carillon show {row.id}`"
        return f"{about} may or may not have been taken: {row.reason}; {seen}"
    if row.state == State.PLACED:
        return f"{about} was due, and the platform is not known to have sent it: see `carillon show {row.id}`"
    return f"{about} has been {row.state} since {row.state_since:%Y-%m-%d %H:%M:%S} UTC"


def _open_causes() -> Any:
    """Of alarms that this beat raises itself; others are cleared by who raised them."""
    prefixes = ("queued:", "sending:", "unknown:", "held:", "placed:", "overdue:")
    mine = or_(*(alarm_rows.c.cause.startswith(prefix) for prefix in prefixes))
    return select(alarm_rows.c.cause).where(alarm_rows.c.cleared_at.is_(None), mine)


def _untold(now: datetime) -> Any:
    lasting = and_(alarm_rows.c.cleared_at.is_(None), alarm_rows.c.told_at <= now - _TELL_AGAIN)
    return select(alarm_rows).where(or_(alarm_rows.c.told_at.is_(None), lasting))
