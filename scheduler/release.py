"""What may go now is put on the queue: for each account only as many as it has free slots, in the limit's order.

Only accounts whose `wake_at` has come are looked at, so that a thousand waiting broadcasts cost nothing. Of a crowd
that is due in one moment, some accounts are handed off while others are still being moved.
"""

from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import dramatiq
import structlog
from sqlalchemy import func, select, update

from carillon.campaigns.memory import uncollected
from carillon.handoff.orders import DELIVER, hand_off
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import among
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators
from carillon.monitoring import metrics
from scheduler.awake import move_on

log = structlog.get_logger()

_ACCOUNTS_AT_ONCE = 2500
_HANDS = 2
_MOST_ROUNDS = 20
"""Sends that end wake their accounts all the time; the next beat is never far."""

_TOLD_AT_ONCE = 1000
"""A line of a journal has its limits."""


def release(ledger: Ledger, broker: dramatiq.Broker, names: Collection[str], who: str) -> int:
    """Hand off everything that may go now; `names` are the campaigns in force. Returns how many the queue took."""
    awake = _awake(ledger)
    if not awake:
        return 0
    if ledger.embedded or awake <= _ACCOUNTS_AT_ONCE:
        return _rounds(ledger, broker, names, who)
    with uncollected(), ThreadPoolExecutor(_HANDS, "release") as pool:
        hands = [pool.submit(_rounds, ledger, broker, names, who) for _ in range(_HANDS)]
        return sum(hand.result() for hand in hands)


def _rounds(ledger: Ledger, broker: dramatiq.Broker, names: Collection[str], who: str) -> int:
    count = 0
    for _ in range(_MOST_ROUNDS):
        awake = move_on(ledger, names, who, _ACCOUNTS_AT_ONCE)
        count += len(put_on_queue(ledger, broker, awake.queued))
        if awake.accounts < _ACCOUNTS_AT_ONCE:
            break
    return count


def next_wake(ledger: Ledger) -> timedelta | None:
    """How long it is, by the ledger's clock, until something may go; None if nothing waits for a time."""
    with ledger.read() as session:
        at: datetime | None = session.scalar(select(func.min(creators.c.wake_at)))
        return at - ledger.now(session.connection()) if at is not None else None


def _awake(ledger: Ledger) -> int:
    """How many accounts are awake; those beyond what one transaction takes count as one."""
    with ledger.read() as session:
        awake = select(creators.c.id).where(creators.c.wake_at <= ledger.now(session.connection()))
        counted = select(func.count()).select_from(awake.limit(_ACCOUNTS_AT_ONCE + 1).subquery())
        return session.scalar(counted) or 0


def put_on_queue(ledger: Ledger, broker: dramatiq.Broker, queued: list[tuple[int, str]]) -> list[int]:
    """Hand off (id, platform) pairs, whose hand-off is counted already; what the queue refuses is left to the sweep."""
    if not queued:
        return []
    accepted = hand_off(broker, DELIVER, queued)
    if len(accepted) < len(queued):
        log.error("the queue cannot be reached; what it did not take is handed off again", orders=len(queued))
        _hand_off_soon(ledger, {id_ for id_, _ in queued} - set(accepted))
    _tell(accepted, dict(queued))
    return accepted


def _tell(accepted: list[int], platforms: dict[int, str]) -> None:
    for platform, count in Counter(platforms[id_] for id_ in accepted).items():
        metrics.handed_off(platform, count)
    for start in range(0, len(accepted), _TOLD_AT_ONCE):
        log.info("handed off", broadcasts=accepted[start : start + _TOLD_AT_ONCE])


def _hand_off_soon(ledger: Ledger, refused: Collection[int]) -> None:
    """Only what was accepted counts. Nobody has the rest: the next sweep need not wait as for what is on its way."""
    with ledger.write() as connection:
        theirs = (among(connection, broadcasts.c.id, refused), broadcasts.c.state == State.QUEUED)
        uncounted = {"hand_offs": broadcasts.c.hand_offs - 1, "hand_off_at": ledger.now(connection)}
        connection.execute(update(broadcasts).where(*theirs).values(uncounted))
