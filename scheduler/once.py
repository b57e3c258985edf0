"""Broadcasts that a person asks for: one now for each creator, and one that failed, frozen anew.

They go the same way as all others. Where no scheduler runs, `release_own` moves them on, and nobody else's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, insert, select

from carillon import clock
from carillon.campaigns.catalogue import Entry
from carillon.campaigns.occurrences import Occurrence
from carillon.ledger import accounts, allowance, questions
from carillon.ledger.allowance import Wait
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms.contract import Content
from carillon.wall_clock import instant_of, shown
from scheduler.awake import SWEEP_AFTER
from scheduler.edits import frozen_values
from scheduler.proposals import row_for
from scheduler.uploads import want_media


@dataclass(frozen=True)
class Once:
    """One broadcast to be sent now. `content` is the entry's own, or has other lists."""

    entry: Entry
    occurrence: Occurrence
    content: Content


def occurrence_now(entry: Entry, now: datetime) -> Occurrence:
    """A UTC instant, as for `every`; its day is the creator's."""
    return Occurrence(clock.rfc3339(now), now, now, shown(now, entry.schedule.zone))


def occurrence_of(label: str, entry: Entry) -> Occurrence:
    """The occurrence that an old broadcast's label names, whatever the schedule says today."""
    local, _, zone = label.partition(" ")
    if zone:
        wall_clock = datetime.fromisoformat(local)
        at = instant_of(wall_clock, ZoneInfo(zone))
        return Occurrence(label, at, at, wall_clock)
    at = datetime.fromisoformat(label).astimezone(UTC)
    return Occurrence(label, at, at, shown(at, entry.schedule.zone))


def frozen_again(entry: Entry, broadcast: Row[Any]) -> dict[str, Any]:
    """What the entry says now, for an old broadcast; one that a person sent keeps the audience that was named."""
    content = entry.content(occurrence_of(broadcast.occurrence, entry), broadcast.number)
    if broadcast.kind == "send":
        old = Content.model_validate_json(broadcast.content)
        content = content.model_copy(update={"include": old.include, "exclude": old.exclude, "users": old.users})
    return frozen_values(entry, content.frozen())


def unknown_creators(ledger: Ledger, chosen: Collection[Once]) -> list[str]:
    """Those whose account no catalogue in force ever had."""
    with ledger.read() as session:
        known = _account_ids(session.connection())
    return [once.entry.creator.key for once in chosen if _account(once) not in known]


def insert_once(ledger: Ledger, chosen: Collection[Once], who: str) -> list[int]:
    """Insert all of them, due now; returns their ids."""
    with ledger.write() as connection:
        known = _account_ids(connection)
        ids = [known[_account(once)] for once in chosen]
        accounts.lock(connection, ids)
        note = Note(ledger.now(connection), who, "sent by a person")
        rows = [_row(id_, once, note) for id_, once in zip(ids, chosen, strict=True)]
        new = insert(broadcasts).returning(broadcasts.c.id)
        inserted = [connection.execute(new.values(row)).scalar_one() for row in rows]
        want_media(connection, rows, note)
        accounts.wake(connection, ids, note.at)
        return inserted


def _account_ids(connection: Connection) -> dict[tuple[str, str], int]:
    return {(row.platform, row.account): row.id for row in connection.execute(select(creators))}


def _account(once: Once) -> tuple[str, str]:
    return once.entry.creator.platform, once.entry.creator.account


def _row(creator_id: int, once: Once, note: Note) -> dict[str, Any]:
    pair = (once.entry.campaign, creator_id)
    row = row_for(pair, replace(once.entry, lead=None), once.occurrence, 1, note)
    return row | {"kind": "send", **frozen_values(once.entry, once.content.frozen())}


def release_own(ledger: Ledger, ids: Collection[int], who: str) -> list[int]:
    """Move those of these to `queued` that may go now; returns their ids. Nothing is put on a queue."""
    with ledger.write() as connection:
        mine = broadcasts.c.id.in_(ids)
        planned = connection.execute(select(broadcasts).where(mine, broadcasts.c.state == State.PLANNED)).all()
        accounts.lock(connection, {row.creator_id for row in planned})
        now = ledger.now(connection)
        held_by = questions.waits(connection, planned, now)
        return [id_ for row in planned for id_ in _move_on(connection, row, held_by.get(row.id), now, who)]


def _move_on(connection: Connection, row: Row[Any], wait: Wait | None, now: datetime, who: str) -> list[int]:
    this_one = version_of(row.id, row.version)
    ended = _ends(row, now)
    for state, reason in ended.items():
        move(connection, this_one, State.PLANNED, state, Note(now, who, reason), reason=reason)
    if ended or wait or not _is_next(connection, row, now):
        return []
    note = Note(now, who, "due, and a slot is free")
    changes = {"hand_offs": 0, "hand_off_at": now + SWEEP_AFTER}
    return move(connection, this_one, State.PLANNED, State.QUEUED, note, **changes)


def _ends(row: Row[Any], now: datetime) -> Mapping[State, str]:
    """What becomes of it without being sent, by the rules that the scheduler's beats keep."""
    if row.expires_at <= now:
        return {State.EXPIRED: "too_late: it could not go before it expired"}
    return {}


def _is_next(connection: Connection, row: Row[Any], now: datetime) -> bool:
    account = allowance.accounts(connection, creators.c.id == row.creator_id)
    standing = allowance.standings(connection, account, now)[row.creator_id]
    return allowance.better(connection, row, now, standing.paused_campaigns) < standing.free
