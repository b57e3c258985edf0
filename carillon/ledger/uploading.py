"""Uploads of media: what is wanted by when, who works on it, and what became of it.

Whoever plans holds the account's lock; who carries an upload out holds its row by `owner` until `next_at`, which is put
ahead as long as that process lives. What was uploaded is remembered by account and source, and used again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, and_, case, insert, literal, or_, select, update

from carillon.ledger import accounts, alarms
from carillon.ledger.inserts import among
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators
from carillon.ledger.tables_media import uploads

AHEAD = timedelta(hours=24)
"""So long before it is due a medium is uploaded."""

LEASE = timedelta(seconds=40)

URL_STAYS = timedelta(hours=24)
"""What a URL led to is asked for anew after that: it may lead to something else by then."""

NEEDED_AFTER = timedelta(days=30)
"""So long after its due time a broadcast may be wanted again as it was."""

OPEN = ("waiting", "sending", "processing")
IS_OPEN = uploads.c.state.in_([literal(state, literal_execute=True) for state in OPEN])
"""Said in the statement itself: the index of what is open is only for statements that say so."""

_IDLE = case((uploads.c.state == "sending", "waiting"), else_=uploads.c.state)
_BUSY = case((uploads.c.state == "waiting", "sending"), else_=uploads.c.state)

Pair = tuple[int, str]


@dataclass(frozen=True)
class Wanted:
    """A medium that a broadcast of an account, due then, must have."""

    creator_id: int
    source: str
    name: str
    due_at: datetime


def want(connection: Connection, wanted: Iterable[Wanted], now: datetime) -> None:
    """Make sure of an upload for each; one that failed is tried anew. The accounts' locks are held."""
    pairs: dict[Pair, list[Wanted]] = {}
    for one in wanted:
        pairs.setdefault((one.creator_id, one.source), []).append(one)
    if not pairs:
        return
    usable = _usable(connection, pairs, now)
    new = [_new(group, now) for pair, group in pairs.items() if pair not in usable]
    if new:
        connection.execute(insert(uploads), new)
    for pair, row in usable.items():
        connection.execute(update(uploads).where(uploads.c.id == row.id).values(_for_these_too(row, pairs[pair], now)))


def newest_first(connection: Connection, creator_ids: Iterable[int], sources: Iterable[str]) -> Sequence[Row[Any]]:
    """All that there ever was of these sources for these accounts."""
    theirs = (among(connection, uploads.c.creator_id, set(creator_ids)), uploads.c.source.in_(set(sources)))
    return connection.execute(select(uploads).where(*theirs).order_by(uploads.c.id.desc())).all()


def hurry(connection: Connection, upload_id: int, now: datetime) -> None:
    """It is wanted now; what somebody works on, or what was put off, is not disturbed."""
    resting = (uploads.c.id == upload_id, uploads.c.state == "waiting", uploads.c.tries == 0)
    connection.execute(update(uploads).where(*resting, uploads.c.next_at > now).values(next_at=now, wanted_by=now))


def due(
    connection: Connection, now: datetime, most: int, of: Select[tuple[int]] | None = None
) -> list[tuple[int, str]]:
    """Ids and platforms of what may be worked on, the soonest wanted first; of those accounts alone, or of all."""
    columns = select(uploads.c.id, creators.c.platform).join_from(
        uploads, creators, uploads.c.creator_id == creators.c.id
    )
    open_ones = columns.where(IS_OPEN, uploads.c.next_at <= now, creators.c.stopped_at.is_(None))
    theirs = open_ones if of is None else open_ones.where(uploads.c.creator_id.in_(of))
    return [(id_, platform) for id_, platform in connection.execute(theirs.order_by(uploads.c.wanted_by).limit(most))]


def owners(connection: Connection) -> list[str]:
    """Of all that is being worked on."""
    owned = select(uploads.c.owner).where(IS_OPEN, uploads.c.owner.is_not(None))
    return list(connection.scalars(owned))


def release(connection: Connection, owner: str, now: datetime) -> None:
    """What its owner, who is dead or stops, was at may go on at once."""
    connection.execute(_of(owner).values(owner=None, next_at=now, state=_IDLE))


def take(connection: Connection, upload_id: int, owner: str, now: datetime) -> Row[Any] | None:
    """The upload with its account, if it is to be worked on and nobody else does."""
    free = and_(uploads.c.id == upload_id, IS_OPEN, uploads.c.next_at <= now)
    taken = update(uploads).where(free).values(owner=owner, next_at=now + LEASE, state=_BUSY)
    if not connection.execute(taken).rowcount:
        return None
    account = [creators.c[name] for name in ("key", "platform", "account_id", "credentials")]
    both = select(uploads, *account).join_from(uploads, creators, uploads.c.creator_id == creators.c.id)
    return connection.execute(both.where(uploads.c.id == upload_id)).one()


def keep(connection: Connection, owner: str, now: datetime, **values: object) -> bool:
    """Write down how far it is, if anything, and hold it longer; False if somebody else has it by now."""
    return bool(connection.execute(_of(owner).values(next_at=now + LEASE, **values)).rowcount)


def put_off(connection: Connection, owner: str, until: datetime, **values: object) -> bool:
    values = {"owner": None, "next_at": until, "state": _IDLE, **values}
    return bool(connection.execute(_of(owner).values(values)).rowcount)


def end(connection: Connection, row: Row[Any], owner: str, now: datetime, **values: object) -> bool:
    """It is `ready` or `failed`: what waits for media is looked at again. The account's lock is held."""
    if not connection.execute(_of(owner).values(owner=None, next_at=now, **values)).rowcount:
        return False
    waiting = (broadcasts.c.state == State.PLANNED, broadcasts.c.waiting_for == "media")
    theirs = update(broadcasts).where(broadcasts.c.creator_id == row.creator_id, *waiting)
    connection.execute(theirs.values(not_before=now))
    accounts.wake(connection, [row.creator_id], now)
    if values["state"] == "ready":
        alarms.clear(connection, alarm_cause(row.id), now)
    return True


def alarm_cause(upload_id: int) -> str:
    return f"upload:{upload_id}"


def same_content(connection: Connection, creator_id: int, sha256: str) -> str | None:
    """The reference that the account has for that content already, if it may be used again."""
    same = or_(uploads.c.source == f"file:{sha256}", uploads.c.stored == sha256)
    ready = (uploads.c.creator_id == creator_id, uploads.c.state == "ready", uploads.c.single_use.is_(False))
    newest = select(uploads.c.reference).where(*ready, same).order_by(uploads.c.id.desc()).limit(1)
    reference: str | None = connection.scalar(newest)
    return reference


def needed(connection: Connection, now: datetime) -> set[str]:
    """The hashes of all files that may still be uploaded."""
    rows = connection.execute(select(uploads.c.source, uploads.c.stored).where(uploads.c.needed_until > now).distinct())
    return {found for row in rows for found in (row.source.removeprefix("file:"), row.stored) if found}


def _usable(connection: Connection, pairs: Mapping[Pair, object], now: datetime) -> dict[Pair, Row[Any]]:
    found: dict[Pair, Row[Any]] = {}
    for row in newest_first(connection, (id_ for id_, _ in pairs), (source for _, source in pairs)):
        pair = (row.creator_id, row.source)
        if pair in pairs and _will_do(row, now):
            found.setdefault(pair, row)
    return found


def _will_do(row: Row[Any], now: datetime) -> bool:
    if row.state in OPEN:
        return True
    fresh = row.source.startswith("file:") or (row.uploaded_at is not None and now - row.uploaded_at < URL_STAYS)
    return row.state == "ready" and fresh and (not row.single_use or row.reserved_for is None)


def _new(group: Sequence[Wanted], now: datetime) -> dict[str, Any]:
    soonest, latest = min(one.due_at for one in group), max(one.due_at for one in group)
    return {
        "creator_id": group[0].creator_id,
        "source": group[0].source,
        "name": group[0].name,
        "state": "waiting",
        "single_use": False,
        "progress": "{}",
        "tries": 0,
        "next_at": max(now, soonest - AHEAD),
        "wanted_by": soonest,
        "needed_until": latest + NEEDED_AFTER,
    }


def _for_these_too(row: Row[Any], group: Sequence[Wanted], now: datetime) -> dict[str, Any]:
    new = _new(group, now)
    said = {"needed_until": max(row.needed_until, new["needed_until"])}
    if row.state == "waiting" and new["wanted_by"] < row.wanted_by:
        said["wanted_by"] = new["wanted_by"]
        if row.tries == 0:
            said["next_at"] = min(row.next_at, new["next_at"])
    return said


def _of(owner: str) -> Update:
    return update(uploads).where(uploads.c.owner == owner, IS_OPEN)
