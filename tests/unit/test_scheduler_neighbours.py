"""Two installations on one Redis that send for the same account are told of; orders never cross."""

from contextlib import closing
from pathlib import Path

import dramatiq
from sqlalchemy import select, update

from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import migrate
from carillon.ledger.tables import alarms, creators
from ledger_rows import add_creator
from scheduler.neighbours import look_for_neighbours


def raised(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None))))


def look(ledger: Ledger, redis_url: str) -> None:
    look_for_neighbours(ledger, brokers.make(redis_url, installation(ledger)))


def test_the_same_account_in_two_ledgers(tmp_path: Path, redis_url: str) -> None:
    one, two = Ledger(f"sqlite:///{tmp_path / 'one.db'}"), Ledger(f"sqlite:///{tmp_path / 'two.db'}")
    with closing(one), closing(two):
        for ledger, names in ((one, ("luna", "mia")), (two, ("mia", "zoe"))):
            migrate(ledger)
            for name in names:
                add_creator(ledger, name, account=f"of {name}", account_id=f"of {name}")
        look(one, redis_url)
        assert raised(one) == []
        look(two, redis_url)
        look(one, redis_url)
        for ledger in (one, two):
            [message] = raised(ledger)
            assert "mia" in message
            assert "luna" not in message
        with two.write() as connection:
            connection.execute(update(creators).where(creators.c.key == "mia").values(enabled=False))
        look(two, redis_url)
        look(one, redis_url)
        assert raised(one) == raised(two) == []


def test_a_redis_that_is_away_says_nothing(ledger: Ledger) -> None:
    add_creator(ledger)
    look(ledger, "redis://127.0.0.1:1/0")
    assert raised(ledger) == []


def test_orders_of_one_ledger_never_reach_workers_of_another(redis_url: str) -> None:
    mine, other = brokers.make(redis_url, "one"), brokers.make(redis_url, "two")
    mine.enqueue(dramatiq.Message(queue_name="frontrow", actor_name="deliver", args=(1,), kwargs={}, options={}))
    assert next(other.consume("frontrow", timeout=50)) is None
    assert next(mine.consume("frontrow", timeout=500)) is not None
