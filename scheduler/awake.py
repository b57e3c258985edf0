"""One transaction over accounts whose `wake_at` has come: what may go now is moved to `queued`, and they sleep again.

What is read grows with what goes, not with what waits: each account is asked for as many broadcasts as it has free
slots, in the limit's order, along an index that holds no others.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    bindparam,
    func,
    literal,
    or_,
    select,
    update,
)

from carillon.ledger import allowance
from carillon.ledger.allowance import PLANNED, Standing
from carillon.ledger.connect import Ledger
from carillon.ledger.doubts import perhaps_taken
from carillon.ledger.inserts import among, earliest
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, creators
from scheduler.choice import Ready, choose
from scheduler.resent import hold_resent

SWEEP_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class Awake:
    """How many accounts one transaction saw, and which of their broadcasts it moved, as (id, platform)."""

    accounts: int
    queued: list[tuple[int, str]] = field(default_factory=list)


class Account(NamedTuple):
    """One that is awake; `held` if it is perhaps stopped, cooling down or in its quiet hours."""

    id: int
    limit_count: int
    limit_seconds: int
    held: bool


@dataclass(frozen=True)
class Room:
    """What the accounts may take now. `standings` has those alone that something holds or that have used slots."""

    places: Mapping[int, int]
    standings: Mapping[int, Standing]
    paused_campaigns: Collection[str]


def move_on(ledger: Ledger, names: Collection[str], who: str, most: int) -> Awake:
    """Move what may go of at most so many accounts. `names` are the campaigns in force."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        accounts = _lock_awake(connection, now, most)
        if not accounts:
            return Awake(0)
        ids = [account.id for account in accounts]
        _skip_overlapping(connection, ids, now, who)
        room = _room(connection, accounts, now)
        _extend_over_quiet_hours(connection, room.standings, now)
        chosen = choose(connection, room.places, room.paused_campaigns, now)
        resent = hold_resent(connection, [row.id for row in chosen], names, Note(now, who, "released"))
        going = {row.id: row.platform for row in chosen if row.id not in resent}
        moved = _move(connection, going, Note(now, who, "due, and a slot is free"))
        _sleep(connection, ids, now)
        _wake_when_it_ends(connection, room, chosen, now)
        wake_each(connection, dict.fromkeys((row.creator_id for row in chosen if row.id in resent), now))
        return Awake(len(ids), [(id_, going[id_]) for id_ in going if id_ in moved])


def _lock_awake(connection: Connection, now: datetime, most: int) -> Sequence[Account]:
    """A statement of its own: what others wrote before it is seen by those after it. It waits for nobody."""
    stopped, quiet = creators.c.stopped_at.is_not(None), creators.c.quiet_hours.is_not(None)
    held = or_(stopped, quiet, creators.c.cool_down_until > now)
    columns = (
        creators.c.id,
        creators.c.limit_count,
        creators.c.limit_seconds,
        func.coalesce(held, False).label("held"),
    )
    awake = select(*columns).where(creators.c.wake_at <= now).order_by(creators.c.wake_at, creators.c.id).limit(most)
    locked = connection.execute(awake.with_for_update(key_share=True, skip_locked=True)).all()
    return list(map(Account._make, locked))


def _skip_overlapping(connection: Connection, ids: Collection[int], now: datetime, who: str) -> None:
    reason = "overlap: the previous one has not gone yet"
    which = (
        allowance.ready(now)
        & among(connection, broadcasts.c.creator_id, ids)
        & (broadcasts.c.overlap == literal("skip", literal_execute=True))
        & allowance.overlapped()
        & ~perhaps_taken()
    )
    move(connection, which, State.PLANNED, State.SKIPPED, Note(now, who, reason), reason=reason)


def _room(connection: Connection, accounts: Sequence[Account], now: datetime) -> Room:
    used = allowance.slot_ends(connection, {account.id: account.limit_seconds for account in accounts}, now)
    paused = allowance.paused(connection)
    careful = {account.id for account in accounts if account.held or paused.accounts or account.id in used}
    rows = allowance.accounts(connection, among(connection, creators.c.id, careful)) if careful else []
    standings = allowance.standings(connection, rows, now)
    free = {account.id: account.limit_count for account in accounts if account.id not in careful}
    free |= {id_: standing.free for id_, standing in standings.items() if not standing.blocked}
    return Room(_without_queued(connection, free), standings, paused.campaigns)


def _without_queued(connection: Connection, free: dict[int, int]) -> dict[int, int]:
    on_queue = (
        select(broadcasts.c.creator_id, func.count())
        .where(among(connection, broadcasts.c.creator_id, free), broadcasts.c.state == State.QUEUED)
        .group_by(broadcasts.c.creator_id)
    )
    for creator_id, count in connection.execute(on_queue):
        free[creator_id] -= count
    return {id_: count for id_, count in free.items() if count > 0}


def _extend_over_quiet_hours(connection: Connection, standings: Mapping[int, Standing], now: datetime) -> None:
    """What is due and waits for the end of quiet hours has its whole expiry from then on."""
    for creator_id, standing in standings.items():
        if standing.blocked is None or standing.blocked.cause != "quiet_hours" or standing.blocked.until is None:
            continue
        waiting = (allowance.ready(now), broadcasts.c.creator_id == creator_id)
        lasting = select(broadcasts.c.expires_after).where(*waiting).distinct()
        for seconds in list(connection.scalars(lasting)):
            expires_at = standing.blocked.until + timedelta(seconds=seconds)
            shorter = (broadcasts.c.expires_after == seconds, broadcasts.c.expires_at < expires_at)
            connection.execute(update(broadcasts).where(*waiting, *shorter).values(expires_at=expires_at))


def _move(connection: Connection, going: Collection[int], note: Note) -> set[int]:
    """Their hand-off is counted here; who hands them off takes it back where the queue refuses."""
    if not going:
        return set()
    changes = {"hand_offs": 1, "hand_off_at": note.at + SWEEP_AFTER}
    these = among(connection, broadcasts.c.id, going)
    return set(move(connection, these, State.PLANNED, State.QUEUED, note, **changes))


def _sleep(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Until the next of what is planned is due, or may be tried again."""
    theirs = (broadcasts.c.creator_id == creators.c.id, PLANNED)
    due, again = (
        select(func.min(instant)).where(*theirs, instant > now).scalar_subquery()
        for instant in (broadcasts.c.due_at, broadcasts.c.not_before)
    )
    asleep = update(creators).where(among(connection, creators.c.id, ids))
    connection.execute(asleep.values(wake_at=earliest(connection, due, again)))


def _wake_when_it_ends(connection: Connection, room: Room, chosen: Sequence[Ready], now: datetime) -> None:
    """Accounts with more to send, when what holds them ends or a slot frees."""
    left = dict(room.places)
    for row in chosen:
        left[row.creator_id] -= 1
    ends = {
        id_: standing.blocked.until if standing.blocked else standing.more_at
        for id_, standing in room.standings.items()
        if left.get(id_, 0) == 0
    }
    held = [id_ for id_, until in ends.items() if until is not None]
    if held:
        ready = select(broadcasts.c.id).where(broadcasts.c.creator_id == creators.c.id, allowance.ready(now)).exists()
        waiting = connection.scalars(select(creators.c.id).where(among(connection, creators.c.id, held), ready))
        wake_each(connection, {id_: ends[id_] for id_ in waiting})


def wake_each(connection: Connection, wakes: Mapping[int, datetime | None]) -> None:
    """Look at accounts, by id, at these instants, or earlier if that was already asked."""
    if not wakes:
        return
    at = bindparam("at", type_=creators.c.wake_at.type)
    one = update(creators).where(creators.c.id == bindparam("whose"))
    rows = [{"whose": id_, "at": instant} for id_, instant in wakes.items()]
    connection.execute(one.values(wake_at=earliest(connection, creators.c.wake_at, at)), rows)
