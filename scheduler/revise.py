"""Brings what is planned in line with the catalogue in force, where an edit has marked it, a batch at a time.

A removed or disabled campaign's future is cancelled, another schedule counts from now, another content replaces that
of broadcasts that are not due and have no attempt. What is under way keeps what it had.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.text import TextError
from carillon.ledger import accounts, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.doubts import end_unsent
from carillon.ledger.inserts import among
from carillon.ledger.states import Note, State
from carillon.ledger.tables import broadcasts, catalogues, cursors, events
from scheduler import placed
from scheduler.edits import creator_ids, frozen_values
from scheduler.pairs import Pair, around, batches, cursors_of, put_cursors
from scheduler.proposals import DISABLED, REMOVED, RESCHEDULED
from scheduler.uploads import want_media

_AT_ONCE = 200


def revise(
    ledger: Ledger, catalogue: Catalogue, generation: int, who: str, stopping: Callable[[], bool] = lambda: False
) -> None:
    """All that is marked, as long as this generation is in force."""
    with ledger.read() as session:
        keys = select(cursors.c.campaign, cursors.c.creator_id).where(cursors.c.edited)
        pairs = [(row.campaign, row.creator_id) for row in session.execute(keys.order_by(*keys.selected_columns))]
    names = names_of(ledger, catalogue) if pairs else {}
    for batch in batches(pairs, _AT_ONCE):
        entries = {pair: entry_of(catalogue, names, pair) for pair in batch}
        _keep_files(entries.values())
        with ledger.write() as connection:
            if stopping() or not still_in_force(connection, generation):
                return
            accounts.lock(connection, sorted({creator_id for _, creator_id in batch}))
            note = Note(ledger.now(connection), who, "the campaign files were edited")
            _revise_batch(connection, entries, note)


def _keep_files(entries: Iterable[Entry | None]) -> None:
    """A large file is copied before anything is locked."""
    for entry in entries:
        if entry is not None and is_live(entry):
            with suppress(TextError):
                entry.keep_files()


def still_in_force(connection: Connection, generation: int) -> bool:
    """Whoever publishes waits for this transaction, since it locks the row that is shared here."""
    newest = select(catalogues.c.generation).order_by(catalogues.c.generation.desc()).limit(1)
    shared = select(catalogues.c.generation).where(catalogues.c.generation == generation)
    connection.execute(shared.with_for_update(read=True))
    return bool(connection.scalar(newest) == generation)


def names_of(ledger: Ledger, catalogue: Catalogue) -> Mapping[int, str]:
    """The catalogue's creators by their ids in the ledger."""
    with ledger.read() as session:
        return {id_: key for key, id_ in creator_ids(session.connection(), catalogue).items()}


def entry_of(catalogue: Catalogue, names: Mapping[int, str], pair: Pair) -> Entry | None:
    return catalogue.entry(pair[0], names[pair[1]]) if pair[1] in names else None


def _revise_batch(connection: Connection, entries: Mapping[Pair, Entry | None], note: Note) -> None:
    found = {pair: cursor for pair, cursor in cursors_of(connection, entries).items() if cursor.edited}
    waiting, on_platform = _waiting(connection, found), placed.placed_of(connection, found, note.at)
    withdrawn: dict[str, list[Row[Any]]] = defaultdict(list)
    again = placed.on_the_way(connection, found, note.at)
    put_cursors(connection, [{**_revised(found[pair], entries[pair], note), "edited": pair in again} for pair in found])
    for pair in found:
        entry, rows = entries[pair], waiting[pair]
        planned = [row for row in rows if row.state == State.PLANNED and placing.due(row) > note.at]
        if entry is None or not is_live(entry):
            reason = REMOVED if entry is None else DISABLED
            withdrawn[reason] += rows
            placed.withdraw(connection, on_platform[pair], reason, note)
            continue
        placed.revise(connection, entry, on_platform[pair], RESCHEDULED, note)
        withdrawn[RESCHEDULED] += [row for row in planned if row.revision != entry.revision]
        _refresh(connection, entry, [row for row in planned if _is_to_follow(row, entry)], note)
    for reason, rows in withdrawn.items():
        _cancel(connection, rows, reason, note)


def _is_to_follow(row: Row[Any], entry: Entry) -> bool:
    """What is to be placed follows the file to the end, as it does once it is placed."""
    return row.revision == entry.revision and (row.attempts == 0 or row.goes_at is not None)


def is_live(entry: Entry) -> bool:
    return entry.enabled and entry.creator.enabled


def _revised(cursor: Row[Any], entry: Entry | None, note: Note) -> dict[str, Any]:
    """What is withdrawn counts from when it is declared again, and finds its cancelled rows then."""
    kept = cursor._asdict()
    if entry is None or not is_live(entry):
        return {**kept, "revision": ""}
    if cursor.revision == entry.revision:
        return kept
    return {**kept, "revision": entry.revision, "since": note.at, "planned_until": note.at}


def _waiting(connection: Connection, pairs: Collection[Pair]) -> Mapping[Pair, list[Row[Any]]]:
    """What is planned or queued of them, but for what a person sends."""
    found: dict[Pair, list[Row[Any]]] = {pair: [] for pair in pairs}
    states = broadcasts.c.state.in_((State.PLANNED, State.QUEUED))
    which = (around(connection, broadcasts, pairs), states, broadcasts.c.kind != "send")
    for row in connection.execute(select(broadcasts).where(*which).order_by(broadcasts.c.id)):
        found.get((row.campaign, row.creator_id), []).append(row)
    return found


def _cancel(connection: Connection, rows: Sequence[Row[Any]], reason: str, note: Note) -> None:
    for source in (State.PLANNED, State.QUEUED):
        ids = [row.id for row in rows if row.state == source]
        if ids:
            why = Note(note.at, note.who, reason)
            these = among(connection, broadcasts.c.id, ids)
            end_unsent(connection, these, source, State.CANCELLED, why, reason=reason)


def _refresh(connection: Connection, entry: Entry, rows: Sequence[Row[Any]], note: Note) -> None:
    if not rows:
        return
    after = min(map(placing.due, rows)) - entry.schedule.jitter - timedelta(seconds=1)
    known = {item.label: item for item in entry.occurrences(after, max(map(placing.due, rows)))}
    fresh = []
    for row in rows:
        if row.occurrence in known:
            with suppress(TextError):  # then it keeps what it had, and the planner tells of it
                content = entry.content(known[row.occurrence], row.number).frozen()
                fresh.append((row, _values(row, entry, content)))
    _replace(connection, [(row, values) for row, values in fresh if _differ(row, values)], note)


def _values(row: Row[Any], entry: Entry, content: str) -> dict[str, Any]:
    values = frozen_values(entry, content)
    values["goes_at"] = placing.due(row) if entry.lead else None
    values["due_at"] = placing.due(row) - (entry.lead or timedelta())
    values["expires_at"] = row.expires_at + timedelta(seconds=values["expires_after"] - row.expires_after)
    return values


def _differ(row: Row[Any], values: Mapping[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())


def _replace(connection: Connection, fresh: Sequence[tuple[Row[Any], dict[str, Any]]], note: Note) -> None:
    if not fresh:
        return
    this_one = and_(broadcasts.c.id == bindparam("which"), broadcasts.c.version == bindparam("read"))
    said = {name: bindparam(f"new_{name}", type_=broadcasts.c[name].type) for name in fresh[0][1]}
    rows = [
        {"which": row.id, "read": row.version, **{f"new_{name}": value for name, value in values.items()}}
        for row, values in fresh
    ]
    in_place = update(broadcasts).where(this_one).values(version=broadcasts.c.version + 1, **said)
    connection.execute(in_place, rows)
    accounts.wake(connection, sorted({row.creator_id for row, _ in fresh}), note.at)
    want_media(connection, [{**row._asdict(), **values} for row, values in fresh], note)
    same = {"at": note.at, "source": "planned", "target": "planned", "who": note.who}
    why = "its content was edited before it was due"
    told = [{"broadcast_id": row.id, "creator_id": row.creator_id, "why": why, **same} for row, _ in fresh]
    connection.execute(insert(events), told)
