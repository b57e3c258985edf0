"""What may have been taken before, goes once more as its campaign says, and then cannot go: a person must decide."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, select

from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts, events

_RESENT = and_(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.verdict == "resent")
_DECIDED = exists().where(
    events.c.broadcast_id == attempts.c.broadcast_id,
    events.c.at > attempts.c.started_at,
    events.c.target == State.PLANNED,
    events.c.why.startswith("by_person: resolved as not sent"),
)


def perhaps_taken() -> ColumnElement[bool]:
    """An earlier attempt of the broadcast is unknown for good, and no person has said since that it was not sent.

    Asked of each alone, so that no database goes through all attempts for it.
    """
    return select(attempts.c.id).where(_RESENT, ~_DECIDED).limit(1).scalar_subquery().is_not(None)


def look_is_due(row: Row[Any], now: datetime, furthest: timedelta) -> bool:
    """Whether an unknown outcome is to be looked up. No look is set further ahead than `furthest`: one that is, was
    set before the clock was set back."""
    return row.hand_off_at is None or not now < row.hand_off_at <= now + furthest


def end_unsent(
    connection: Connection, which: ColumnElement[bool], source: State, target: State, note: Note, **changes: object
) -> list[int]:
    """Move to an end that says that nothing was accepted, where that is sure; what may have been is held.

    Returns the ids of all. The accounts must be locked.
    """
    doubtful = select(broadcasts.c.id).where(broadcasts.c.state == source.value, which, perhaps_taken())
    held = list(connection.scalars(doubtful))
    if held:
        _hold(connection, broadcasts.c.id.in_(held), source, note)
        which = and_(which, broadcasts.c.id.not_in(held))
    return held + move(connection, which, source, target, note, **changes)


def _hold(connection: Connection, these: ColumnElement[bool], source: State, note: Note) -> None:
    reason = f"unknown_outcome: it may have been taken before, and could not go once more: {note.why}"
    if source is State.SENDING:
        move(connection, these, source, State.UNKNOWN, note, reason=reason)
        source = State.UNKNOWN
    if source is not State.HELD:
        move(connection, these, source, State.HELD, note, reason=reason)
