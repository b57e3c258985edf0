"""The states of a broadcast, the moves between them, and `move`: the only door.

`planned`    known. The scheduler moves it on when it may go; a crash changes nothing.
`queued`     handed to the workers. A worker claims it; lost orders are handed off again by the sweep.
`sending`    claimed; a request may be under way. Its owner records the verdict; a dead owner's becomes `unknown`.
`unknown`    a request went out and no one can tell yet whether it was taken.
`held`       a person must decide.
`placed`     in the platform's own scheduler, not due yet.
`sent`       the platform accepted it.
`failed`     refused for good; nothing was accepted.
`skipped`    not sent, by rule.
`expired`    could not be sent in time.
`cancelled`  withdrawn before acceptance.
`unsent`     recalled after acceptance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Row, Select, and_, insert, literal, select, update

from carillon.ledger import accounts, alarms
from carillon.ledger.inserts import is_sqlite
from carillon.ledger.tables import broadcasts, events


class State(StrEnum):
    PLANNED = "planned"
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    HELD = "held"
    PLACED = "placed"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNSENT = "unsent"


MOVES: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.QUEUED, State.CANCELLED, State.SKIPPED, State.EXPIRED, State.FAILED, State.HELD}),
    State.QUEUED: frozenset(
        {
            State.SENDING,
            State.PLANNED,
            State.CANCELLED,
            State.SKIPPED,
            State.EXPIRED,
            State.FAILED,
            State.HELD,
        }
    ),
    State.SENDING: frozenset({State.SENT, State.PLACED, State.PLANNED, State.FAILED, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.SENT, State.PLACED, State.PLANNED, State.FAILED, State.HELD}),
    State.HELD: frozenset({State.SENT, State.PLACED, State.PLANNED, State.FAILED, State.CANCELLED}),
    State.PLACED: frozenset({State.SENT, State.PLANNED, State.CANCELLED, State.UNKNOWN}),
    State.SENT: frozenset({State.UNSENT}),
    State.FAILED: frozenset({State.PLANNED}),
    State.SKIPPED: frozenset({State.PLANNED}),
    State.EXPIRED: frozenset({State.PLANNED}),
    State.CANCELLED: frozenset({State.PLANNED}),
    State.UNSENT: frozenset(),
}

WAITS = (
    "time",
    "limit",
    "cool_down",
    "quiet_hours",
    "pause",
    "creator",
    "retry",
    "overlap",
    "media",
    "approval",
    "canary",
)

REASONS = (
    "empty_audience",
    "list_missing",
    "media_missing",
    "overlap",
    "missed_window",
    "repeated_content",
    "edited_after_send",
    "too_late",
    "refused",
    "credentials",
    "forbidden",
    "redirect",
    "unknown_outcome",
    "not_taken_up",
    "removed",
    "disabled",
    "rescheduled",
    "by_person",
    "error_after_accept",
)


_RETURNED = [broadcasts.c[name] for name in ("id", "creator_id", "campaign", "creator")]


@dataclass(frozen=True)
class Note:
    """Why a move is made, and by whom; it becomes the move's event."""

    at: datetime
    who: str
    why: str


def version_of(broadcast_id: int, version: int) -> ColumnElement[bool]:
    """The one row, if nobody changed it since it was read."""
    return and_(broadcasts.c.id == broadcast_id, broadcasts.c.version == version)


def move(
    connection: Connection,
    which: ColumnElement[bool],
    source: State,
    target: State,
    note: Note,
    **changes: object,
) -> list[int]:
    """Move the rows that are `which` and still in `source`; returns the ids of those that moved.

    The condition on the old state is the lock: of two movers one finds no row. The event is appended in the
    same transaction, the account is woken where others may go now, and an end that nobody wants is told once.
    A move to `planned` names its `waiting_for`; outside `planned` nothing is waited for.
    """
    assert target in MOVES[source], f"{source} never leaves to {target}"
    if target is State.PLANNED:
        assert changes.get("waiting_for") in WAITS
        changes.setdefault("not_before", None)
    else:
        changes |= {"waiting_for": None, "not_before": None}
    statement = (
        update(broadcasts)
        .where(broadcasts.c.state == source.value, which)
        .values(state=target.value, version=broadcasts.c.version + 1, state_since=note.at, **changes)
        .returning(*_RETURNED)
    )
    event = {"at": note.at, "source": source.value, "target": target.value, "why": note.why, "who": note.who}
    moved = _moved_with_events(connection, statement, event)
    if moved:
        _wake(connection, moved, target, note.at, changes)
        if target in {State.FAILED, State.EXPIRED}:
            _tell(connection, moved, target, note)
    return [row[0] for row in moved]


def _moved_with_events(connection: Connection, statement: Any, event: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """On PostgreSQL one statement, however many rows move; SQLite inserts no rows that a statement returns."""
    if not is_sqlite(connection):
        return connection.execute(_and_append(statement.cte("moved"), event)).all()
    moved = connection.execute(statement).all()
    if moved:
        rows = [{"broadcast_id": row.id, "creator_id": row.creator_id, **event} for row in moved]
        connection.execute(insert(events), rows)
    return moved


def _and_append(moved: CTE, event: Mapping[str, Any]) -> Select[Any]:
    same = [literal(value, events.c[name].type).label(name) for name, value in event.items()]
    each = select(moved.c.id.label("broadcast_id"), moved.c.creator_id, *same)
    appended = insert(events).from_select(["broadcast_id", "creator_id", *event], each).returning(events.c.id)
    return select(moved).add_cte(appended.cte("appended"))


def _wake(
    connection: Connection, moved: Sequence[Row[Any]], target: State, now: datetime, changes: Mapping[str, object]
) -> None:
    """At once, also where this one may go again only later: the slot that it leaves is free for the next.

    But a cool-down is the whole account's, and one that was sent leaves no slot.
    """
    if target in {State.QUEUED, State.SENDING, State.UNKNOWN}:
        return
    creator_ids = sorted({row.creator_id for row in moved})
    if target is State.SENT:
        accounts.wake_waiting(connection, creator_ids, now)
        return
    until = changes.get("not_before") if changes.get("waiting_for") == "cool_down" else None
    at = until if isinstance(until, datetime) else now
    accounts.wake(connection, creator_ids, at)


def _tell(connection: Connection, moved: Sequence[Row[Any]], target: State, note: Note) -> None:
    for row in moved:
        message = f"broadcast {row.id} of {row.campaign} for {row.creator} is {target}: {note.why}"
        alarms.say_once(connection, f"{target}:{row.id}", message, note.at, row.id, row.creator_id)
