"""Schedules become planned broadcasts, up to a day ahead: one row for one occurrence, for ever.

The unique key (campaign, account, part, occurrence) makes planning safe to repeat: two schedulers, a restart, a reload
and the second 02:30 of an autumn night still meet one row.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.occurrences import Occurrence
from carillon.campaigns.text import TextError
from carillon.ledger import accounts, alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import insert_new
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import broadcasts, catalogues, cursors
from scheduler.edits import Pair, creator_ids, frozen_values, reschedule
from scheduler.resent import hold_resent

HORIZON = timedelta(days=1)
AHEAD = timedelta(hours=23)
"""A campaign that is planned this far is left alone until it no longer is."""

_SPREAD_SECONDS = 3 * 3600
"""So much earlier some are left alone: what came into force together is not planned again all at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 300
_WITHDRAWN = ("removed", "disabled", "rescheduled")


def plan(
    ledger: Ledger, catalogue: Catalogue, generation: int, who: str, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Plan every campaign of the catalogue up to the horizon; returns how many broadcasts are new."""
    count = 0
    for pair, entry in _unplanned(ledger, catalogue):
        if stopping():
            break
        try:
            with ledger.write() as connection:
                if not _still_in_force(connection, generation):
                    return count
                accounts.lock(connection, [pair[1]])
                note = Note(ledger.now(connection), who, "planned")
                count += plan_pair(connection, pair, entry, catalogue, note)
        except TextError as error:
            _tell_of_text(ledger, pair, entry, error)
    return count


def plan_pair(connection: Connection, pair: Pair, entry: Entry, catalogue: Catalogue, note: Note) -> int:
    """Plan one campaign for one creator, a bounded number of occurrences at a time."""
    reschedule(connection, pair, entry, note)
    cursor = _cursor(connection, pair, entry, note)
    until = note.at + HORIZON
    found = list(islice(_occurrences(connection, pair, entry, cursor, until), _AT_ONCE))
    planned_until = found[-1].instant if len(found) == _AT_ONCE else until
    new = insert_occurrences(connection, pair, entry, found, cursor, note, planned_until)
    alarms.clear(connection, f"text:{pair[0]}:{pair[1]}", note.at)
    rows = connection.execute(select(broadcasts).where(broadcasts.c.id.in_(new))).all()
    hold_resent(connection, rows, catalogue.campaigns.keys(), note)
    return len(new)


def insert_occurrences(
    connection: Connection,
    pair: Pair,
    entry: Entry,
    found: Sequence[Occurrence],
    cursor: Row[Any],
    note: Note,
    planned_until: datetime,
) -> list[int]:
    """Insert what is new, plan again what an edit had withdrawn, and move the cursor; returns the ids of both."""
    rows = [row_for(pair, entry, item, cursor.number + n, note) for n, item in enumerate(found, start=1)]
    new = _insert(connection, pair, rows, note) if rows else []
    mine = and_(cursors.c.campaign == pair[0], cursors.c.creator_id == pair[1])
    done = {"planned_until": planned_until, "number": cursor.number + len(new)}
    connection.execute(update(cursors).where(mine).values(done))
    return new


def _tell_of_text(ledger: Ledger, pair: Pair, entry: Entry, error: TextError) -> None:
    """A text that only some occurrence brings into trouble: its campaign is not planned further until it is mended."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        message = f"campaign {pair[0]} cannot be planned for {entry.creator.key}: {error}"
        alarms.sound(connection, f"text:{pair[0]}:{pair[1]}", message, now, creator_id=pair[1])


def _unplanned(ledger: Ledger, catalogue: Catalogue) -> Iterator[tuple[Pair, Entry]]:
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        ids = creator_ids(connection, catalogue)
        known = {(row.campaign, row.creator_id): row for row in connection.execute(select(cursors))}
    for entry in catalogue.entries():
        if not (entry.enabled and entry.creator.enabled):
            continue
        pair = (entry.campaign, ids[entry.creator.key])
        cursor = known.get(pair)
        if cursor is None or cursor.planned_until < now + _ahead(pair) or cursor.revision != entry.revision:
            yield pair, entry


def _ahead(pair: Pair) -> timedelta:
    return AHEAD - timedelta(seconds=crc32(f"{pair[0]} {pair[1]}".encode()) % _SPREAD_SECONDS)


def _still_in_force(connection: Connection, generation: int) -> bool:
    """Whoever publishes waits for this transaction, since it locks the row that is shared here."""
    shared = select(catalogues.c.generation).where(catalogues.c.generation == generation).with_for_update(read=True)
    connection.execute(shared)
    newest: int | None = connection.scalar(select(func.max(catalogues.c.generation)))
    return newest == generation


def _cursor(connection: Connection, pair: Pair, entry: Entry, note: Note) -> Row[Any]:
    first = {
        "campaign": pair[0],
        "creator_id": pair[1],
        "revision": entry.revision,
        "since": note.at,
        "planned_until": note.at,
        "number": 0,
    }
    connection.execute(insert_new(connection, cursors, [first]))
    mine = and_(cursors.c.campaign == pair[0], cursors.c.creator_id == pair[1])
    return connection.execute(select(cursors).where(mine)).one()


def _occurrences(
    connection: Connection, pair: Pair, entry: Entry, cursor: Row[Any], until: datetime
) -> Iterator[Occurrence]:
    if entry.schedule.kind != "at":
        return entry.occurrences(cursor.planned_until, until)
    if _has_gone(connection, pair):
        return iter(())
    return entry.occurrences(cursor.since if _had_at(connection, pair) else _EPOCH, until)


def _had_at(connection: Connection, pair: Pair) -> bool:
    """Whether this campaign and creator ever had an `at` that no edit withdrew."""
    return bool(connection.scalar(_ats(pair).where(or_(broadcasts.c.state != State.CANCELLED, ~_withdrawn()))))


def _has_gone(connection: Connection, pair: Pair) -> bool:
    """`at` goes once for a campaign and creator, for ever: one that went, or may yet go, is the only one."""
    ended = (State.CANCELLED, State.FAILED, State.SKIPPED, State.EXPIRED)
    return bool(connection.scalar(_ats(pair).where(broadcasts.c.state.not_in(ended))))


def _ats(pair: Pair) -> Any:
    of_pair = (broadcasts.c.campaign == pair[0], broadcasts.c.creator_id == pair[1])
    return select(func.count()).select_from(broadcasts).where(*of_pair, broadcasts.c.kind == "at")


def _withdrawn() -> Any:
    return or_(*(broadcasts.c.reason.startswith(word) for word in _WITHDRAWN))


def _insert(connection: Connection, pair: Pair, rows: Sequence[dict[str, Any]], note: Note) -> list[int]:
    declared_again = _plan_again(connection, pair, rows, note)
    statement = insert_new(connection, broadcasts, rows).returning(broadcasts.c.id)
    inserted = list(connection.scalars(statement))
    accounts.wake(connection, [pair[1]], max(note.at, min(row["due_at"] for row in rows)))
    return declared_again + inserted


def row_for(pair: Pair, entry: Entry, item: Occurrence, number: int, note: Note) -> dict[str, Any]:
    due_at = item.due
    return {
        "campaign": pair[0],
        "creator_id": pair[1],
        "creator": entry.creator.key,
        "platform": entry.creator.platform,
        "part": "main",
        "kind": entry.schedule.kind,
        "occurrence": item.label,
        "number": number,
        "day": item.day,
        "revision": entry.revision,
        "due_at": due_at,
        "expires_at": expiry(entry, due_at),
        "state": State.PLANNED.value,
        "state_since": note.at,
        "waiting_for": "time",
        "version": 1,
        "attempts": 0,
        "put_offs": 0,
        "hand_offs": 0,
        **frozen_values(entry, entry.content(item, number).frozen()),
    }


def expiry(entry: Entry, due_at: datetime) -> datetime:
    """That long after its due time, or after the quiet hours that make it wait."""
    quiet = entry.creator.quiet_hours
    end = quiet.ends_after(due_at, ZoneInfo(entry.creator.zone or "UTC")) if quiet else None
    return (end or due_at) + entry.expires_after


def _plan_again(connection: Connection, pair: Pair, rows: Sequence[dict[str, Any]], note: Note) -> list[int]:
    by_label = {row["occurrence"]: row for row in rows if row["expires_at"] > note.at}
    cancelled = select(broadcasts).where(
        broadcasts.c.campaign == pair[0],
        broadcasts.c.creator_id == pair[1],
        broadcasts.c.part == "main",
        broadcasts.c.state == State.CANCELLED,
        broadcasts.c.occurrence.in_(by_label),
        _withdrawn(),
    )
    again = []
    for old in connection.execute(cancelled).all():
        row = by_label[old.occurrence]
        changes = {name: row[name] for name in row if name not in {"state", "state_since", "version", "attempts"}}
        changes |= {"reason": None, "number": old.number}
        this_one = version_of(old.id, old.version)
        why = Note(note.at, note.who, "declared again in the file")
        again += move(connection, this_one, State.CANCELLED, State.PLANNED, why, **changes)
    return again
