"""Media that broadcasts need are uploaded ahead of time: who plans them asks for it, and a beat gives the orders."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import dramatiq
from sqlalchemy import Connection, select

from carillon.handoff.orders import UPLOAD, hand_off
from carillon.ledger import accounts, uploading
from carillon.ledger.connect import Ledger
from carillon.ledger.owners import Owner, proven_dead
from carillon.ledger.states import Note
from carillon.ledger.tables import broadcasts
from carillon.ledger.uploading import Wanted, want
from carillon.platforms.contract import Content
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.sources import name_of, source_of, to_upload
from carillon.platforms.store import Store
from scheduler.rescue import Reminders

_AT_ONCE = 50
_AGAIN = timedelta(seconds=2)
"""A worker that has far too much to upload lets an order pass."""

_TIDY_AFTER = 3600.0
"""Seconds that a file stays which nothing needs: it may be in the middle of being planned."""


def want_media(connection: Connection, rows: Iterable[Mapping[str, Any]], note: Note) -> None:
    """Have uploaded in time what these broadcasts need; each is a row to be, their accounts are locked."""
    want(connection, [medium for row in rows for medium in _media_of(row)], note.at)


def _media_of(row: Mapping[str, Any]) -> list[Wanted]:
    if '"media"' not in row["content"]:
        return []
    content = Content.model_validate_json(row["content"])
    media = to_upload(PLATFORMS[row["platform"]], content)
    return [Wanted(row["creator_id"], source_of(medium), name_of(medium), row["due_at"]) for medium in media]


def want_again(ledger: Ledger, broadcast_id: int, changes: Mapping[str, Any], who: str) -> None:
    """A person plans an old broadcast again, with these changes: what could not be uploaded for it is tried anew."""
    this_one = select(broadcasts).where(broadcasts.c.id == broadcast_id)
    with ledger.read() as session:
        row = session.execute(this_one).one_or_none()
    if row is not None and _media_of({**row._asdict(), **changes}):
        with accounts.held(ledger, [row.creator_id]) as (connection, now):
            want_media(connection, [{**row._asdict(), **changes, "due_at": now}], Note(now, who, "planned again"))


def order_uploads(ledger: Ledger, broker: dramatiq.Broker, reminders: Reminders) -> list[int]:
    """Hand off what is to be uploaded now, the soonest wanted first; what a dead worker was at goes on."""
    _release_dead(ledger)
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        ripe = uploading.due(connection, now, _AT_ONCE)
    return hand_off(broker, UPLOAD, reminders.due(UPLOAD, ripe, now, _AGAIN))


def _release_dead(ledger: Ledger) -> None:
    with ledger.read() as session:
        owners = uploading.owners(session.connection())
    for owner in [owner for owner in owners if proven_dead(_process(owner))]:
        with ledger.write() as connection:
            uploading.release(connection, owner, ledger.now(connection))


def _process(owner: str) -> Owner:
    host, pid, birth, _ = json.loads(owner)
    return Owner(host, pid, birth)


def tidy_store(ledger: Ledger, store: Store) -> list[str]:
    """Remove the files that no upload needs any more."""
    with ledger.read() as session:
        connection = session.connection()
        needed = uploading.needed(connection, ledger.now(connection))
    return store.tidy(needed, _TIDY_AFTER)
