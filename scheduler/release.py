"""What may go now is put on the queue: for each account only as many as it has free slots, in the limit's order.

Only accounts whose `wake_at` has come are looked at, so that a thousand waiting broadcasts cost nothing.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dramatiq
import structlog
from sqlalchemy import Connection, Row, case, func, select, true, update

from carillon.handoff.orders import DELIVER, hand_off
from carillon.ledger import allowance
from carillon.ledger.allowance import ORDER, Standing
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, creators
from carillon.monitoring import metrics
from scheduler.resent import hold_resent

log = structlog.get_logger()

SWEEP_AFTER = timedelta(seconds=30)
_ACCOUNTS_AT_ONCE = 1000
_MOST_ROUNDS = 20
"""Sends that end wake their accounts all the time; the next beat is never far."""

_TOLD_AT_ONCE = 100
"""A line of a journal has its limits."""


@dataclass(frozen=True)
class Awake:
    """The accounts of one transaction, and which of their broadcasts it moved to `queued`."""

    accounts: list[Row[Any]]
    queued: list[tuple[int, str]] = field(default_factory=list)


def release(ledger: Ledger, broker: dramatiq.Broker, names: Collection[str], who: str) -> int:
    """Hand off everything that may go now; `names` are the campaigns in force. Returns how many the queue took."""
    count = 0
    for _ in range(_MOST_ROUNDS):
        wait = next_wake(ledger)
        if wait is None or wait > timedelta(0):
            break
        awake = _wake_up(ledger, names, who)
        count += len(put_on_queue(ledger, broker, awake.queued))
        if not awake.accounts:
            break
    return count


def next_wake(ledger: Ledger) -> timedelta | None:
    """How long it is, by the ledger's clock, until something may go; None if nothing waits for a time."""
    with ledger.read() as session:
        at: datetime | None = session.scalar(select(func.min(creators.c.wake_at)))
        return at - ledger.now(session.connection()) if at is not None else None


def put_on_queue(ledger: Ledger, broker: dramatiq.Broker, queued: list[tuple[int, str]]) -> list[int]:
    """Hand off (id, platform) pairs and count what the queue accepted; the rest is left to the sweep."""
    if not queued:
        return []
    accepted = hand_off(broker, DELIVER, queued)
    taken = set(accepted)
    if len(accepted) < len(queued):
        log.error("the queue cannot be reached; what it did not take is handed off again", orders=len(queued))
        _hand_off_soon(ledger, [id_ for id_, _ in queued if id_ not in taken])
    for platform, count in Counter(platform for id_, platform in queued if id_ in taken).items():
        metrics.handed_off(platform, count)
    for start in range(0, len(accepted), _TOLD_AT_ONCE):
        log.info("handed off", broadcasts=accepted[start : start + _TOLD_AT_ONCE])
    if not accepted:
        return []
    with ledger.write() as connection:
        counted = update(broadcasts).where(broadcasts.c.id.in_(accepted), broadcasts.c.state == State.QUEUED)
        connection.execute(counted.values(hand_offs=broadcasts.c.hand_offs + 1))
    return accepted


def _hand_off_soon(ledger: Ledger, refused: Collection[int]) -> None:
    """Nobody has what the queue did not accept: the next sweep need not wait as for an order on its way."""
    with ledger.write() as connection:
        theirs = (broadcasts.c.id.in_(refused), broadcasts.c.state == State.QUEUED)
        connection.execute(update(broadcasts).where(*theirs).values(hand_off_at=ledger.now(connection)))


def _wake_up(ledger: Ledger, names: Collection[str], who: str) -> Awake:
    with ledger.write() as connection:
        now = ledger.now(connection)
        accounts = _lock_awake(connection, now)
        if not accounts:
            return Awake([])
        note = Note(now, who, "due, and a slot is free")
        standings = allowance.standings(connection, accounts, now)
        _skip_overlapping(connection, accounts, now, who)
        _extend_over_quiet_hours(connection, standings, now)
        chosen = _choose(connection, standings, now)
        resent = hold_resent(connection, chosen, names, Note(now, who, "released"))
        ids = [row.id for row in chosen if row.id not in resent]
        changes = {"hand_offs": 0, "hand_off_at": now + SWEEP_AFTER}
        these = broadcasts.c.id.in_(ids)
        moved = set(move(connection, these, State.PLANNED, State.QUEUED, note, **changes) if ids else ())
        _set_next_wakes(connection, standings, now, {row.creator_id for row in chosen if row.id in resent})
        return Awake(accounts, [(row.id, row.platform) for row in chosen if row.id in moved])


def _lock_awake(connection: Connection, now: datetime) -> list[Row[Any]]:
    awake = select(creators).where(creators.c.wake_at <= now).order_by(creators.c.id).limit(_ACCOUNTS_AT_ONCE)
    return list(connection.execute(awake.with_for_update(key_share=True, skip_locked=True)))


def _skip_overlapping(connection: Connection, accounts: list[Row[Any]], now: datetime, who: str) -> None:
    reason = "overlap: the previous one has not gone yet"
    which = (
        allowance.ready(now)
        & broadcasts.c.creator_id.in_([account.id for account in accounts])
        & (broadcasts.c.overlap == "skip")
        & allowance.overlapped()
    )
    move(connection, which, State.PLANNED, State.SKIPPED, Note(now, who, reason), reason=reason)


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


def _choose(connection: Connection, standings: Mapping[int, Standing], now: datetime) -> list[Row[Any]]:
    """For each account the best of its ready broadcasts, as many as it has free slots beyond what is queued."""
    free = _free(connection, standings)
    if not free:
        return []
    paused = next(iter(standings.values())).paused_campaigns
    rank = func.row_number().over(partition_by=broadcasts.c.creator_id, order_by=ORDER).label("rank")
    ranked = (
        select(broadcasts, rank)
        .where(
            allowance.ready(now),
            broadcasts.c.creator_id.in_(free),
            broadcasts.c.campaign.not_in(paused) if paused else true(),
            ~allowance.overlapped(),
        )
        .subquery()
    )
    places = case(free, value=ranked.c.creator_id)
    return list(connection.execute(select(ranked).where(ranked.c.rank <= places).order_by(ranked.c.rank)))


def _free(connection: Connection, standings: Mapping[int, Standing]) -> dict[int, int]:
    able = {id_: standing.free for id_, standing in standings.items() if not standing.blocked and standing.free}
    on_queue = (
        select(broadcasts.c.creator_id, func.count())
        .where(broadcasts.c.creator_id.in_(able), broadcasts.c.state == State.QUEUED)
        .group_by(broadcasts.c.creator_id)
    )
    for creator_id, count in connection.execute(on_queue):
        able[creator_id] -= count
    return {id_: count for id_, count in able.items() if count > 0}


def _set_next_wakes(
    connection: Connection, standings: Mapping[int, Standing], now: datetime, again: Collection[int]
) -> None:
    """When to look at each account again: at its next due broadcast, and when what holds it ends."""
    upcoming = _next_due(connection, standings, now)
    waiting = set(connection.scalars(_with_ready(standings, now)))
    groups: dict[datetime | None, list[int]] = {}
    for creator_id, standing in standings.items():
        until = standing.blocked.until if standing.blocked else standing.more_at
        instants = [upcoming.get(creator_id), until if creator_id in waiting else None]
        at = min((instant for instant in instants if instant), default=None)
        groups.setdefault(now if creator_id in again else at, []).append(creator_id)
    for at, ids in groups.items():
        connection.execute(update(creators).where(creators.c.id.in_(ids)).values(wake_at=at))


def _with_ready(standings: Mapping[int, Standing], now: datetime) -> Any:
    ready = select(broadcasts.c.creator_id).where(allowance.ready(now), broadcasts.c.creator_id.in_(standings))
    return ready.distinct()


def _next_due(connection: Connection, standings: Mapping[int, Standing], now: datetime) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for instant in (broadcasts.c.due_at, broadcasts.c.not_before):
        later = (
            select(broadcasts.c.creator_id, func.min(instant))
            .where(broadcasts.c.creator_id.in_(standings), broadcasts.c.state == State.PLANNED, instant > now)
            .group_by(broadcasts.c.creator_id)
        )
        for creator_id, at in connection.execute(later):
            found[creator_id] = min(found.get(creator_id, at), at)
    return found
