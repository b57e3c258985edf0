"""What fell due while no scheduler ran, and which of it is still sent.

A scheduler beats; what fell due between two beats that lie over a minute apart, and was not noticed within that
minute, was missed. Waiting for a limit, a cool-down, a pause or quiet hours is not missing.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import put
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import beats, broadcasts, cursors, events
from scheduler.edits import Pair, creator_ids
from scheduler.plan import insert_occurrences

GRACE = timedelta(minutes=1)
MOST_ROWS = 100


def beat(ledger: Ledger, process: str) -> tuple[datetime, datetime] | None:
    """Say that a scheduler is alive; returns the gap before it, if it was too long: (last beat, now)."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        last = connection.scalar(select(func.max(beats.c.at)).where(beats.c.role == "scheduler"))
        put(connection, beats, {"process": process}, {"role": "scheduler", "at": now})
    return (last, now) if last is not None and now - last > GRACE else None


def catch_up(ledger: Ledger, catalogue: Catalogue, gap: tuple[datetime, datetime], who: str) -> None:
    """Apply each campaign's `catch_up` to what fell due in the gap."""
    start, end = gap
    with ledger.read() as session:
        ids = creator_ids(session.connection(), catalogue)
    for entry in catalogue.entries():
        if entry.enabled and entry.creator.enabled:
            _plan_missed(ledger, (entry.campaign, ids[entry.creator.key]), entry, end - GRACE, who)
    with ledger.write() as connection:
        fell_due = (
            broadcasts.c.state == State.PLANNED,
            broadcasts.c.waiting_for == "time",
            broadcasts.c.kind != "send",
            broadcasts.c.due_at > start,
            broadcasts.c.due_at <= end - GRACE,
        )
        rows = connection.execute(select(broadcasts).where(*fell_due).order_by(broadcasts.c.due_at)).all()
        accounts.lock(connection, {row.creator_id for row in rows})
        _leave_out(connection, rows, Note(ledger.now(connection), who, "missed"))


def left_out(catch_up: str, missed: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Which of a pair's missed broadcasts, oldest first, are not sent any more."""
    match catch_up:
        case "all":
            return ()
        case "latest":
            return missed[:-1]
        case _:
            return missed


def _leave_out(connection: Connection, rows: Sequence[Row[Any]], note: Note) -> None:
    pairs: dict[Pair, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        pairs[row.campaign, row.creator_id].append(row)
    ids = [row.id for missed in pairs.values() for row in left_out(missed[-1].catch_up, missed)]
    reason = "missed_window: no scheduler ran when it was due"
    which = broadcasts.c.id.in_(ids)
    move(connection, which, State.PLANNED, State.SKIPPED, Note(note.at, note.who, reason), reason=reason)


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
