"""Broadcasts that a platform's own scheduler keeps: the slots they hold, and what is wished of those that are placed.

A slot of one that is placed says when it is due and not when its request was made: it counts from one window before
its due time to one window after. So whoever sends within a window of it has counted it, and the other way round, and
of all that falls into one window the last that was let in has counted all the others.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, literal, select, update

from carillon.ledger.states import Note, State, version_of
from carillon.ledger.tables import attempts, broadcasts, creators, events, slots

WITHDRAW, REPLACE = "withdraw", "replace"

LATE = timedelta(minutes=1)
"""A platform's scheduler may be late by so much."""

UNDER_WAY = timedelta(minutes=2)
"""So long after its claim a request may still arrive: lease, time-out and settle time together."""

LEASE = timedelta(seconds=60)
"""Who follows what is placed has it for so long."""

NOT_TAKEN: Mapping[str, None] = dict.fromkeys(
    ("platform_message_id", "recipient_count", "sent_at", "delivery", "wish", "wished")
)
"""What the platform said of a broadcast that it does not have any more."""

DUE: ColumnElement[datetime] = func.coalesce(broadcasts.c.goes_at, broadcasts.c.due_at)
"""When it is due to the fans, whoever keeps the time."""


PLACED = broadcasts.c.state == literal(State.PLACED.value, literal_execute=True)
"""Said in the statement itself: the indexes of what is placed are only for statements that say so."""


def due(row: Any) -> datetime:
    """As `DUE`, of a row that was read."""
    at: datetime = row.goes_at or row.due_at
    return at


def slot_times(goes_at: datetime, window: timedelta) -> dict[str, datetime]:
    return {"counts_from": goes_at - window - UNDER_WAY, "ended_at": goes_at + LATE}


def window_of(connection: Connection, creator_id: int) -> timedelta:
    seconds = connection.execute(select(creators.c.limit_seconds).where(creators.c.id == creator_id)).scalar_one()
    return timedelta(seconds=seconds)


def counts(slot: Any, window: timedelta, now: datetime) -> bool:
    """Whether a slot that has not freed is one of those of now. The window may have grown since it was taken."""
    if slot.counts_from is None:
        return True
    begins: datetime = min(slot.counts_from, slot.ended_at - LATE - window - UNDER_WAY)
    return begins <= now


def room(connection: Connection, creator: Row[Any], goes_at: datetime) -> bool:
    """Whether one more may go then. Its account's lock is held."""
    window = timedelta(seconds=creator.limit_seconds)
    columns = (slots.c.counts_from, slots.c.ended_at)
    of_it = (slots.c.creator_id == creator.id, slots.c.ended_at > goes_at - window - UNDER_WAY)
    return fits(connection.execute(select(*columns).where(*of_it)).all(), creator.limit_count, window, goes_at)


def fits(taken: Iterable[Any], limit: int, window: timedelta, goes_at: datetime) -> bool:
    """Whether fewer than the limit lie within one window on either side. What was sent lies before it."""
    begin, end = goes_at - window - UNDER_WAY, goes_at + window + 2 * LATE
    near = (slot for slot in taken if slot.ended_at > begin and (slot.counts_from is None or slot.ended_at < end))
    return sum(1 for _ in near) < limit


def last_attempt(row: Row[Any]) -> Select[Any]:
    """The id of the one that placed it."""
    return select(attempts.c.id).where(attempts.c.broadcast_id == row.id, attempts.c.number == row.attempts)


def give_back(connection: Connection, row: Row[Any]) -> None:
    """The slot of its last attempt; one that was in doubt before it may still count."""
    connection.execute(delete(slots).where(slots.c.attempt_id.in_(last_attempt(row))))


def move_slot(connection: Connection, row: Row[Any], at: datetime) -> None:
    """Of what is placed and goes at another time than it was placed for."""
    placed = and_(slots.c.attempt_id.in_(last_attempt(row)), slots.c.counts_from.is_not(None))
    times = slot_times(at, window_of(connection, row.creator_id))
    connection.execute(update(slots).where(placed).values(times))


def end_slot(connection: Connection, row: Row[Any], at: datetime, now: datetime) -> None:
    """Of what was sent `at`. What went before it was due has its slot from now on, and not around its due time."""
    mine = slots.c.attempt_id.in_(last_attempt(row))
    if now < row.goes_at:
        connection.execute(update(slots).where(mine).values(ended_at=now, counts_from=None))
    else:
        connection.execute(update(slots).where(mine, slots.c.ended_at < at).values(ended_at=at))


def wish(connection: Connection, row: Row[Any], kind: str, what: Mapping[str, Any], note: Note) -> bool:
    """Have what is placed withdrawn or replaced, by a worker. False if it has changed since it was read.

    Who is at it with an older wish may be writing that: a newer text waits for the end of the lease.
    """
    tried = {name: value for name, value in wished(row).items() if name == "tried"}
    soon = row.hand_off_at is not None and note.at < row.hand_off_at <= min(note.at + LEASE, row.goes_at)
    at = row.hand_off_at if kind == REPLACE and soon else note.at
    return change(connection, row, note, wish=kind, wished=json.dumps({**what, **tried}), hand_off_at=at)


def wished(row: Any) -> dict[str, Any]:
    """For `withdraw` the `reason`; for `replace` the columns that are to hold, instants as text, and their `why`.

    `tried`: columns that the platform was asked to replace it by, and maybe did.
    """
    found: dict[str, Any] = json.loads(row.wished or "{}")
    return found


def said_by_a_person(row: Any) -> bool:
    return row.wish == WITHDRAW and str(wished(row).get("reason")).startswith("by_person")


def change(connection: Connection, row: Row[Any], note: Note, **changes: object) -> bool:
    """Of what stays placed: its columns, with an event. False if it has changed since it was read."""
    same = and_(version_of(row.id, row.version), broadcasts.c.state == State.PLACED)
    this_one = update(broadcasts).where(same).values(version=broadcasts.c.version + 1, **changes)
    if not connection.execute(this_one).rowcount:
        return False
    placed = State.PLACED.value
    event = {"at": note.at, "source": placed, "target": placed, "why": note.why, "who": note.who}
    connection.execute(insert(events).values(broadcast_id=row.id, creator_id=row.creator_id, **event))
    return True


def take_up(connection: Connection, row: Row[Any], until: datetime) -> Row[Any] | None:
    """Whoever follows it has it until then, if nobody else does; the row as it is now."""
    seen = broadcasts.c.hand_off_at
    unseen = seen.is_(None) if row.hand_off_at is None else seen == row.hand_off_at
    mine = and_(version_of(row.id, row.version), broadcasts.c.state == State.PLACED, unseen)
    taken = update(broadcasts).where(mine).values(hand_off_at=until)
    if not connection.execute(taken).rowcount:
        return None
    return connection.execute(select(broadcasts).where(broadcasts.c.id == row.id)).one()


def taken_up(row: Row[Any]) -> ColumnElement[bool]:
    """The row, if it is as `take_up` left it."""
    return and_(version_of(row.id, row.version), broadcasts.c.hand_off_at == row.hand_off_at)


def to_follow(connection: Connection, now: datetime, most: int) -> list[tuple[int, str]]:
    """(id, platform) of what is placed and to be looked at, that first which waits longest."""
    which = (PLACED, broadcasts.c.hand_off_at <= now)
    wanted = select(broadcasts.c.id, broadcasts.c.platform).where(*which).order_by(broadcasts.c.hand_off_at).limit(most)
    return [(row.id, row.platform) for row in connection.execute(wanted)]
