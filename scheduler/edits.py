"""What an edit of the campaign files does to what is planned: one transaction with the catalogue that brings it.

A removed or disabled campaign's future is cancelled, another schedule counts from now, another content replaces that
of broadcasts that are not due and have no attempt. What is under way keeps what it had.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.creators import Creator
from carillon.campaigns.text import TextError
from carillon.ledger import accounts, alarms
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import alarms as alarm_rows
from carillon.ledger.tables import broadcasts, catalogues, creators, cursors, events, pauses

Pair = tuple[str, int]


def put_in_force(
    connection: Connection, generation: int, catalogue: Catalogue, before: Catalogue | None, note: Note
) -> None:
    """Raises IntegrityError if somebody else published meanwhile."""
    last = select(catalogues.c.generation).where(catalogues.c.generation == generation - 1)
    connection.execute(last.with_for_update())  # waits for whoever plans by it
    accounts.lock_all(connection)
    connection.execute(
        insert(catalogues).values(
            generation=generation, digest=catalogue.digest, content=catalogue.content, published_at=note.at
        )
    )
    ids = _put_creators(connection, catalogue)
    entries = {(entry.campaign, ids[entry.creator.key]): entry for entry in catalogue.entries()}
    _withdraw(connection, entries, note)
    planned = _planned_before(connection)
    for pair, entry in entries.items():
        if pair in planned and entry.enabled and entry.creator.enabled and _changed(entry, before):
            reschedule(connection, pair, entry, note)
            _refresh(connection, pair, entry, note)
    accounts.wake(connection, list(ids.values()), note.at)


def creator_ids(connection: Connection, catalogue: Catalogue) -> dict[str, int]:
    """The ledger's id of each creator of the catalogue, by name."""
    known = {(row.platform, row.account): row.id for row in connection.execute(select(creators))}
    return {creator.key: known[creator.platform, creator.account] for creator in catalogue.creators.values()}


def content_digest(frozen: str) -> str:
    return hashlib.sha256(frozen.encode()).hexdigest()


def reschedule(connection: Connection, pair: Pair, entry: Entry, note: Note) -> None:
    """Under another schedule, what is planned and not due is cancelled; the new one counts from now."""
    mine = and_(cursors.c.campaign == pair[0], cursors.c.creator_id == pair[1])
    cursor = connection.execute(select(cursors).where(mine)).one_or_none()
    if cursor is None or cursor.revision == entry.revision:
        return
    reason = "rescheduled: the campaign's schedule was edited"
    which = and_(_of(pair), broadcasts.c.due_at > note.at, broadcasts.c.kind != "send")
    move(connection, which, State.PLANNED, State.CANCELLED, Note(note.at, note.who, reason), reason=reason)
    again = {"revision": entry.revision, "since": note.at, "planned_until": note.at}
    connection.execute(update(cursors).where(mine).values(again))


def frozen_values(entry: Entry, content: str) -> dict[str, Any]:
    """What of an entry is frozen into a broadcast, beside its times."""
    return {
        "content": content,
        "content_digest": content_digest(content),
        "priority": entry.priority,
        "overlap": entry.overlap,
        "catch_up": entry.catch_up,
        "on_unknown": entry.on_unknown,
        "expires_after": int(entry.expires_after.total_seconds()),
    }


def _planned_before(connection: Connection) -> set[Pair]:
    return {(row.campaign, row.creator_id) for row in connection.execute(select(cursors))}


def _put_creators(connection: Connection, catalogue: Catalogue) -> dict[str, int]:
    rows = connection.execute(select(creators)).all()
    known = {(row.platform, row.account): row.id for row in rows} | _under_new_references(rows, catalogue)
    connection.execute(update(creators).values(enabled=False))
    _rename_pauses(connection, rows, catalogue)
    for creator in catalogue.creators.values():
        values = _live_values(creator)
        identity = (creator.platform, creator.account)
        if identity in known:
            live = {"account": creator.account, **values}
            connection.execute(update(creators).where(creators.c.id == known[identity]).values(live))
        else:
            new = insert(creators).values(
                platform=creator.platform, account=creator.account, throttled_in_a_row=0, **values
            )
            known[identity] = connection.execute(new.returning(creators.c.id)).scalar_one()
    return {creator.key: known[creator.platform, creator.account] for creator in catalogue.creators.values()}


def _under_new_references(rows: Sequence[Row[Any]], catalogue: Catalogue) -> dict[tuple[str, str], int]:
    """Where the reference to the key is the account, another reference of the same creator is the same account."""
    declared = {(creator.platform, creator.account) for creator in catalogue.creators.values()}
    gone = {
        (row.platform, row.key): row.id
        for row in rows
        if (row.platform, row.account) not in declared and row.account_id is None
    }
    taken = {(row.platform, row.account) for row in rows}
    return {
        (creator.platform, creator.account): gone[creator.platform, creator.key]
        for creator in catalogue.creators.values()
        if creator.account_id is None
        and (creator.platform, creator.account) not in taken
        and (creator.platform, creator.key) in gone
    }


def _rename_pauses(connection: Connection, rows: Sequence[Row[Any]], catalogue: Catalogue) -> None:
    """A pause of a creator follows the account when its name in the file changes."""
    names = {(creator.platform, creator.account): creator.key for creator in catalogue.creators.values()}
    for row in rows:
        name = names.get((row.platform, row.account), row.key)
        if name != row.key:
            mine = update(pauses).where(pauses.c.level == "creator", pauses.c.target == row.key)
            connection.execute(mine.values(target=name))


def _live_values(creator: Creator) -> dict[str, Any]:
    return {
        "key": creator.key,
        "name": creator.name,
        "account_id": creator.account_id,
        "credentials": creator.credentials,
        "timezone": creator.zone,
        "quiet_hours": str(creator.quiet_hours) if creator.quiet_hours else None,
        "limit_count": creator.limit.count,
        "limit_seconds": creator.limit.seconds,
        "enabled": creator.enabled,
    }


def _withdraw(connection: Connection, entries: dict[Pair, Entry], note: Note) -> None:
    live = {pair for pair, entry in entries.items() if entry.enabled and entry.creator.enabled}
    waiting = broadcasts.c.state.in_((State.PLANNED, State.QUEUED))
    planned = select(broadcasts.c.campaign, broadcasts.c.creator_id).where(waiting, broadcasts.c.kind != "send")
    for pair in {(row.campaign, row.creator_id) for row in connection.execute(planned.distinct())} - live:
        reason = "disabled: switched off in the file" if pair in entries else "removed: gone from the file"
        which = and_(_of(pair), broadcasts.c.kind != "send")
        for source in (State.PLANNED, State.QUEUED):
            move(connection, which, source, State.CANCELLED, Note(note.at, note.who, reason), reason=reason)
    _rewind(connection, live)
    _forget_texts(connection, live, note)


def _rewind(connection: Connection, live: set[Pair]) -> None:
    """The cursor of what is withdrawn: declared again, it counts from then, and finds its cancelled rows."""
    pairs = connection.execute(select(cursors.c.campaign, cursors.c.creator_id).where(cursors.c.revision != ""))
    for pair in {(row.campaign, row.creator_id) for row in pairs} - live:
        mine = and_(cursors.c.campaign == pair[0], cursors.c.creator_id == pair[1])
        connection.execute(update(cursors).where(mine).values(revision=""))


def _forget_texts(connection: Connection, live: set[Pair], note: Note) -> None:
    """The planner clears the alarm of a text that was mended, but not that of one that is gone."""
    wrong = (alarm_rows.c.cleared_at.is_(None), alarm_rows.c.cause.startswith("text:"))
    told = set(connection.scalars(select(alarm_rows.c.cause).where(*wrong)))
    alarms.clear_all(connection, told - {f"text:{campaign}:{id_}" for campaign, id_ in live}, note.at)


def _changed(entry: Entry, before: Catalogue | None) -> bool:
    known = before.entry(entry.campaign, entry.creator.key) if before else None
    return known != entry or known.draft != entry.draft


def _refresh(connection: Connection, pair: Pair, entry: Entry, note: Note) -> None:
    fresh = and_(
        _of(pair),
        broadcasts.c.state == State.PLANNED,
        broadcasts.c.due_at > note.at,
        broadcasts.c.attempts == 0,
        broadcasts.c.kind != "send",
    )
    rows = connection.execute(select(broadcasts).where(fresh)).all()
    if not rows:
        return
    after = min(row.due_at for row in rows) - entry.schedule.jitter - timedelta(seconds=1)
    known = {item.label: item for item in entry.occurrences(after, max(row.due_at for row in rows))}
    for row in rows:
        if row.occurrence in known:
            with suppress(TextError):  # then it keeps what it had, and the planner tells of it
                content = entry.content(known[row.occurrence], row.number).frozen()
                _replace(connection, row, entry, content, note)


def _replace(connection: Connection, row: Row[Any], entry: Entry, content: str, note: Note) -> None:
    values = frozen_values(entry, content)
    values["expires_at"] = row.expires_at + timedelta(seconds=values["expires_after"] - row.expires_after)
    if all(getattr(row, name) == value for name, value in values.items()):
        return
    in_place = update(broadcasts).where(version_of(row.id, row.version)).values(version=row.version + 1, **values)
    connection.execute(in_place)
    connection.execute(
        insert(events).values(
            broadcast_id=row.id,
            creator_id=row.creator_id,
            at=note.at,
            source=row.state,
            target=row.state,
            why="its content was edited before it was due",
            who=note.who,
        )
    )


def _of(pair: Pair) -> ColumnElement[bool]:
    return and_(broadcasts.c.campaign == pair[0], broadcasts.c.creator_id == pair[1])
