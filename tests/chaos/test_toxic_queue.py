"""Toxic connections to Redis, of the worker and of the scheduler: late perhaps, but nothing lost and nothing twice."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from carillon.ledger.connect import Ledger
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, attempts_made, open_alarms, queue, slots_used, states, worker
from chaos.rigged import Rigged
from chaos.toxic import Action, Proxy, to_redis
from ledger_rows import add_broadcast, add_creator
from running import until
from servers import fresh_database
from standins import StandIn

SWEPT = 31.0


@dataclass
class House:
    """`works` stands between the worker and Redis, `hands` between the scheduler and Redis."""

    ledger: Ledger
    rig: Rigged
    judge: Arrivals
    works: Proxy
    hands: Proxy
    scheduler: Scheduler

    def due(self, count: int) -> None:
        for number in range(count):
            key = f"c{len(states(self.ledger))}"
            creator = add_creator(self.ledger, key, credentials="env:KEY")
            add_broadcast(self.ledger, creator, f"{key} {number}", state="planned")
        self.scheduler.turn()

    def assert_once(self, count: int) -> None:
        until(lambda: states(self.ledger).count("sent") == count, 30)
        assert len(self.judge.accepted) == attempts_made(self.ledger) == slots_used(self.ledger) == count
        self.scheduler.turn_until(lambda: open_alarms(self.ledger) == [])


@pytest.fixture
def house(
    postgresql: str, migrated_postgresql: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setenv("KEY", "secret")
    judge = Arrivals(lambda: 0.05)
    (works, works_url), (hands, hands_url) = to_redis(redis_url), to_redis(redis_url)
    with (
        fresh_database(postgresql, migrated_postgresql) as url,
        closing(Rigged(url)) as rig,
        StandIn(judge) as standin,
        closing(Ledger(url)) as ledger,
        works,
        hands,
        worker(url, {"frontrow": standin.url}, works_url),
    ):
        scheduler = Scheduler(ledger, queue(hands_url))
        yield House(ledger, rig, judge, works, hands, scheduler)
        works.heal()


CALLS = [
    ("works", "lose the answer", b"fetch"),  # taken from the queue, and heard of by nobody
    ("works", "lose the answer", b"ack"),
    ("hands", "lose the answer", b"enqueue"),  # on the queue, and handed off again
    pytest.param("works", "cut", b"fetch", marks=pytest.mark.chaos),
    pytest.param("works", "cut", b"ack", marks=pytest.mark.chaos),
    pytest.param("hands", "cut", b"enqueue", marks=pytest.mark.chaos),
]


@pytest.mark.parametrize(("whose", "harm", "call"), CALLS, ids=str)
def test_a_call_of_the_queue_that_fails_once(house: House, whose: str, harm: Action, call: bytes) -> None:
    """F25, F09: whatever became of it, the sweep and the ledger put it right."""
    proxy = house.works if whose == "works" else house.hands
    house.due(1)
    until(lambda: states(house.ledger) == ["sent"])
    proxy.trap(harm, word=call)
    house.due(9)
    until(lambda: proxy.sprung == 1)
    until(lambda: house.works.connections and _has_come_back(house), 10)
    house.rig.step_clock(SWEPT)
    house.scheduler.turn()
    house.assert_once(10)


def _has_come_back(house: House) -> bool:
    house.scheduler.turn()
    return len(house.judge.accepted) > 1


def test_a_slow_queue(house: House) -> None:
    """Three hundredths of a second for each word, and a thousand bytes a second: late, and once."""
    house.works.latency = house.hands.latency = 0.03
    house.works.rate = house.hands.rate = 20_000
    house.due(10)
    house.assert_once(10)


def gone(house: House) -> None:
    house.works.go_away()
    house.hands.go_away()


def cut_again_and_again(house: House) -> None:
    for _ in range(5):
        house.works.cut()
        house.hands.cut()
        time.sleep(0.2)


def half_open(house: House) -> None:
    house.works.swallow("up", "down")
    house.hands.swallow("up", "down")


def mute(house: House) -> None:
    """It hears everything and says nothing."""
    house.works.swallow("down")
    house.hands.swallow("down")


@pytest.mark.chaos
@pytest.mark.parametrize("harm", [gone, cut_again_and_again, half_open, mute], ids=lambda harm: harm.__name__)
def test_a_queue_that_is_bad_for_a_while(house: House, harm: Callable[[House], None]) -> None:
    """F27: for ten seconds, while things fall due; connections that lost bytes stay mute afterwards. What was handed
    off before, and what could not be, has gone within the sweep's half minute and ten seconds for coming back."""
    house.due(5)
    harm(house)
    house.due(5)
    end_of_harm = time.monotonic() + 10
    while time.monotonic() < end_of_harm:
        house.scheduler.turn()
        time.sleep(0.5)
    for proxy in (house.works, house.hands):
        proxy.heal()
        if harm is gone:
            proxy.listen()
    back = time.monotonic()
    house.due(5)
    house.scheduler.turn_until(lambda: states(house.ledger).count("sent") == 15, 60)
    assert time.monotonic() - back < 40
    house.assert_once(15)
