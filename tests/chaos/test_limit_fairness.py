"""A creator with a thousand waiting, or cooling down for a day, costs the others nothing, and wakes to send alone."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts, creators
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, states, worker
from chaos.fleets import declared, keys, soon
from chaos.rigged import Rigged
from chaos.toxic import Proxy, to_postgresql
from daemons import Fleet
from ledger_rows import add_broadcast, add_creator, broadcast
from running import until
from servers import fresh_database
from standins import StandIn

WAITING = 1000
TURNS = 12
OTHERS = 20
LOOKS = 15


@dataclass
class House:
    """The scheduler by hand asks its PostgreSQL through a proxy that counts."""

    ledger: Ledger
    rig: Rigged
    judge: Arrivals
    scheduler: Scheduler
    proxy: Proxy

    def wait_a_thousand(self, luna: int) -> None:
        """Due for an hour, with a day to go."""
        first = add_broadcast(self.ledger, luna, "w0", state="planned", **LONG)
        row = dict(broadcast(self.ledger, first)._mapping)
        del row["id"]
        self.scheduler.campaigns = [f"w{number}" for number in range(WAITING)]
        rows = [row | {"campaign": name, "content_digest": name} for name in self.scheduler.campaigns[1:]]
        with self.ledger.write() as connection:
            connection.execute(insert(broadcasts), rows)
            connection.execute(update(creators).where(creators.c.id == luna).values(wake_at=clock.now()))

    def wakes(self, luna: int) -> bool:
        with self.ledger.read() as session:
            at = session.scalar(select(creators.c.wake_at).where(creators.c.id == luna))
            return at is not None and at <= self.ledger.now(session.connection())

    def sent(self) -> int:
        with self.ledger.read() as session:
            return session.scalar(select(func.count()).where(broadcasts.c.state == "sent")) or 0


LONG = {"due_at": clock.now() - timedelta(hours=1), "expires_at": clock.now() + timedelta(days=2)}


@pytest.fixture
def house(postgresql: str, migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for key in ("LUNA_KEY", "KEY"):
        monkeypatch.setenv(key, f"secret of {key}")
    judge = Arrivals()
    with fresh_database(postgresql, migrated_postgresql) as url, closing(Rigged(url)) as rig:
        proxy, through = to_postgresql(url)
        with (
            proxy,
            StandIn(judge) as standin,
            closing(Ledger(url)) as ledger,
            closing(Ledger(through)) as asked,
            worker(url, {"frontrow": standin.url}, threads=4) as broker,
        ):
            yield House(ledger, rig, judge, Scheduler(asked, broker), proxy)


@dataclass(frozen=True)
class Cost:
    """Of some turns of all beats: questions asked of the database, and rows that it read to answer them."""

    questions: int
    rows: int


def cost(house: House) -> Cost:
    before, rows = house.proxy.chunks["up"], rows_read(house)
    for _ in range(TURNS):
        house.scheduler.turn()
    return Cost(house.proxy.chunks["up"] - before, rows_read(house) - rows)


def rows_read(house: House) -> int:
    """Sessions report what they read a second later, with their next transaction."""
    time.sleep(1.1)
    with house.scheduler.ledger.read() as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
        session.rollback()
        read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
        return int(session.execute(text(read)).scalar_one())


@pytest.mark.parametrize("held_by", ["limit", "cool_down"])
def test_a_thousand_waiting_cost_as_much_as_none(house: House, held_by: str) -> None:
    """Questions and rows of a turn of all beats, before a thousand wait and after."""
    luna = add_creator(house.ledger, limit_count=1, wake_at=None)
    if held_by == "limit":
        add_broadcast(house.ledger, luna, "took the slot", state="planned", **LONG)
        with house.ledger.write() as connection:
            connection.execute(update(creators).values(wake_at=clock.now()))
        house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"])
    for number in range(OTHERS):
        add_creator(house.ledger, f"other{number}", credentials="env:KEY", wake_at=None)
    house.scheduler.turn()
    without = cost(house)
    house.wait_a_thousand(luna)
    if held_by == "cool_down":
        with house.ledger.write() as connection:
            until_then = {"cool_down_until": clock.now() + timedelta(days=1)}
            connection.execute(update(creators).where(creators.c.id == luna).values(until_then))
    house.scheduler.turn()  # which looks at the account once
    with_them = cost(house)
    assert with_them.questions <= without.questions + 3 * TURNS, (without, with_them)
    assert with_them.rows <= without.rows + 5 * TURNS, (without, with_them)
    assert len(house.judge.accepted) == (1 if held_by == "limit" else 0)


def test_wake_ups_grow_with_what_is_sent(house: House) -> None:
    """A thousand wait under 3 an hour, for two hours of the ledger's clock: for each send no more than a wake-up when a
    slot frees, one to hand it off, and one when it ends, however often the scheduler looks."""
    luna = add_creator(house.ledger, limit_count=3, wake_at=None)
    house.wait_a_thousand(luna)
    woken = 0
    for minute in (0, 20, 40, 59, 61, 80, 100, 119, 122):
        house.rig.step_clock(60.0 * minute)
        for _ in range(LOOKS):
            woken += house.wakes(luna)
            house.scheduler.release()
        until(lambda: len(house.judge.accepted) == house.sent() == 3 * (1 + minute // 61))  # noqa: B023
    assert woken <= 3 * house.sent()


@pytest.mark.chaos
def test_others_are_not_late(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    """Twenty are due in a second, and again when a thousand of one creator wait for its limit, and another one cools
    down for a day: no later than the first time, but for the noise of the machine."""
    judge = Arrivals()
    first, backlog, again = soon(25), soon(30), soon(45)
    with (
        StandIn(judge) as standin,
        Fleet(tmp_path, {"frontrow": standin.url}, postgresql_url, redis_url, **keys(OTHERS + 2)) as fleet,
    ):
        crowd = declared(1, [backlog] * WAITING, more=", expires_after: 1d").partition("campaigns:\n")[2]
        fleet.declare(declared(OTHERS + 2, [first, again]) + crowd.replace("  t0-", "  w0-").replace("c0-t", "c0-w"))
        fleet.run("migrate")
        fleet.start("scheduler")
        fleet.start("worker", "--processes", "2", "--threads", "4")
        until(lambda: len(judge.accepted) == OTHERS + 2, 60)
        _cool_down(fleet.ledger, "c1")
        until(lambda: sum(text.startswith("c0-") for text in judge.texts) == 10, 60)
        until(lambda: sum(text.endswith("-t1") for text in judge.texts) >= OTHERS, 90)
    ahead = clock.now().timestamp() - time.monotonic()
    late = {
        turn: sorted(ahead + one.at - due.timestamp() for one in judge.accepted if one.text.endswith(turn))
        for turn, due in (("-t0", first), ("-t1", again))
    }
    assert late["-t0"][0] >= 0 <= late["-t1"][0]
    assert late["-t1"][OTHERS // 2] < 1.5 * late["-t0"][OTHERS // 2] + 0.3, late


def _cool_down(ledger: Ledger, key: str) -> None:
    with ledger.write() as connection:
        for_a_day = {"cool_down_until": clock.now() + timedelta(days=1)}
        connection.execute(update(creators).where(creators.c.key == key).values(for_a_day))
