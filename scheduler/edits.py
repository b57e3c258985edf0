"""How an edit of the campaign files comes into force: one short transaction with the catalogue that brings it.

It marks the cursors of the campaigns that the edit concerns. What is planned of them is brought in line right after
that, a batch at a time (`revise.py`); if that is cut off, by the next plan of any scheduler.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.changes import changed
from carillon.campaigns.creators import Creator
from carillon.ledger import accounts, alarms
from carillon.ledger.states import Note
from carillon.ledger.tables import catalogues, creators, cursors, pauses
from scheduler.pairs import Pair, mark, put_cursors

_NEVER = ""
"""The revision of what was never planned, or was withdrawn."""


@dataclass(frozen=True)
class Edit:
    """A catalogue to come into force, as (campaign, creator): its enabled pairs, and those that read otherwise now."""

    catalogue: Catalogue
    content: str
    live: Collection[tuple[str, str]]
    changed: Collection[tuple[str, str]]

    @classmethod
    def of(cls, catalogue: Catalogue, before: Catalogue | None) -> "Edit":
        """Everything that takes long is done here, outside of any transaction."""
        live = list(catalogue.live())
        otherwise = live if before is None else list(changed(catalogue, before, live))
        return cls(catalogue, catalogue.content, live, otherwise)


def put_in_force(connection: Connection, generation: int, edit: Edit, note: Note) -> None:
    """Raises IntegrityError if somebody else published meanwhile."""
    last = select(catalogues.c.generation).where(catalogues.c.generation == generation - 1)
    connection.execute(last.with_for_update())  # waits for whoever plans by it
    published = {"digest": edit.catalogue.digest, "content": edit.content, "published_at": note.at}
    connection.execute(insert(catalogues).values(generation=generation, **published))
    ids = _put_creators(connection, edit.catalogue, note)
    live = {(campaign, ids[key]) for campaign, key in edit.live}
    _mark(connection, live, {(campaign, ids[key]) for campaign, key in edit.changed}, note)
    _forget_texts(connection, live, note)


def complete_cursors(connection: Connection, catalogue: Catalogue, note: Note) -> None:
    """Older releases made the cursor of a pair when they first planned it, and may have been cut off."""
    planned = select(func.count()).select_from(cursors).where(cursors.c.revision != _NEVER)
    if connection.scalar(planned) != catalogue.live_count:
        ids = creator_ids(connection, catalogue)
        _mark(connection, {(campaign, ids[key]) for campaign, key in catalogue.live()}, set(), note)


def creator_ids(connection: Connection, catalogue: Catalogue) -> dict[str, int]:
    """The ledger's id of each creator of the catalogue, by name."""
    columns = (creators.c.id, creators.c.platform, creators.c.account)
    known = {(platform, account): id_ for id_, platform, account in connection.execute(select(*columns))}
    return {creator.key: known[creator.platform, creator.account] for creator in catalogue.creators.values()}


def put_creator(connection: Connection, creator: Creator, note: Note) -> int:
    """One that must be known before the files that declare it are in force; returns its id in the ledger."""
    (id_,) = _insert(connection, [{**_live_values(creator), "throttled_in_a_row": 0}], note).values()
    return id_


def content_digest(frozen: str) -> str:
    return hashlib.sha256(frozen.encode()).hexdigest()


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
        "labels": json.dumps(entry.labels, ensure_ascii=False) if entry.labels else None,
    }


def _mark(connection: Connection, live: Set[Pair], otherwise: Set[Pair], note: Note) -> None:
    """Those that are gone, those that read otherwise, and those that are there again; new ones get their cursor."""
    columns = (cursors.c.campaign, cursors.c.creator_id, cursors.c.revision)
    known = {(campaign, id_): revision for campaign, id_, revision in connection.execute(select(*columns))}
    planned = {pair for pair, revision in known.items() if revision != _NEVER}
    mark(connection, (planned ^ (live & known.keys())) | (planned & otherwise))
    first = {"revision": _NEVER, "since": note.at, "planned_until": note.at, "number": 0, "edited": True}
    put_cursors(connection, [{"campaign": pair[0], "creator_id": pair[1], **first} for pair in live - known.keys()])


def _put_creators(connection: Connection, catalogue: Catalogue, note: Note) -> dict[str, int]:
    rows = connection.execute(select(creators)).all()
    known = {(row.platform, row.account): row for row in rows} | _under_new_references(rows, catalogue)
    _rename_pauses(connection, rows, catalogue)
    wanted = {(creator.platform, creator.account): _live_values(creator) for creator in catalogue.creators.values()}
    otherwise = {
        known[identity].id: values
        for identity, values in wanted.items()
        if identity in known and any(getattr(known[identity], name) != value for name, value in values.items())
    }
    there = {known[identity].id for identity in wanted if identity in known}
    _update(connection, otherwise, [row.id for row in rows if row.enabled and row.id not in there], note)
    ids = {identity: row.id for identity, row in known.items()}
    new = [{**values, "throttled_in_a_row": 0} for identity, values in wanted.items() if identity not in known]
    ids |= _insert(connection, new, note)
    return {creator.key: ids[creator.platform, creator.account] for creator in catalogue.creators.values()}


def _update(
    connection: Connection, otherwise: Mapping[int, Mapping[str, Any]], gone: Sequence[int], note: Note
) -> None:
    accounts.lock(connection, sorted([*otherwise, *gone]))
    if otherwise:
        one = update(creators).where(creators.c.id == bindparam("whose"))
        names = next(iter(otherwise.values()))
        rows = [{"whose": id_, **{f"new_{name}": value for name, value in v.items()}} for id_, v in otherwise.items()]
        connection.execute(one.values({name: bindparam(f"new_{name}") for name in names}), rows)
    connection.execute(update(creators).where(creators.c.id.in_(gone)).values(enabled=False))
    accounts.wake(connection, [*otherwise, *gone], note.at)


def _insert(connection: Connection, new: Sequence[Mapping[str, Any]], note: Note) -> dict[tuple[str, str], int]:
    if not new:
        return {}
    statement = insert(creators).returning(creators.c.platform, creators.c.account, creators.c.id)
    rows = connection.execute(statement, [{**values, "wake_at": note.at} for values in new])
    return {(row.platform, row.account): row.id for row in rows}


def _under_new_references(rows: Sequence[Row[Any]], catalogue: Catalogue) -> dict[tuple[str, str], Row[Any]]:
    """Where the reference to the key is the account, another reference of the same creator is the same account."""
    declared = {(creator.platform, creator.account) for creator in catalogue.creators.values()}
    gone = {
        (row.platform, row.key): row
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
        "platform": creator.platform,
        "account": creator.account,
        "key": creator.key,
        "name": creator.name,
        "account_id": creator.account_id,
        "credentials": creator.credentials,
        "timezone": creator.zone,
        "quiet_hours": str(creator.quiet_hours) if creator.quiet_hours else None,
        "limit_count": creator.limit.count,
        "limit_seconds": creator.limit.seconds,
        "webhook_secret": creator.webhook_secret,
        "enabled": creator.enabled,
    }


def _forget_texts(connection: Connection, live: Set[Pair], note: Note) -> None:
    """The planner clears the alarm of a text that was mended, but not that of one that is gone."""
    told = alarms.open_causes(connection, "text:")
    if told:
        alarms.clear_all(connection, told - {f"text:{campaign}:{id_}" for campaign, id_ in live}, note.at)
