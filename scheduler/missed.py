"""What fell due while no scheduler ran, and which of it is still sent.

A scheduler beats; what fell due between two beats that lie over a minute apart, and was not noticed within that
minute, was missed. Waiting for a limit, a cool-down, a pause or quiet hours is not missing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.text import TextError
from carillon.ledger import accounts, beats
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, cursors, events
from scheduler.edits import Pair, creator_ids
from scheduler.plan import insert_occurrences

GRACE = timedelta(minutes=1)
MOST_ROWS = 100
_AT_ONCE = 1000


def gap(ledger: Ledger) -> tuple[datetime, datetime] | None:
    """(last beat of any scheduler, now), if that is too long ago."""
    with ledger.read() as session:
        connection = session.connection()
        now, last = ledger.now(connection), beats.last(connection, "scheduler")
    return (last, now) if last is not None and now - last > GRACE else None


def catch_up(
    ledger: Ledger,
    catalogue: Catalogue,
    missed: tuple[datetime, datetime],
    who: str,
    ends: Callable[[], bool] = lambda: False,
) -> None:
    """Apply each campaign's `catch_up` to what fell due in the gap. Safe to repeat, and to end when told."""
    start, end = missed
    with ledger.read() as session:
        ids = creator_ids(session.connection(), catalogue)
    for entry in catalogue.entries():
        if ends():
            return
        if entry.enabled and entry.creator.enabled:
            pair = (entry.campaign, ids[entry.creator.key])
            with suppress(TextError):  # the planner meets it too, and tells
                _plan_missed(ledger, pair, entry, end - GRACE, who)
    reason = "missed_window: no scheduler ran when it was due"
    for ids_left_out in _batches(_left_out_ids(ledger, start, end)):
        with ledger.write() as connection:
            which = broadcasts.c.id.in_(ids_left_out)
            accounts.lock_of(connection, which)
            note = Note(ledger.now(connection), who, reason)
            move(connection, which, State.PLANNED, State.SKIPPED, note, reason=reason)


def left_out(catch_up: str, missed: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Which of a pair's missed broadcasts, oldest first, are not sent any more."""
    match catch_up:
        case "all":
            return ()
        case "latest":
            return missed[:-1]
        case _:
            return missed


def _left_out_ids(ledger: Ledger, start: datetime, end: datetime) -> list[int]:
    fell_due = (
        broadcasts.c.state == State.PLANNED,
        broadcasts.c.waiting_for == "time",
        broadcasts.c.kind != "send",
        broadcasts.c.due_at > start,
        broadcasts.c.due_at <= end - GRACE,
    )
    columns = (broadcasts.c.id, broadcasts.c.campaign, broadcasts.c.creator_id, broadcasts.c.catch_up)
    pairs: dict[Pair, list[Row[Any]]] = defaultdict(list)
    with ledger.read() as session:
        for row in session.execute(select(*columns).where(*fell_due).order_by(broadcasts.c.due_at)):
            pairs[row.campaign, row.creator_id].append(row)
    return [row.id for missed in pairs.values() for row in left_out(missed[-1].catch_up, missed)]


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _plan_missed(ledger: Ledger, pair: Pair, entry: Entry, until: datetime, who: str) -> None:
    """After an outage that outlasted the plan: rows for the last of it, one event with the count of the rest."""
    with ledger.write() as connection:
        mine = (cursors.c.campaign == pair[0], cursors.c.creator_id == pair[1])
        cursor = connection.execute(select(cursors).where(*mine)).one_or_none()
        if cursor is None or cursor.planned_until >= until or cursor.revision != entry.revision:
            return
        if entry.schedule.kind == "at":
            return
        missed = list(entry.occurrences(cursor.planned_until, until))
        accounts.lock(connection, [pair[1]])
        note = Note(ledger.now(connection), who, "missed")
        insert_occurrences(connection, pair, entry, missed[-MOST_ROWS:], cursor, note, until)
        if len(missed) > MOST_ROWS:
            why = f"missed_window: {len(missed) - MOST_ROWS} more occurrences of {pair[0]} fell due unseen"
            connection.execute(insert(events).values(creator_id=pair[1], at=note.at, who=who, why=why))
