"""The claim: one transaction, committed before any byte leaves, that makes a queued broadcast ours to send.

The account's lock is a statement of its own, and the clock is read after it: only so do the slots that are counted
next include those of everybody who held the lock before.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from carillon import clock
from carillon.ledger import accounts, allowance
from carillon.ledger.allowance import Wait
from carillon.ledger.owners import this_process
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators, slots
from worker.means import Means

LEASE_SECONDS = 30.0
_OWN_WAITS = ("retry", "media", "cool_down")
"""What else a broadcast waits for is its account's business, and may end sooner than it seemed."""


@dataclass(frozen=True)
class Claim:
    """Ours to send once, if its first byte leaves before `lease_ticks` of `clock.ticks()`."""

    attempt_id: int
    number: int
    token: str
    lease_ticks: float


@dataclass(frozen=True)
class Gone:
    """It is not ours to send: somebody else has it, a person or an edit withdrew it, or this process is stopping."""


def claim(means: Means, broadcast: Row[Any], request_digest: str, baseline: str | None = None) -> Claim | Wait | Gone:
    """Take the broadcast and a slot, or say what it waits for (it is `planned` again then), or that it is gone."""
    begun = clock.ticks()
    with accounts.held(means.ledger, [broadcast.creator_id]) as (connection, now):
        row = _as_preflighted(connection, broadcast, now)
        if row is None or means.stopping.is_set():
            return Gone()
        wait = _wait(connection, row, now)
        if wait:
            put_back(connection, row, wait, Note(now, means.who, f"not now: {wait.cause}"))
            return wait
        return _take(connection, means, row, request_digest, baseline, now, begun)


def put_back(connection: Connection, row: Row[Any], wait: Wait, note: Note) -> None:
    """From `queued` to `planned`: it waits again, and waiting is no attempt."""
    changes = {
        "waiting_for": wait.cause,
        "not_before": wait.until if wait.cause in _OWN_WAITS else None,
        "put_offs": row.put_offs + 1 if wait.cause == "retry" else 0,
        "hand_offs": 0,
        "hand_off_at": None,
    }
    move(connection, version_of(row.id, row.version), State.QUEUED, State.PLANNED, note, **changes)


def _as_preflighted(connection: Connection, broadcast: Row[Any], now: datetime) -> Row[Any] | None:
    unchanged = select(broadcasts).where(
        version_of(broadcast.id, broadcast.version),
        broadcasts.c.state == State.QUEUED,
        broadcasts.c.due_at <= now,
        broadcasts.c.expires_at > now,
    )
    return connection.execute(unchanged).one_or_none()


def _wait(connection: Connection, row: Row[Any], now: datetime) -> Wait | None:
    account = allowance.accounts(connection, creators.c.id == row.creator_id)
    standing = allowance.standings(connection, account, now)[row.creator_id]
    wait = standing.wait(row.campaign)
    if wait is None and allowance.better(connection, row, now, standing.paused_campaigns) >= standing.free:
        return Wait("limit", standing.frees_next)
    return wait


def _take(
    connection: Connection,
    means: Means,
    row: Row[Any],
    request_digest: str,
    baseline: str | None,
    now: datetime,
    begun: float,
) -> Claim:
    owner, token = this_process(), uuid.uuid4().hex
    lease_until = now + timedelta(seconds=LEASE_SECONDS)
    attempt_id = connection.execute(
        insert(attempts)
        .values(
            broadcast_id=row.id,
            number=row.attempts + 1,
            token=token,
            host=owner.host,
            pid=owner.pid,
            process_birth=owner.birth,
            started_at=now,
            lease_until=lease_until,
            timeout_seconds=means.timeout,
            request_digest=request_digest,
            baseline=baseline,
        )
        .returning(attempts.c.id)
    ).scalar_one()
    latest_end = lease_until + timedelta(seconds=means.timeout)
    connection.execute(
        insert(slots).values(attempt_id=attempt_id, creator_id=row.creator_id, taken_at=now, ended_at=latest_end)
    )
    note = Note(now, means.who, f"claimed, attempt {row.attempts + 1}")
    moved = move(
        connection,
        version_of(row.id, row.version),
        State.QUEUED,
        State.SENDING,
        note,
        attempts=row.attempts + 1,
    )
    assert moved, "the account's lock is held and the row was just read"
    return Claim(attempt_id, row.attempts + 1, token, begun + LEASE_SECONDS)
