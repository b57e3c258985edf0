"""What the scheduler may order, by id alone. A lost or doubled order changes nothing: the ledger decides.

Each platform has a queue of its own, so that a slow platform never holds the threads of the others.
"""

from collections.abc import Iterable, Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DramatiqError
from redis.exceptions import RedisError

from carillon.handoff.bulk import enqueue_all
from carillon.handoff.doorbell import ORDERS, ring

QUEUES = ("fanvue", "frontrow", "ofauth", "onlyfansapi")
PREPARE = "prepare"
"""Ask the platform now what the preflight of a broadcast will want to know in a moment."""
DELIVER = "deliver"
"""Carry a queued broadcast from preflight to record."""
RECONCILE = "reconcile"
"""Settle a broadcast whose outcome is unknown."""
RECHECK = "recheck"
"""See whether a stopped creator's credential reads differently."""
FOLLOW = "follow"
"""Bring what the platform's own scheduler keeps in line with the ledger, and see what became of it."""
UPLOAD = "upload"
"""Bring a medium to the platform, or go on with it; its subject is the upload."""
COLLECT = "collect"
"""Ask what became of an account's broadcasts; its subject is the creator."""

_BATCH = 500


def hand_off(broker: dramatiq.Broker, order: str, subjects: Iterable[tuple[int, str]]) -> list[int]:
    """Put an order for each (id, platform) on the queue; returns the ids that the queue accepted."""
    wanted = list(subjects)
    accepted: list[int] = []
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        try:
            _enqueue(broker, order, batch)
        except (DramatiqError, RedisError):
            break
        accepted += [subject for subject, _ in batch]
        ring(broker, ORDERS, " ".join({platform for _, platform in batch}))
    return accepted


def _enqueue(broker: dramatiq.Broker, order: str, batch: Sequence[tuple[int, str]]) -> None:
    if isinstance(broker, RedisBroker) and len(batch) > 1:
        enqueue_all(broker, order, batch)
        return
    for subject, platform in batch:
        broker.enqueue(dramatiq.Message[None](platform, order, (subject,), {}, {}))
