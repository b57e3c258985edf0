"""A platform that is slow needs more threads for as many sends; none takes those of another."""

import pytest
from sqlalchemy import insert

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts
from ledger_rows import add_broadcast, add_creator
from worker.threads import by_latency


@pytest.mark.parametrize(
    ("latencies_ms", "threads"),
    [
        ([], 8),
        ([5, 5, 5], 8),
        ([200, 200, 200], 16),
        ([20, 300, 300, 300], 24),
        ([20_000, 20_000], 32),
    ],
    ids=["never tried", "fast", "slower", "its usual, not its best", "hangs"],
)
def test_threads_follow_the_latency(ledger: Ledger, latencies_ms: list[int], threads: int) -> None:
    broadcast_id = add_broadcast(ledger, add_creator(ledger))
    with ledger.write() as connection:
        for number, latency_ms in enumerate(latencies_ms, 1):
            values = {"broadcast_id": broadcast_id, "number": number, "token": str(number), "latency_ms": latency_ms}
            owner = {"host": "h", "pid": 1, "process_birth": "1", "timeout_seconds": 20, "request_digest": "d"}
            times = dict.fromkeys(("started_at", "lease_until", "finished_at"), clock.now())
            connection.execute(insert(attempts).values(**values, **owner, **times))
    assert by_latency(ledger) == {"fanvue": 8, "frontrow": threads, "ofauth": 8, "onlyfansapi": 8}
