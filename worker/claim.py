"""The claim: one transaction, committed before any byte leaves, that makes a queued broadcast ours to send.

What is clear is taken by `ledger.clear`, what has to be weighed is weighed here. The account's lock is a statement of
its own, and the clock is read after it: only so do the slots that are counted next include those of everybody who
held it before.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger import accounts, allowance, clear, placing
from carillon.ledger.allowance import Wait
from carillon.ledger.clear import Taking
from carillon.ledger.connect import first_line
from carillon.ledger.owners import this_process
from carillon.ledger.parcels import Parcel
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators, slots
from worker.means import Means

LEASE_SECONDS = 30.0
_OWN_WAITS = ("retry", "media", "cool_down")
"""What else a broadcast waits for is its account's business, and may end sooner than it seemed."""


_TRY_TO_PLACE_AGAIN = timedelta(minutes=10)
"""Slots around a due time to come free only when others are withdrawn."""

Subject = Row[Any] | Parcel
"""A broadcast as it was read."""

Weighed = Callable[[Connection, Row[Any], datetime], Wait | None]
"""What it waits for, asked under the account's lock."""


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


class UnheardError(SQLAlchemyError):
    """The database failed: the claim may stand in it or not, under its token. Nothing was sent for it."""

    def __init__(self, token: str, why: str) -> None:
        super().__init__(why)
        self.token = token


def claim(means: Means, broadcast: Subject, request_digest: str, baseline: str | None = None) -> Claim | Wait | Gone:
    """Take the broadcast and a slot, or say what it waits for (it is `planned` again then), or that it is gone."""
    begun = clock.ticks()
    taking = _taking(means, broadcast, request_digest, baseline)
    if means.stopping.is_set():
        return Gone()
    with _heard(taking):
        clearly = clear.claim(means.ledger, taking) if broadcast.goes_at is None else None
        if clearly:
            return Claim(*clearly, taking.token, begun + LEASE_SECONDS)
        return _weigh(means, broadcast, taking, begun, _wait)


def claim_place(
    means: Means, broadcast: Subject, request_digest: str, baseline: str | None, least_ahead: timedelta
) -> Claim | Wait | Gone:
    """As `claim`, for a broadcast that is to be placed: with a slot for when it is due."""
    begun = clock.ticks()
    taking = _taking(means, broadcast, request_digest, baseline)
    with _heard(taking):
        return _weigh(means, broadcast, taking, begun, partial(_wait_to_place, least_ahead=least_ahead))


@contextmanager
def _heard(taking: Taking) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise UnheardError(taking.token, first_line(error)) from error


def _taking(means: Means, broadcast: Subject, request_digest: str, baseline: str | None) -> Taking:
    owner = this_process()
    return Taking(
        broadcast=broadcast.id,
        version=broadcast.version,
        account=broadcast.creator_id,
        token=uuid.uuid4().hex,
        host=owner.host,
        pid=owner.pid,
        birth=owner.birth,
        lease_seconds=LEASE_SECONDS,
        timeout_seconds=means.timeout,
        request_digest=request_digest,
        baseline=baseline,
        who=means.who,
    )


def _weigh(means: Means, broadcast: Subject, taking: Taking, begun: float, weighed: Weighed) -> Claim | Wait | Gone:
    with accounts.held(means.ledger, [broadcast.creator_id]) as (connection, now):
        row = _as_preflighted(connection, broadcast, now)
        if row is None or means.stopping.is_set():
            return Gone()
        wait = _until_due(row, now) or weighed(connection, row, now)
        if wait:
            put_back(connection, row, wait, Note(now, means.who, f"not now: {wait.cause}"))
            return wait
        attempt_id = _take(connection, row, taking, now)
        return Claim(attempt_id, row.attempts + 1, taking.token, begun + LEASE_SECONDS)


def put_back(connection: Connection, row: Subject, wait: Wait, note: Note) -> None:
    """From `queued` to `planned`: it waits again, and waiting is no attempt."""
    early = row.goes_at is not None and row.goes_at > note.at
    changes = {
        "waiting_for": wait.cause,
        "not_before": wait.until if early or wait.cause in _OWN_WAITS else None,
        "put_offs": row.put_offs + 1 if wait.cause == "retry" else 0,
        "hand_offs": 0,
        "hand_off_at": None,
    }
    move(connection, version_of(row.id, row.version), State.QUEUED, State.PLANNED, note, **changes)


def _as_preflighted(connection: Connection, broadcast: Subject, now: datetime) -> Row[Any] | None:
    unchanged = select(broadcasts).where(
        version_of(broadcast.id, broadcast.version),
        broadcasts.c.state == State.QUEUED,
        broadcasts.c.expires_at > now,
    )
    return connection.execute(unchanged).one_or_none()


def _until_due(row: Row[Any], now: datetime) -> Wait | None:
    """It was due when it was released: the clock was set back since, and the scheduler hands it off in time again."""
    return Wait("time", row.due_at) if row.due_at > now else None


def _wait(connection: Connection, row: Row[Any], now: datetime) -> Wait | None:
    if row.goes_at is not None and row.goes_at > now:
        return Wait("time", row.goes_at)
    account = allowance.accounts(connection, creators.c.id == row.creator_id)
    standing = allowance.standings(connection, account, now)[row.creator_id]
    wait = standing.wait(row.campaign)
    if wait is None and allowance.better(connection, row, now, standing.paused_campaigns) >= standing.free:
        return Wait("limit", standing.frees_next)
    return wait


def _wait_to_place(connection: Connection, row: Row[Any], now: datetime, least_ahead: timedelta) -> Wait | None:
    """What is due too soon, or in the creator's quiet hours, is not placed: Carillon sends it, when it may go."""
    account = connection.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    paused = allowance.paused(connection)
    blocked = allowance.blocked(account, paused.accounts, now)
    if blocked:
        return blocked
    if row.campaign in paused.campaigns:
        return Wait("pause")
    if row.goes_at < now + least_ahead or allowance.quiet_until(account, row.goes_at):
        return Wait("time", row.goes_at)
    if not placing.room(connection, account, row.goes_at):
        return Wait("limit", min(row.goes_at, now + _TRY_TO_PLACE_AGAIN))
    return None


def _take(connection: Connection, row: Row[Any], taking: Taking, now: datetime) -> int:
    """The id of the attempt."""
    number, lease_until = row.attempts + 1, now + timedelta(seconds=taking.lease_seconds)
    attempt_id: int = connection.execute(
        insert(attempts)
        .values(
            broadcast_id=row.id,
            number=number,
            token=taking.token,
            host=taking.host,
            pid=taking.pid,
            process_birth=taking.birth,
            started_at=now,
            lease_until=lease_until,
            timeout_seconds=taking.timeout_seconds,
            request_digest=taking.request_digest,
            baseline=taking.baseline,
        )
        .returning(attempts.c.id)
    ).scalar_one()
    taken_at = allowance.slot_clock(connection, row.creator_id, now)
    ended_at = taken_at + timedelta(seconds=taking.lease_seconds + taking.timeout_seconds)
    slot = {"attempt_id": attempt_id, "creator_id": row.creator_id, "taken_at": taken_at, "ended_at": ended_at}
    if row.goes_at is not None and row.goes_at > now:
        slot |= placing.slot_times(row.goes_at, placing.window_of(connection, row.creator_id))
    connection.execute(insert(slots).values(slot))
    note = Note(now, taking.who, f"claimed, attempt {number}")
    this_one = version_of(row.id, row.version)
    moved = move(connection, this_one, State.QUEUED, State.SENDING, note, attempts=number)
    assert moved, "the account's lock is held and the row was just read"
    return attempt_id
