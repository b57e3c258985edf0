"""What would be planned next of campaigns: worked out from their cursors without a lock, then written in one go.

The unique key (campaign, account, part, occurrence) makes planning safe to repeat: two schedulers, a restart, a reload
and the second 02:30 of an autumn night still meet one row. What was worked out from a cursor that has moved on
meanwhile is dropped.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, exists, insert, or_, select

from carillon.campaigns.catalogue import Entry
from carillon.campaigns.occurrences import Occurrence
from carillon.campaigns.text import TextError
from carillon.ledger import alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import insert_all_new
from carillon.ledger.placing import NOT_TAKEN, WITHDRAW, said_by_a_person
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, events
from scheduler.awake import wake_each
from scheduler.edits import frozen_values
from scheduler.pairs import Pair, around, cursors_of, put_cursors
from scheduler.uploads import want_media

RESCHEDULED = "rescheduled: the campaign's schedule was edited"
DISABLED = "disabled: switched off in the file"
REMOVED = "removed: gone from the file"
_WITHDRAWN = (RESCHEDULED, DISABLED, REMOVED)
"""Why an edit cancels. What somebody removed from a platform's own scheduler was cancelled for another reason."""


@dataclass(frozen=True)
class Proposal:
    """New rows of one campaign for one creator, and how far it is planned then."""

    cursor: Row[Any]
    entry: Entry
    rows: Sequence[dict[str, Any]]
    planned_until: datetime
    unseen: int = 0
    """So many more fell due while no scheduler ran, and get no rows."""

    @property
    def pair(self) -> Pair:
        return self.cursor.campaign, self.cursor.creator_id


@dataclass(frozen=True)
class Ats:
    """Of campaigns that go once for a creator, for ever: the pairs that ever had their `at`, and whose may yet go."""

    had: Collection[Pair]
    gone: Collection[Pair]


def propose(
    cursor: Row[Any], entry: Entry, found: Sequence[Occurrence], planned_until: datetime, note: Note, unseen: int = 0
) -> Proposal:
    """Raises TextError."""
    pair = (cursor.campaign, cursor.creator_id)
    rows = [row_for(pair, entry, item, cursor.number + n, note) for n, item in enumerate(found, start=1)]
    return Proposal(cursor, entry, rows, planned_until, unseen)


def carry_out(connection: Connection, proposals: Sequence[Proposal], note: Note) -> list[int]:
    """Write them; their accounts are locked. Returns the ids of the rows that are new, or planned again."""
    sound = _still_sound(connection, proposals)
    rows = [row for proposal in sound for row in proposal.rows]
    new = _insert(connection, rows, note)
    keys = {_key(row) for row in new}
    want_media(connection, [row for row in rows if _key_of(row) in keys], note)
    counts = Counter((row.campaign, row.creator_id) for row in new)
    put_cursors(connection, [_moved_on(proposal, counts[proposal.pair]) for proposal in sound])
    wakes: dict[int, datetime] = {}
    for row in rows:
        at = max(note.at, row["due_at"])
        wakes[row["creator_id"]] = min(wakes.get(row["creator_id"], at), at)
    wake_each(connection, wakes)
    _tell_unseen(connection, sound, note)
    _clear_texts(connection, sound, note)
    return [row.id for row in new]


def row_for(pair: Pair, entry: Entry, item: Occurrence, number: int, note: Note) -> dict[str, Any]:
    goes_at = item.due if entry.lead else None
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
        "due_at": item.due - (entry.lead or timedelta()),
        "goes_at": goes_at,
        "expires_at": expiry(entry, item.due),
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


def ats(connection: Connection, pairs: Collection[Pair]) -> Ats:
    """One that went, or may yet go, is the only one; one that an edit withdrew is as if it had never been."""
    columns = [broadcasts.c[name] for name in ("campaign", "creator_id", "state", "reason", "wish", "wished")]
    which = (around(connection, broadcasts, pairs), broadcasts.c.kind == "at")
    had, gone = set(), set()
    for row in connection.execute(select(*columns).where(*which)) if pairs else ():
        pair = (row.campaign, row.creator_id)
        if _is_being_withdrawn(row):
            continue
        if row.state not in {State.CANCELLED, State.FAILED, State.SKIPPED, State.EXPIRED}:
            gone.add(pair)
        if row.state != State.CANCELLED or not (row.reason or "").startswith(_WITHDRAWN):
            had.add(pair)
    return Ats(had, gone)


def _is_being_withdrawn(row: Row[Any]) -> bool:
    """From a platform's scheduler, by an edit: what is declared in its place waits for that (`resent.py`)."""
    return bool(row.state == State.PLACED and row.wish == WITHDRAW and not said_by_a_person(row))


def tell_of_text(ledger: Ledger, pair: Pair, entry: Entry, error: TextError) -> None:
    """A text that only some occurrence brings into trouble: its campaign is not planned further until it is mended."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        message = f"campaign {pair[0]} cannot be planned for {entry.creator.key}: {error}"
        alarms.sound(connection, f"text:{pair[0]}:{pair[1]}", message, now, creator_id=pair[1])


def _still_sound(connection: Connection, proposals: Sequence[Proposal]) -> list[Proposal]:
    known = cursors_of(connection, [proposal.pair for proposal in proposals])
    sound = [proposal for proposal in proposals if known.get(proposal.pair) == proposal.cursor]
    once = [proposal.pair for proposal in sound if proposal.rows and proposal.entry.schedule.kind == "at"]
    gone = ats(connection, once).gone
    return [replace(proposal, rows=()) if proposal.pair in gone else proposal for proposal in sound]


def _moved_on(proposal: Proposal, new: int) -> dict[str, Any]:
    number = proposal.cursor.number + new
    return {**proposal.cursor._asdict(), "planned_until": proposal.planned_until, "number": number}


def _insert(connection: Connection, rows: Sequence[dict[str, Any]], note: Note) -> Sequence[Row[Any]]:
    """What is new, and what an edit had withdrawn and is planned again, with id, campaign and creator."""
    columns = [broadcasts.c[name] for name in ("id", "campaign", "creator_id", "occurrence")]
    new = insert_all_new(connection, broadcasts, rows, *columns)
    inserted = {_key(row) for row in new}
    met = {key: row for row in rows if (key := _key_of(row)) not in inserted}
    return [*new, *_plan_again(connection, met, note)]


def _key(row: Row[Any]) -> tuple[str, int, str]:
    return row.campaign, row.creator_id, row.occurrence


def _key_of(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["campaign"], row["creator_id"], row["occurrence"]


def _plan_again(
    connection: Connection, met: Mapping[tuple[str, int, str], dict[str, Any]], note: Note
) -> list[Row[Any]]:
    """Of rows that are there already, those that an edit of the file had withdrawn and that may still go.

    What a platform's scheduler had no more after it was due may have gone: its attempt is still an accepted one.
    """
    fresh = {key: row for key, row in met.items() if row["expires_at"] > note.at}
    if not fresh:
        return []
    withdrawn = or_(*(broadcasts.c.reason.startswith(word) for word in _WITHDRAWN))
    cancelled = select(broadcasts).where(
        around(connection, broadcasts, {(campaign, creator_id) for campaign, creator_id, _ in fresh}),
        broadcasts.c.part == "main",
        broadcasts.c.state == State.CANCELLED,
        broadcasts.c.expires_at > note.at,
        withdrawn,
        ~exists().where(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.verdict == "accepted"),
    )
    again = [row for row in connection.execute(cancelled).all() if _key(row) in fresh]
    return [old for old in again if _move_back(connection, old, fresh[_key(old)], note)]


def _move_back(connection: Connection, old: Row[Any], row: Mapping[str, Any], note: Note) -> list[int]:
    changes = {name: row[name] for name in row if name not in {"state", "state_since", "version", "attempts"}}
    changes |= {"reason": None, "number": old.number, **NOT_TAKEN}
    why = Note(note.at, note.who, "declared again in the file")
    return move(connection, version_of(old.id, old.version), State.CANCELLED, State.PLANNED, why, **changes)


def _tell_unseen(connection: Connection, proposals: Iterable[Proposal], note: Note) -> None:
    for proposal in proposals:
        if proposal.unseen:
            why = f"missed_window: {proposal.unseen} more occurrences of {proposal.pair[0]} fell due unseen"
            about = {"creator_id": proposal.pair[1], "at": note.at, "who": note.who, "why": why}
            connection.execute(insert(events).values(about))


def _clear_texts(connection: Connection, proposals: Iterable[Proposal], note: Note) -> None:
    planned = {f"text:{campaign}:{creator_id}" for campaign, creator_id in (each.pair for each in proposals)}
    mended = planned & alarms.open_causes(connection, "text:")
    if mended:
        alarms.clear_all(connection, mended, note.at)
