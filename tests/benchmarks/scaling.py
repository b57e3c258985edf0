"""What it costs to hand off ten broadcasts that are due, from ten creators in the ledger to a hundred thousand."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from statistics import median

import dramatiq
from sqlalchemy import update

import servers
from benchmarks import durable
from benchmarks.crowd import add_accounts, add_planned, settle_down
from benchmarks.results import Result
from benchmarks.work import milliseconds
from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.tables import broadcasts, creators
from scheduler.release import next_wake, release
from scheduler.sweep import expire

WHAT = "a beat that hands off ten broadcasts, by creators in the ledger"
SIZES = (10, 1_000, 100_000)
_DUE = 10
_BEATS = 15
_AT_ONCE = 5_000


def rows(rounds: int) -> Iterator[Result]:
    with durable.postgresql() as server, durable.valkey() as queue:
        broker = brokers.make(queue, "bench")
        found = [_measured(server, broker, size, rounds) for size in SIZES]
    words = "; ".join(
        f"{size:,} creators: {busy:.1f} ms, with nothing due {idle:.2f} ms"
        for size, (busy, idle) in zip(SIZES, found, strict=True)
    )
    yield {
        "what": WHAT,
        "goal": "at most 2",
        "unit": "times the beat of 10 creators, with 100,000",
        "value": found[-1][0] / found[0][0],
        "floor": None,
        "ratio": None,
        "detail": words,
    }


def _measured(server: str, broker: dramatiq.Broker, size: int, rounds: int) -> tuple[float, float]:
    with servers.fresh_database(server) as url, closing(Ledger(url)) as ledger:
        migrate(ledger)
        ids = _fill(ledger, size)
        settle_down(ledger)
        busy = [_one_beat(ledger, broker, ids) for _ in range(_BEATS * rounds)][3:]
        idle = [milliseconds(lambda: (next_wake(ledger), expire(ledger, "bench"))) for _ in range(_BEATS * rounds)]
    return median(busy), median(idle)


def _fill(ledger: Ledger, size: int) -> list[int]:
    """Each has one that is due tomorrow; the first ten are those that will be due."""
    tomorrow = clock.now() + timedelta(days=1)
    first: list[int] = []
    for start in range(0, size, _AT_ONCE):
        keys = [f"c{number}" for number in range(start, min(start + _AT_ONCE, size))]
        ids = add_accounts(ledger, keys, tomorrow)
        add_planned(ledger, [(id_, "drop", tomorrow) for id_ in ids])
        first = first or ids[:_DUE]
    return first


def _one_beat(ledger: Ledger, broker: dramatiq.Broker, ids: list[int]) -> float:
    now = clock.now()
    theirs = broadcasts.c.creator_id.in_(ids)
    with ledger.write() as connection:
        due = {"due_at": now - timedelta(seconds=1), "expires_at": now + timedelta(hours=1), "state": "planned"}
        connection.execute(update(broadcasts).where(theirs).values(due))
        connection.execute(update(creators).where(creators.c.id.in_(ids)).values(wake_at=now))
    released: list[int] = []
    spent = milliseconds(lambda: released.append(release(ledger, broker, (), "bench")))
    assert released == [len(ids)]
    return spent
