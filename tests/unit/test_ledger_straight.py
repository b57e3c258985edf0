"""Connections of the send path that break: what was not acknowledged sends nothing, and what came is written down."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import exc, func, select, text
from sqlalchemy.exc import DBAPIError

from carillon.ledger import straight as straight_file
from carillon.ledger.connect import Ledger
from carillon.ledger.parcels import parcel
from carillon.ledger.straight import MOST, Straight
from carillon.ledger.tables import attempts, events
from carillon.platforms.client import Client
from ledger_rows import add_broadcast, add_creator, broadcast
from standins import StandIn
from worker import jobs
from worker.claim import UnheardError
from worker.deliver import deliver
from worker.means import Means

plain = Straight.cursor


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def means(ledger: Ledger, platform: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    yield Means(ledger, client, "worker test", 2, {"frontrow": platform.url})
    client.close()


@pytest.fixture
def queued(ledger: Ledger) -> int:
    return add_broadcast(ledger, add_creator(ledger))


def posts(platform: StandIn) -> int:
    return sum(seen.method == "POST" for seen in platform.seen)


def moves(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(events.c.target).order_by(events.c.id)))


def breaking(turn: int, *, after: bool) -> Callable[[Straight], Any]:
    """The connection breaks at its n-th use: before what is done on it, or after, when only the answer is lost."""
    turns = iter(range(1, 1000))

    @contextmanager
    def cursor(straight: Straight) -> Iterator[Any]:
        mine = next(turns) == turn
        driver: Any = straight._engine.dialect.loaded_dbapi
        with plain(straight) as real:
            if mine and not after:
                raise driver.OperationalError("the connection is lost")
            yield real
            if mine:
                raise driver.OperationalError("the connection is lost")

    return cursor


READ, CLAIM, RECORD = 1, 2, 3


@pytest.mark.parametrize("after", [False, True])
def test_a_read_that_broke_is_asked_again(
    means: Means, queued: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(Straight, "cursor", breaking(READ, after=after))
    deliver(means, queued)
    assert broadcast(means.ledger, queued).state == "sent"
    assert posts(platform) == 1


def test_a_claim_that_is_not_acknowledged_sends_nothing(
    means: Means, queued: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Straight, "cursor", breaking(CLAIM, after=True))
    with pytest.raises(UnheardError, match="the connection is lost"):
        deliver(means, queued)
    deliver(means, queued)
    assert (broadcast(means.ledger, queued).state, moves(means.ledger)) == ("planned", ["sending", "planned"])
    assert posts(platform) == 0


def test_a_claim_that_was_not_made_is_made_when_its_order_is_tried_again(
    means: Means, queued: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Straight, "cursor", breaking(CLAIM, after=False))
    jobs._guarded("deliver", deliver, means)(queued)
    assert (broadcast(means.ledger, queued).state, moves(means.ledger)) == ("sent", ["sending", "sent"])
    assert posts(platform) == 1


@pytest.mark.parametrize("after", [False, True])
def test_an_outcome_is_written_once_whatever_becomes_of_the_connection(
    means: Means, queued: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(Straight, "cursor", breaking(RECORD, after=after))
    deliver(means, queued)
    assert (broadcast(means.ledger, queued).state, moves(means.ledger)) == ("sent", ["sending", "sent"])
    with means.ledger.read() as session:
        assert session.scalar(select(func.count()).where(attempts.c.finished_at.is_not(None))) == 1
    assert posts(platform) == 1


def test_a_restarted_server_costs_one_connection_and_no_order(
    means: Means, queued: int, platform: StandIn, postgresql: str
) -> None:
    if means.ledger.embedded:
        return
    deliver(means, queued)
    with closing(Ledger(postgresql)) as other, other.engine.connect() as connection:
        ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :database")
        connection.execute(ended, {"database": means.ledger.url.database})
    second = add_broadcast(means.ledger, 1, "second")
    platform.seen.clear()
    deliver(means, second)
    assert broadcast(means.ledger, second).state == "sent"
    assert posts(platform) == 1


def test_errors_give_their_place_back(ledger: Ledger) -> None:
    for _ in range(MOST + 1):
        with pytest.raises(DBAPIError) as caught, ledger.straight.cursor() as cursor:
            cursor.execute("SELECT nonsense FROM nowhere")
        assert "nowhere" in str(caught.value.orig)
        with pytest.raises(ZeroDivisionError), ledger.straight.cursor():
            raise ZeroDivisionError
    assert parcel(ledger, 1) is None


def test_who_finds_no_place_in_time_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(straight_file, "_PATIENCE_SECONDS", 0.05)
    with ExitStack() as held:
        for _ in range(MOST):
            held.enter_context(ledger.straight.cursor())
        with pytest.raises(exc.TimeoutError, match="hang"), ledger.straight.cursor():
            pass
    assert parcel(ledger, 1) is None


def test_the_isolation_is_not_the_servers_to_choose(postgresql_url: str) -> None:
    """Under any other one a claim would count slots as they were before it had the lock."""
    with closing(Ledger(postgresql_url)) as ledger:
        with ledger.write() as connection:
            connection.execute(
                text(f"ALTER DATABASE {ledger.url.database} SET default_transaction_isolation = 'repeatable read'")
            )
        ledger.close()
        with ledger.straight.cursor() as cursor:
            assert cursor.execute("SHOW transaction_isolation").fetchall() == [("read committed",)]
