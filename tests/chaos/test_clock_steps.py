"""Clocks that step: of the database under load, of the host of an embedded Carillon, of one of several workers."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
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
from carillon.ledger.tables import alarms, creators
from chaos import stepped
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, rows, slots_used, states, worker
from chaos.fleets import counted, declared, ended, keys, running, soon
from chaos.rigged import Rigged
from daemons import Fleet
from ledger_rows import add_broadcast, add_creator
from running import Carillon, until
from servers import fresh_database
from standins import Reply, StandIn

HOUR = 3600.0


@dataclass
class House:
    """A worker and the scheduler's beats on a PostgreSQL whose clock is in the test's hand."""

    ledger: Ledger
    rig: Rigged
    judge: Arrivals
    scheduler: Scheduler
    luna: int

    def due(self, count: int, **values: Any) -> list[int]:
        """Due for hours, and not to expire for hours, whatever the clock says."""
        now, first = clock.now(), len(states(self.ledger))
        wide = {"due_at": now - timedelta(hours=5), "expires_at": now + timedelta(hours=19), "state": "planned"}
        names = [f"drop {first + number}" for number in range(count)]
        ids = [add_broadcast(self.ledger, self.luna, name, **{**wide, **values}) for name in names]
        self.change_luna(wake_at=now - timedelta(hours=5))
        return ids

    def change_luna(self, **values: Any) -> None:
        with self.ledger.write() as connection:
            connection.execute(update(creators).where(creators.c.id == self.luna).values(values))

    def turns(self, count: int = 2) -> None:
        for _ in range(count):
            self.scheduler.turn()
            time.sleep(0.1)

    def wait_until_sent(self, count: int) -> None:
        self.scheduler.turn_until(lambda: states(self.ledger).count("sent") == count)
        self.turns()
        assert len(self.judge.accepted) == states(self.ledger).count("sent") == count


@pytest.fixture
def house(postgresql: str, migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    judge = Arrivals()
    with (
        fresh_database(postgresql, migrated_postgresql) as url,
        closing(Rigged(url)) as rig,
        StandIn(judge) as standin,
        closing(Ledger(url)) as ledger,
        worker(url, {"frontrow": standin.url}, timeout=2) as broker,
    ):
        yield House(ledger, rig, judge, Scheduler(ledger, broker), add_creator(ledger, limit_count=3))


def test_a_step_back_frees_nothing(house: House) -> None:
    """F18: three slots of an hour are used up; two hours earlier they still are, and afterwards too."""
    house.due(6)
    house.wait_until_sent(3)
    for seconds in (-2 * HOUR, 0.0, -30.0, HOUR - 60):
        house.rig.step_clock(seconds)
        house.due(1)
        house.turns()
        assert len(house.judge.accepted) == 3
    house.rig.step_clock(HOUR + 60)
    house.wait_until_sent(6)


def test_what_is_under_way_when_the_clock_goes_back_keeps_its_slot(house: House) -> None:
    """F18: the only slot was taken by the right clock, its request ends by the wrong one, then the clock is mended."""
    house.judge.on_the_way = lambda: 1.0
    house.change_luna(limit_count=1)
    house.due(2)
    house.scheduler.turn_until(lambda: "sending" in states(house.ledger))
    house.rig.step_clock(-2 * HOUR)
    house.scheduler.turn_until(lambda: "sent" in states(house.ledger))
    house.rig.step_clock(0)
    house.due(1)
    house.turns(8)
    assert len(house.judge.accepted) == slots_used(house.ledger) == 1


def test_what_is_sent_while_the_clock_is_late_keeps_its_slot(house: House) -> None:
    """F18: the second of two slots is taken two hours ago, by the wrong clock; the first tells that this cannot be."""
    house.change_luna(limit_count=2)
    house.due(1)
    house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"])
    house.rig.step_clock(-2 * HOUR)
    house.due(1)
    house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"] * 2)
    house.rig.step_clock(0)
    house.due(1)
    house.turns(8)
    assert len(house.judge.accepted) == slots_used(house.ledger) == 2


def test_what_is_under_way_when_the_clock_goes_forward_ends_sent_and_once(house: House) -> None:
    """F17, as far as it concerns doubles: its lease seems to be over, yet its owner's word counts. What could not go in
    time has expired, and says so."""
    house.judge.on_the_way = lambda: 1.0
    house.change_luna(limit_count=1)
    (under_way,) = house.due(1)
    house.scheduler.turn_until(lambda: states(house.ledger) == ["sending"])
    (late,) = house.due(1, expires_at=clock.now() + timedelta(hours=1))
    house.rig.step_clock(2 * HOUR)
    house.turns()
    until(lambda: states(house.ledger) == ["sent", "expired"])
    house.turns()
    assert len(house.judge.accepted) == slots_used(house.ledger) == 1
    with house.ledger.read() as session:
        assert f"expired:{late}" in session.scalars(select(alarms.c.cause)).all()
    assert under_way < late


def test_what_nobody_knows_counts_as_sent(house: House) -> None:
    """F55: six that were accepted, and four that may have been; the eleventh waits for the first of them to end."""
    house.change_luna(limit_count=10)
    house.judge.answer = lambda seen, id_: (
        Reply(502, "oh") if int(id_[1:]) % 5 in {1, 3} else Reply(202, {"id": id_, "recipientCount": 1})
    )
    house.due(11)
    house.scheduler.turn_until(lambda: counted(map(_state, rows(house.ledger))) == {"held": 4, "planned": 1, "sent": 6})
    house.turns()
    assert len(house.judge.accepted) == slots_used(house.ledger) == 10
    house.rig.step_clock(HOUR - 60)
    house.turns()
    assert len(house.judge.accepted) == 10
    house.rig.step_clock(HOUR + 60)
    house.scheduler.turn_until(lambda: len(house.judge.accepted) == 11)


def _state(row: Any) -> dict[str, Any]:
    return {"state": row.state}


def test_a_limit_that_is_lowered_waits_for_slots_to_end(house: House) -> None:
    """F55: of ten in ten hours, eight are used, fifteen minutes apart; with five allowed, four have to end first."""
    house.change_luna(limit_count=10, limit_seconds=10 * HOUR)
    for number in range(8):
        house.rig.step_clock(HOUR / 4 * number)
        house.due(1)
        house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"] * (number + 1))  # noqa: B023
    house.change_luna(limit_count=5)
    house.due(2)
    for hours, sent in ((2.0, 8), (10.65, 8), (10.85, 9), (11.1, 10)):
        house.rig.step_clock(hours * HOUR)
        house.wait_until_sent(sent)


@pytest.mark.chaos
@pytest.mark.parametrize("hours", [-2, 2])
def test_the_database_steps_under_load(tmp_path: Path, postgresql_url: str, redis_url: str, hours: int) -> None:
    """F17, F18: two schedulers, two workers, requests that dawdle on the way; nothing twice, and nothing lost. Back: no
    window has one too many, from the step to long after the return. Forward: there is an alarm, and what had no time
    left is `expired` and told."""
    dawdle = Random(hours)
    judge = Arrivals(lambda: dawdle.uniform(0, 0.8))
    with (
        StandIn(judge) as standin,
        Fleet(tmp_path, {"frontrow": standin.url}, postgresql_url, redis_url, **keys(6)) as fleet,
    ):
        fleet.declare(declared(6, [soon(12 + 2 * turn) for turn in range(8)], limit="3/8s"))
        fleet.run("migrate")
        with closing(Rigged(postgresql_url)) as rig:
            for words in (("scheduler",), ("scheduler",), WORKER, WORKER):
                fleet.start(*words)
            until(lambda: len(judge.accepted) >= 12, 60)
            rig.step_clock(hours * HOUR)
            time.sleep(8)
            if hours < 0:
                rig.step_clock(0)
            found = ended(fleet, 48)
            assert [daemon.stop() for daemon in fleet.daemons] == [0] * 4
            told = _alarm_causes(fleet.ledger)
    assert judge.doubles == {}
    assert counted(found).get("sent", 0) == len(judge.accepted)
    if hours < 0:
        assert counted(found) == {"sent": 48}
        assert judge.most_in(8) <= 3
    else:
        assert "clock_step:database" in told
        assert {f"expired:{row['id']}" for row in found if row["state"] == "expired"} <= told
    assert "Traceback" not in fleet.logs


WORKER = ("worker", "--processes", "1", "--threads", "4")


def _alarm_causes(ledger: Ledger) -> set[str]:
    with ledger.read() as session:
        return set(session.scalars(select(alarms.c.cause)))


HOURLY = """version: 1
creators:
  c0: {platform: frontrow, credentials: env:KEY0, timezone: UTC}
campaigns:
  hourly:
    creator: c0
    text: the hour {{ occurrence.local }}
    lists: {include: [subscribers]}
    schedule: {cron: "0 * * * *"}
    expires_after: 2h
"""


@pytest.mark.chaos
def test_a_year_forward_is_no_flood(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    """F20: a broadcast for each hour of the year was asked for; what is sent is what may still go by its expiry, what
    is told is one alarm for the clock."""
    judge = Arrivals()
    with (
        StandIn(judge) as standin,
        Fleet(tmp_path, {"frontrow": standin.url}, postgresql_url, redis_url, **keys(1)) as fleet,
    ):
        fleet.declare(HOURLY)
        fleet.run("migrate")
        with closing(Rigged(postgresql_url)) as rig:
            fleet.start("scheduler")
            fleet.start(*WORKER)
            until(lambda: len(fleet.broadcasts(state="planned")) >= 23, 30)
            rig.step_clock(365 * 24 * HOUR)
            until(lambda: "clock_step:database" in _alarm_causes(fleet.ledger), 60)
            time.sleep(15)
            assert len(judge.accepted) <= 3
            assert len(fleet.broadcasts(state="queued") + fleet.broadcasts(state="sending")) == 0
            told = _alarm_causes(fleet.ledger)
    assert judge.doubles == {}
    assert sum(cause.startswith("clock_step") for cause in told) == 1
    assert len(told) < 100


def wrong_clock(off: Path) -> list[str]:
    """The command of a Carillon whose clock is off by what this file says."""
    return [sys.executable, stepped.__file__, str(off)]


class OnAWrongClock(Carillon):
    """An embedded Carillon on a host whose clock the test steps."""

    def __init__(self, folder: Path, urls: Mapping[str, str], **variables: str) -> None:
        super().__init__(folder, urls, **variables)
        self._running = ExitStack()

    @property
    def off(self) -> Path:
        return self.folder / "off"

    def step_clock(self, seconds: float) -> None:
        fresh = self.folder / "off.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.off)

    def up(self, *, dashboard: bool = False) -> None:
        assert not dashboard
        self.step_clock(0)
        words = [*wrong_clock(self.off), "up", "--no-dashboard"]
        self.process = self._running.enter_context(running(words, self.folder, self.environment, "up"))


@pytest.mark.chaos
@pytest.mark.parametrize("hours", [-2, 2])
def test_the_host_of_an_embedded_carillon_steps_under_load(tmp_path: Path, hours: int) -> None:
    """F17, F18 on SQLite, whose clock is the host's."""
    dawdle = Random(hours)
    judge = Arrivals(lambda: dawdle.uniform(0, 0.8))
    with StandIn(judge) as standin, OnAWrongClock(tmp_path, {"frontrow": standin.url}, **keys(4)) as carillon:
        carillon.declare(declared(4, [soon(6 + 2 * turn) for turn in range(8)], limit="3/8s"))
        carillon.up()
        until(lambda: len(judge.accepted) >= 8, 60)
        carillon.step_clock(hours * HOUR)
        time.sleep(8)
        if hours < 0:
            carillon.step_clock(0)
        found = ended(carillon, 32)
        assert carillon.stop() == 0
        told = _alarm_causes(carillon.ledger)
    assert judge.doubles == {}
    assert counted(found).get("sent", 0) == len(judge.accepted)
    if hours < 0:
        assert counted(found) == {"sent": 32}
        assert judge.most_in(8) <= 3
    else:
        assert any(cause.startswith("clock_step:host") for cause in told)
        assert {f"expired:{row['id']}" for row in found if row["state"] == "expired"} <= told
    assert "Traceback" not in carillon.log


@pytest.mark.chaos
def test_a_worker_five_minutes_ahead_takes_the_others_for_dead(
    tmp_path: Path, postgresql_url: str, redis_url: str
) -> None:
    """F19: Dramatiq puts what the others have under way on the queue again; for the ledger these are old orders."""
    judge = Arrivals(lambda: 1.0)
    ahead = tmp_path / "off"
    ahead.write_text("300")
    with (
        StandIn(judge) as standin,
        Fleet(tmp_path, {"frontrow": standin.url}, postgresql_url, redis_url, **keys(60)) as fleet,
    ):
        fleet.declare(declared(60, [soon(14)]))
        fleet.run("migrate")
        fleet.start("scheduler")
        fleet.start(*WORKER)
        with running([*wrong_clock(ahead), *WORKER], tmp_path, fleet.environment, "ahead") as fast:
            found = ended(fleet, 60)
            assert [daemon.stop() for daemon in fleet.daemons] == [0] * 2
            fast.send_signal(signal.SIGTERM)
            assert fast.wait(30) == 0
    assert judge.doubles == {}
    assert counted(found) == {"sent": 60}
    assert judge.most_in(HOUR) == 1
