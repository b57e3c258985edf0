"""How many threads a worker process gives to each platform: a thread waits as long as its platform takes."""

import math
from statistics import median

from sqlalchemy import select

from carillon.handoff.orders import QUEUES
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts

SENDS_A_SECOND = 80
"""What one process can claim and record, and so what it keeps its threads ready for."""

FEWEST, MOST = 8, 32
_LOOKED_AT = 1000


def by_latency(ledger: Ledger) -> dict[str, int]:
    """For each platform, from its latest attempts; one that was never tried gets the fewest."""
    latencies: dict[str, list[int]] = {platform: [] for platform in QUEUES}
    latest = (
        select(broadcasts.c.platform, attempts.c.latency_ms)
        .join(broadcasts, broadcasts.c.id == attempts.c.broadcast_id)
        .where(attempts.c.latency_ms.is_not(None))
        .order_by(attempts.c.id.desc())
        .limit(_LOOKED_AT)
    )
    with ledger.read() as session:
        for platform, latency_ms in session.execute(latest):
            latencies[platform].append(latency_ms)
    return {platform: _needed(found) for platform, found in latencies.items()}


def _needed(latencies_ms: list[int]) -> int:
    if not latencies_ms:
        return FEWEST
    busy_at_once = math.ceil(SENDS_A_SECOND * median(latencies_ms) / 1000)
    return min(MOST, max(FEWEST, busy_at_once))
