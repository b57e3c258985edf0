"""Which uploads a broadcast may name when it is sent.

A reference that works once is reserved for one broadcast, before its claim. An attempt that was surely not accepted
gives it back to that broadcast; one that was, or may have been, has used it up, and another upload is made.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from carillon.ledger.states import State
from carillon.ledger.tables import attempts, broadcasts
from carillon.ledger.tables_media import uploads
from carillon.ledger.uploading import OPEN, Wanted, hurry, newest_first, want

_STILL_GOOD = ("throttled", "not_sent", "credentials", "forbidden")
"""What was refused is not among them: the reference may be the reason."""


def ready(connection: Connection, creator_id: int, sources: Collection[str]) -> Mapping[str, str] | None:
    """The references, if all of them are there and may be used by anybody at any time."""
    newest = _newest(newest_first(connection, [creator_id], sources))
    good = {source: row.reference for source, row in newest.items() if row.state == "ready" and not row.single_use}
    return good if len(good) == len(set(sources)) else None


def settle(
    connection: Connection, broadcast_id: int, wanted: Sequence[Wanted], now: datetime
) -> Mapping[str, Row[Any]]:
    """The upload for each medium of a broadcast: its own, or one that is open or failed. The account's lock is held."""
    _mark_used(connection, broadcast_id)
    found = _chosen(connection, broadcast_id, wanted)
    lacking = [one for one in wanted if one.source not in found]
    if lacking:
        want(connection, lacking, now)
        found = _chosen(connection, broadcast_id, wanted)
    for one in {one.source: one for one in wanted}.values():
        row = found[one.source]
        if row.state in OPEN:
            hurry(connection, row.id, now)
        elif row.state == "ready" and row.single_use and row.reserved_for is None:
            _reserve(connection, row, broadcast_id, one, now)
    return found


def as_sent(connection: Connection, creator_id: int, broadcast_id: int, sources: Collection[str]) -> Mapping[str, str]:
    """The references that its last attempt named, as far as they are known."""
    sent: dict[str, str] = {}
    for row in newest_first(connection, [creator_id], sources) if sources else ():
        mine = row.reserved_for == broadcast_id if row.single_use else row.state == "ready"
        if mine and row.reference:
            sent.setdefault(row.source, row.reference)
    return sent


def _chosen(connection: Connection, broadcast_id: int, wanted: Sequence[Wanted]) -> dict[str, Row[Any]]:
    rows = newest_first(connection, {one.creator_id for one in wanted}, {one.source for one in wanted})
    usable = [row for row in rows if row.used_by is None and row.reserved_for in (None, broadcast_id)]
    singles = [row for row in usable if row.single_use and row.state == "ready"]
    own = [row for row in singles if row.reserved_for == broadcast_id]
    return _newest(usable) | _newest(singles) | _newest(own)


def _newest(rows: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for row in rows:
        found.setdefault(row.source, row)
    return found


def _mark_used(connection: Connection, broadcast_id: int) -> None:
    using = (
        select(func.min(attempts.c.id))
        .where(
            attempts.c.broadcast_id == broadcast_id,
            attempts.c.started_at >= uploads.c.reserved_at,
            or_(attempts.c.verdict.is_(None), attempts.c.verdict.not_in(_STILL_GOOD)),
        )
        .scalar_subquery()
    )
    mine = (uploads.c.reserved_for == broadcast_id, uploads.c.used_by.is_(None))
    connection.execute(update(uploads).where(*mine).values(used_by=using))


def _reserve(connection: Connection, row: Row[Any], broadcast_id: int, medium: Wanted, now: datetime) -> None:
    """And have another one uploaded for the next of the account's broadcasts that names the medium."""
    connection.execute(update(uploads).where(uploads.c.id == row.id).values(reserved_for=broadcast_id, reserved_at=now))
    others = (broadcasts.c.creator_id == row.creator_id, broadcasts.c.state == State.PLANNED)
    naming = broadcasts.c.content.contains(row.source, autoescape=True)
    next_due = select(func.min(broadcasts.c.due_at)).where(*others, broadcasts.c.id != broadcast_id, naming)
    due_at = connection.scalar(next_due)
    if due_at is not None:
        want(connection, [Wanted(row.creator_id, row.source, medium.name, due_at)], now)
