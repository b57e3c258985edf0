"""The queue may vanish, come back older than it was, or say all twice: nothing is lost, and nothing is sent twice."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from sqlalchemy import text

from carillon.handoff.orders import DELIVER, RECONCILE, hand_off
from carillon.ledger.connect import Ledger
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, attempts_made, moves, open_alarms, queue, slots_used, states, worker
from chaos.rigged import Rigged
from daemons import own_valkey
from ledger_rows import add_broadcast, add_creator
from running import until
from servers import fresh_database
from standins import StandIn

SWEPT = 31.0
"""Seconds after a hand-off: then the sweep takes it as lost."""


@dataclass
class House:
    """A ledger with a clock that can be stepped, a scheduler by hand, and workers as they are wanted."""

    ledger: Ledger
    database_url: str
    redis_url: str
    rig: Rigged
    judge: Arrivals
    platforms: dict[str, str]
    scheduler: Scheduler
    workers: ExitStack

    def work(self) -> None:
        self.workers.enter_context(worker(self.database_url, self.platforms, self.redis_url))

    def due(self, count: int) -> list[int]:
        """So many creators with one broadcast each, handed off by the release."""
        first = len(states(self.ledger))
        names = [f"c{first + number}" for number in range(count)]
        creators = [add_creator(self.ledger, name, credentials="env:KEY") for name in names]
        due = zip(creators, names, strict=True)
        ids = [add_broadcast(self.ledger, one, name, state="planned") for one, name in due]
        self.scheduler.turn()
        return ids

    def wait_until_sent(self, count: int) -> None:
        until(lambda: states(self.ledger).count("sent") == count, 30)

    def assert_once(self, count: int) -> None:
        """Each was claimed, accepted and recorded once, and once only."""
        assert len(self.judge.accepted) == attempts_made(self.ledger) == slots_used(self.ledger) == count
        assert sorted(moves(self.ledger)).count(("queued", "sending")) == count
        assert open_alarms(self.ledger) == []


@pytest.fixture
def house(
    postgresql: str, migrated_postgresql: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setenv("KEY", "secret")
    judge = Arrivals()
    with (
        fresh_database(postgresql, migrated_postgresql) as url,
        closing(Rigged(url)) as rig,
        StandIn(judge) as standin,
        closing(Ledger(url)) as ledger,
        ExitStack() as workers,
    ):
        scheduler = Scheduler(ledger, queue(redis_url))
        yield House(ledger, url, redis_url, rig, judge, {"frontrow": standin.url}, scheduler, workers)


def snapshot(redis_url: str) -> dict[bytes, Any]:
    with redis.Redis.from_url(redis_url) as client:
        return {key: client.dump(key) for key in client.keys("*")}


def restore(redis_url: str, kept: dict[bytes, Any]) -> None:
    """As from an older file on disk: what came since is gone, what was done since is back."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        for key, value in kept.items():
            client.restore(key, 0, value)


def flush(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def test_flushall_with_fifty_queued(house: House) -> None:
    """F25, F02: the sweep hands all of them off again when the half minute is over, and not before."""
    house.due(50)
    flush(house.redis_url)
    house.work()
    house.scheduler.turn()
    assert house.judge.accepted == []
    house.rig.step_clock(SWEPT)
    house.scheduler.turn()
    house.wait_until_sent(50)
    house.assert_once(50)


def test_a_queue_restored_from_an_old_snapshot(house: House) -> None:
    """F26, F09: thirty stale orders find nothing to do; twenty that came later are handed off again."""
    house.due(30)
    kept = snapshot(house.redis_url)
    house.work()
    house.wait_until_sent(30)
    house.workers.close()
    house.due(20)
    restore(house.redis_url, kept)
    house.work()
    house.rig.step_clock(SWEPT)
    house.scheduler.turn()
    house.wait_until_sent(50)
    last = house.due(1)
    house.wait_until_sent(51)  # behind all that was stale
    assert last
    house.assert_once(51)


def test_doubled_orders_to_several_workers(house: House) -> None:
    """F03, F28: while its first claim stands still, three other threads have read the same broadcast, and want it too;
    then ten broadcasts with each order four times, and look-ups that nobody needs."""
    for _ in range(2):
        house.work()
    with house.rig.gate("claim", "in") as gate:
        (id_,) = house.due(1)
        hand_off(queue(house.redis_url), DELIVER, [(id_, "frontrow")] * 8)
        until(lambda: gate.waiting() == 1 and waiting_for_accounts(house) >= 2)
    ids = house.due(10)
    for order in (DELIVER, RECONCILE, DELIVER):
        hand_off(queue(house.redis_url), order, [(id_, "frontrow") for id_ in ids for _ in range(2)])
    house.wait_until_sent(11)
    house.due(1)
    house.wait_until_sent(12)
    house.assert_once(12)


def waiting_for_accounts(house: House) -> int:
    with house.ledger.engine.connect() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')"
        return int(connection.execute(text(waiting)).scalar_one())


def test_orders_that_make_no_sense_harm_nobody(house: House) -> None:
    """F29: of rows that do not exist, with words for numbers, for actors that nobody knows, and not even orders."""
    broker = queue(house.redis_url)
    house.due(1)
    for subject in (10**9, -1, 10**30, "1; DROP TABLE broadcast", None):
        hand_off(broker, DELIVER, [(subject, "frontrow")])  # type: ignore[list-item]
    hand_off(broker, "unsend everything", [(1, "frontrow")])
    garble(house.redis_url)
    house.work()
    house.due(10)
    house.rig.step_clock(SWEPT)
    house.scheduler.turn()
    house.wait_until_sent(11)
    house.assert_once(11)


def garble(redis_url: str) -> None:
    """Cut one waiting message short, as a Redis does whose disk was full."""
    with redis.Redis.from_url(redis_url) as client:
        stored = next(key for key in client.keys("*frontrow.msgs"))
        id_, data = next(iter(client.hgetall(stored).items()))
        client.hset(stored, id_, data[: len(data) // 2])


def test_a_queue_that_is_gone_while_things_fall_due(house: House) -> None:
    """F27: what it did not accept does not wait the half minute out; what it had accepted and lost does."""
    with own_valkey() as (redis_url, server):
        house.redis_url, house.scheduler.broker = redis_url, queue(redis_url)
        house.due(10)
        server.stop()
        house.due(10)
        assert states(house.ledger) == ["queued"] * 20
        server.start()
        house.work()
        house.scheduler.turn()
        house.wait_until_sent(10)
        house.rig.step_clock(SWEPT)
        house.scheduler.turn()
        house.wait_until_sent(20)
        house.assert_once(20)
        house.workers.close()


def test_a_queue_that_loses_everything_for_ever_is_told_to_a_person(house: House) -> None:
    """F25 without an end: ten hand-offs were accepted and none was taken up; then the broadcast is held, not lost."""
    (id_,) = house.due(1)
    clock = 0.0
    for _ in range(12):
        flush(house.redis_url)
        clock += 301.0
        house.rig.step_clock(clock)
        house.scheduler.turn()
    assert states(house.ledger) == ["held"]
    assert f"held:{id_}" in open_alarms(house.ledger)
