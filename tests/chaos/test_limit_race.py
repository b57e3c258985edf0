"""The limit by the platform's own clock: whoever races for the last slot, and however long a request is on its way."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, creators
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, queue, slots_used, states, worker
from chaos.fleets import counted, declared, ended, keys, on_another_host, running, soon
from chaos.rigged import Rigged
from daemons import Fleet
from ledger_rows import add_broadcast, add_creator
from running import COMMAND, until
from servers import fresh_database
from standins import Reply, StandIn
from worker import record


@dataclass
class House:
    """Workers in this process, as many as are wanted, that share a queue; the scheduler by hand."""

    ledger: Ledger
    judge: Arrivals
    scheduler: Scheduler
    platform_url: str
    redis_url: str
    workers: ExitStack
    luna: int

    def work(self, count: int = 3, timeout: float = 20) -> None:
        database_url = self.ledger.url.render_as_string(hide_password=False)
        platforms = {"frontrow": self.platform_url}
        for _ in range(count):
            one = worker(database_url, platforms, self.redis_url, timeout=timeout, threads=4)
            self.workers.enter_context(one)

    def due(self, count: int, state: str = "planned") -> list[int]:
        self.change_luna(wake_at=clock.now())
        return [add_broadcast(self.ledger, self.luna, f"drop {number}", state=state) for number in range(count)]

    def change_luna(self, **values: Any) -> None:
        with self.ledger.write() as connection:
            connection.execute(update(creators).where(creators.c.id == self.luna).values(values))


@pytest.fixture
def house(ledger: Ledger, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    judge = Arrivals()
    with StandIn(judge) as standin, ExitStack() as workers:
        luna = add_creator(ledger, limit_count=10, wake_at=None)
        yield House(ledger, judge, Scheduler(ledger, queue(redis_url)), standin.url, redis_url, workers, luna)


def test_twelve_threads_race_for_ten_slots(house: House) -> None:
    """F53, F28: forty are on the queue, each twice, as if every scheduler had gone mad; ten go, and thirty wait."""
    house.work()
    house.judge.on_the_way = lambda: 0.05
    ids = house.due(40, "queued")
    house.scheduler.order(*ids, *ids)
    until(lambda: sorted(states(house.ledger)) == ["planned"] * 30 + ["sent"] * 10, 30)
    time.sleep(0.5)
    assert len(house.judge.accepted) == slots_used(house.ledger) == 10


def test_a_claim_that_stands_still_lets_nobody_by(
    postgresql: str, migrated_postgresql: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F53: a claim has counted the slots, and is not committed; eleven threads want the same three slots meanwhile."""
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    judge = Arrivals()
    with (
        fresh_database(postgresql, migrated_postgresql) as url,
        closing(Rigged(url)) as rig,
        StandIn(judge) as standin,
        closing(Ledger(url)) as ledger,
        ExitStack() as workers,
    ):
        luna = add_creator(ledger, limit_count=3, wake_at=None)
        house = House(ledger, judge, Scheduler(ledger, queue(redis_url)), standin.url, redis_url, workers, luna)
        house.work()
        with rig.gate("claim", "in") as gate:
            house.scheduler.order(*house.due(12, "queued"))
            until(lambda: gate.waiting() == 1)
            time.sleep(1)
            assert gate.waiting() == 1
            gate.open()
            until(lambda: states(ledger).count("sent") == 3)
        time.sleep(0.5)
        assert len(judge.accepted) == slots_used(ledger) == 3


def test_no_window_has_one_too_many_when_requests_dawdle(house: House) -> None:
    """F53, F54 as long as an answer comes: what is taken late and answered late frees its slot late."""
    house.work()
    dawdle = Random(11)
    house.judge.on_the_way = lambda: dawdle.uniform(0, 0.6)
    house.change_luna(limit_count=3, limit_seconds=2)
    house.due(9)
    house.scheduler.turn_until(lambda: states(house.ledger).count("sent") == 9, 60)
    assert len(house.judge.accepted) == 9
    assert house.judge.most_in(2) == 3


def test_no_window_has_one_too_many_when_a_request_arrives_after_its_time_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F54: nobody waits for the first one any more when the platform takes it; its window begins there all the same."""
    monkeypatch.setattr(record, "SETTLE", timedelta(seconds=2))
    house.work(1, timeout=0.5)
    ways = [2.0, 0.0]
    house.judge.on_the_way = lambda: ways.pop(0)
    house.change_luna(limit_count=1, limit_seconds=3)
    house.due(2)
    house.scheduler.turn_until(lambda: len(house.judge.accepted) == 2, 30)
    assert house.judge.most_in(3) == 1


def test_what_the_creator_sent_by_hand_is_learned_from_a_429(house: House) -> None:
    """F56: three that no ledger knows; the platform says no to the eighth of ours, once, and the account cools down."""
    house.work(1)
    said_no: list[float] = []

    def full() -> Reply | None:
        if len(house.judge.accepted) < 7 or (said_no and time.monotonic() - said_no[0] >= 2):
            return None
        said_no.append(time.monotonic())
        return Reply(429, {"error": "10 an hour"}, {"Retry-After": "2"})

    house.judge.refuses = lambda _: full()
    house.due(8)
    house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"] * 8)
    assert len(said_no) == 1
    assert len(house.judge.accepted) == slots_used(house.ledger) == 8


@pytest.mark.chaos
def test_workers_on_several_hosts_race(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    """F53: four workers, two of them on other hosts, two schedulers, dawdling requests, flushed queues."""
    dawdle = Random(5)
    judge = Arrivals(lambda: dawdle.choice([0.0, 0.0, dawdle.uniform(0, 1.5)]))
    with (
        StandIn(judge) as standin,
        Fleet(tmp_path, {"frontrow": standin.url}, postgresql_url, redis_url, **keys(2)) as fleet,
    ):
        fleet.declare(declared(2, [soon(3600)], limit="5/5s"))
        fleet.run("migrate")
        for _ in range(2):
            fleet.start("scheduler")
        here = [fleet.start("worker", "--processes", "2", "--threads", "1") for _ in range(2)]
        with ExitStack() as hosts:
            for host in ("north", "south"):
                words = [*on_another_host(host), *COMMAND, "worker", "--processes", "2", "--threads", "1"]
                hosts.enter_context(running(words, tmp_path, fleet.environment, host))
            fleet.declare(declared(2, [soon(4)] * 24, limit="5/5s"))
            for accepted in (10, 20):
                until(lambda: len(judge.accepted) >= accepted, 60)  # noqa: B023
                fleet.flush_queue()
            assert [worker.stop() for worker in here] == [0, 0]  # so that the others surely have their share
            found = ended(fleet, 50, 240)
            with fleet.ledger.read() as session:
                places = {host.partition("/")[0] for host in session.scalars(select(attempts.c.host))}
    assert judge.doubles == {}
    assert counted(found) == {"cancelled": 2, "sent": 48}
    assert judge.most_in(5) == 5
    assert len(places) >= (2 if on_another_host("north") else 1)
