"""Cut before, during and after the claim's and the record's transaction: a claim that was not acknowledged sends
nothing, and an outcome is written down however often the database fails, for as long as the process lives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import psycopg
import pytest
from sqlalchemy import text

from carillon.ledger.connect import Ledger
from chaos.arrivals import Arrivals
from chaos.by_hand import Scheduler, attempts_made, has_beaten, moves, slots_used, states, worker
from chaos.rigged import Rigged, Step, Where
from chaos.toxic import Proxy, to_postgresql
from ledger_rows import add_broadcast, add_creator
from running import until
from servers import fresh_database
from standins import StandIn

LEASE = 31.0
ONCE = [("queued", "sending"), ("sending", "sent")]


@dataclass
class House:
    """A worker that reaches its PostgreSQL through a proxy, while the test has a way of its own."""

    ledger: Ledger
    proxy: Proxy
    rig: Rigged
    judge: Arrivals
    scheduler: Scheduler
    luna: int
    ids: list[int] = field(default_factory=list)

    @property
    def conninfo(self) -> str:
        return self.ledger.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def due(self) -> int:
        id_ = add_broadcast(self.ledger, self.luna, f"drop {len(self.ids)}")
        self.ids.append(id_)
        self.scheduler.order(id_)
        return id_


@pytest.fixture
def house(postgresql: str, migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    judge = Arrivals()
    with fresh_database(postgresql, migrated_postgresql) as url, closing(Rigged(url)) as rig:
        proxy, through = to_postgresql(url)
        with (
            proxy,
            StandIn(judge) as standin,
            closing(Ledger(url)) as ledger,
            worker(through, {"frontrow": standin.url}) as broker,
        ):
            until(lambda: has_beaten(ledger))
            yield House(ledger, proxy, rig, judge, Scheduler(ledger, broker), add_creator(ledger, limit_count=100))
            proxy.heal()


def cut(house: House) -> None:
    house.proxy.cut()


def half_open(house: House) -> None:
    """Nothing arrives on either side any more; a while later the connection is gone."""
    house.proxy.swallow("up", "down")
    threading.Timer(0.5, _mend, (house.proxy,)).start()


def swallow_the_answer(house: House) -> None:
    house.proxy.swallow("down")
    threading.Timer(0.5, _mend, (house.proxy,)).start()


def _mend(proxy: Proxy) -> None:
    proxy.heal()
    proxy.cut()


def end_its_session(house: House) -> None:
    """As a restart or a failover does."""
    with house.ledger.engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND objid = 72026"))


MOMENTS = [
    pytest.param(where, harm, id=f"{where}-{harm.__name__}", marks=[pytest.mark.chaos] if harm is half_open else [])
    for where, harms in (
        ("in", (cut, half_open, swallow_the_answer, end_its_session)),
        ("at the commit of", (cut, swallow_the_answer, end_its_session)),
    )
    for harm in harms
]


@pytest.mark.parametrize(("where", "harm"), MOMENTS)
def test_a_claim_that_was_not_acknowledged_sends_nothing(
    house: House, where: Where, harm: Callable[[House], None]
) -> None:
    """F04, F30, F31: what was rolled back goes later, once; what was committed unheard its worker takes back, since it
    knows that nothing was sent, and then it goes as well."""
    with house.rig.gate("claim", where) as gate:
        house.due()
        until(lambda: gate.waiting() == 1)
        harm(house)
        gate.open()
        until(lambda: gate.waiting() == 0)
        house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"])
    assert len(house.judge.accepted) == slots_used(house.ledger) == 1
    taken_back = moves(house.ledger).count(("sending", "planned"))
    assert attempts_made(house.ledger) == taken_back + 1


@pytest.mark.parametrize(("where", "harm"), MOMENTS)
def test_an_outcome_is_recorded_once_whatever_was_lost(
    house: House, where: Where, harm: Callable[[House], None]
) -> None:
    """F32: the record's transaction is made again until it is acknowledged, and then nothing stands there twice."""
    with house.rig.gate("record", where) as gate:
        house.due()
        until(lambda: gate.waiting() == 1)
        harm(house)
        house.proxy.refuse()
        gate.open()
        time.sleep(0.7)
        house.proxy.listen()
        until(lambda: states(house.ledger) == ["sent"])
    house.scheduler.turn()
    assert len(house.judge.accepted) == 1
    assert moves(house.ledger) == ONCE
    assert attempts_made(house.ledger) == slots_used(house.ledger) == 1


def test_a_database_that_is_gone_before_the_claim_costs_nothing_but_time(house: House) -> None:
    """F30: not a byte to the platform before the ledger is back, and then one send."""
    house.proxy.go_away()
    house.due()
    time.sleep(1)
    assert (states(house.ledger), house.judge.accepted) == (["queued"], [])
    house.proxy.listen()
    until(lambda: states(house.ledger) == ["sent"])
    assert len(house.judge.accepted) == 1
    assert moves(house.ledger) == ONCE


FAILURES = {
    "serialization failure": "40001",
    "deadlock": "40P01",
    "lock not available": "55P03",
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "query cancelled": "57014",
    "administrator's shutdown": "57P01",
    "read-only after a failover": "25006",
    "input/output error": "58030",
    "internal error": "XX000",
}
ODD_FAILURES = {
    "a pooler lost the statement": "26000",
    "cached plan must not change": "0A000",
    "a right taken away for a while": "42501",
    "a table locked away by a migration": "42P01",
    "a value that does not fit": "22021",
    "a row that must not be": "23505",
}


@pytest.mark.parametrize("where", ["in", "at the commit of"])
@pytest.mark.parametrize("step", ["claim", "record"])
def test_whatever_the_database_fails_with_it_is_tried_again(house: House, step: Step, where: Where) -> None:
    """F35, F36: each of these errors, once; the request is outside the transaction, and is made once."""
    for name, errcode in FAILURES.items():
        house.rig.fail(step, where, errcode)
        house.due()
        until(lambda: states(house.ledger)[-1] == "sent")
        assert len(house.judge.accepted) == len(house.ids), name
    assert attempts_made(house.ledger) == slots_used(house.ledger) == len(FAILURES)
    assert moves(house.ledger) == ONCE * len(FAILURES)


def test_an_outcome_survives_errors_that_should_not_be(house: House) -> None:
    """F32: what was accepted is never forgotten for an error that nobody foresaw."""
    for name, errcode in ODD_FAILURES.items():
        house.rig.fail("record", "in", errcode)
        house.due()
        until(lambda: states(house.ledger)[-1] == "sent", 5)
        assert len(house.judge.accepted) == len(house.ids), name
    assert moves(house.ledger) == ONCE * len(ODD_FAILURES)


@pytest.mark.parametrize("step", ["claim", "record"])
def test_a_ring_of_locks_is_broken_and_the_work_begun_anew(house: House, step: Step) -> None:
    """F35: a third session locks the broadcast and then the account, the other way round; Carillon is the victim."""
    arrived, go_on = threading.Event(), threading.Event()

    def wait_on_the_way() -> float:
        arrived.set()
        go_on.wait(20)
        return 0.0

    with psycopg.connect(house.conninfo) as third:
        third.execute("SET deadlock_timeout = '1h'")
        if step == "record":
            house.judge.on_the_way = wait_on_the_way
            house.due()
            assert arrived.wait(20)
            third.execute("SELECT id FROM broadcast FOR NO KEY UPDATE")
            go_on.set()
        else:
            id_ = add_broadcast(house.ledger, house.luna)
            third.execute("SELECT id FROM broadcast FOR NO KEY UPDATE")
            house.scheduler.order(id_)
        until(lambda: _waiting_for_a_lock(house) == 1)
        third.execute("SELECT id FROM creator FOR NO KEY UPDATE")
        third.rollback()
    until(lambda: states(house.ledger) == ["sent"])
    assert len(house.judge.accepted) == 1
    assert moves(house.ledger) == ONCE
    assert _deadlocks(house) == 1


def _waiting_for_a_lock(house: House) -> int:
    with house.ledger.engine.connect() as connection:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(connection.execute(text(waiting)).scalar_one())


def _deadlocks(house: House) -> int:
    def counted() -> int:
        with house.ledger.engine.connect() as connection:
            asked = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            return int(connection.execute(asked).scalar_one())

    return until(counted)


@pytest.mark.chaos
def test_a_claim_whose_answer_comes_after_its_lease_sends_nothing(house: House) -> None:
    """F13 by way of the database: the claim is ours, but it is too late to begin; it goes later, under a new one."""
    with house.rig.gate("claim", "at the commit of") as gate:
        house.due()
        until(lambda: gate.waiting() == 1)
        house.proxy.latency = LEASE
        gate.open()
        until(lambda: states(house.ledger) == ["sending"])
        time.sleep(LEASE - 1)
        assert house.judge.accepted == []
        until(lambda: house.proxy.latency == LEASE and gate.waiting() == 0)
        time.sleep(1.5)
        assert house.judge.accepted == []
        house.proxy.latency = 0.0
    until(lambda: ("sending", "planned") in moves(house.ledger), 60)
    assert house.judge.accepted == []
    house.scheduler.turn_until(lambda: states(house.ledger) == ["sent"], 60)
    assert len(house.judge.accepted) == 1


@pytest.mark.chaos
def test_an_account_that_somebody_holds_for_long_is_claimed_once_it_is_free(house: House) -> None:
    """F35: over the ten seconds after which a wait for a lock is given up, and the order begins anew."""
    with psycopg.connect(house.conninfo) as third:
        third.execute("SELECT id FROM creator FOR NO KEY UPDATE")
        house.due()
        time.sleep(12)
        assert (states(house.ledger), house.judge.accepted) == (["queued"], [])
    until(lambda: states(house.ledger) == ["sent"], 30)
    assert len(house.judge.accepted) == 1
