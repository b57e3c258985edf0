"""A crowd that is due in one moment, and accounts in which much waits: each once, and no more read than is sent."""

from collections import Counter
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import Select, event, literal, select, text, update

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger import accounts, allowance, decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts, creators, events
from ledger_rows import add_broadcast, add_creator, broadcast
from scheduler import choice
from scheduler.release import release
from scheduler.sweep import expire, sweep

MANY = 23


def orders(broker: dramatiq.Broker) -> Counter[int]:
    assert isinstance(broker, StubBroker)
    found: Counter[int] = Counter()
    for queue in broker.queues.values():
        while not queue.empty():
            found[dramatiq.Message.decode(queue.get()).args[0]] += 1
    return found


@pytest.fixture
def crowd(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Due broadcasts of many accounts, of which one transaction takes five."""
    for module in ("release", "sweep"):
        monkeypatch.setattr(f"scheduler.{module}._ACCOUNTS_AT_ONCE", 5)
    ids = [add_creator(ledger, f"c{n}") for n in range(MANY)]
    return [add_broadcast(ledger, id_, "drop", state="planned") for id_ in ids]


def test_each_of_a_crowd_is_handed_off_once(ledger: Ledger, crowd: list[int]) -> None:
    broker = brokers.make(None, "test")
    assert release(ledger, broker, (), "scheduler test") == MANY
    assert orders(broker) == Counter(crowd)
    rows = [broadcast(ledger, id_) for id_ in crowd]
    assert {(row.state, row.version, row.hand_offs, row.waiting_for) for row in rows} == {("queued", 2, 1, None)}
    with ledger.read() as session:
        told = session.execute(select(events)).all()
        awake_still = session.execute(select(creators).where(creators.c.wake_at.is_not(None))).all()
    assert Counter((e.broadcast_id, e.source, e.target) for e in told) == Counter(
        (i, "planned", "queued") for i in crowd
    )
    assert awake_still == []


def test_what_is_refused_of_a_crowd_goes_with_the_next_sweep_and_does_not_count(
    ledger: Ledger, crowd: list[int]
) -> None:
    away, broker = brokers.make("redis://127.0.0.1:1", "test"), brokers.make(None, "test")
    assert release(ledger, away, (), "scheduler test") == 0
    away.close()
    assert {(broadcast(ledger, id_).state, broadcast(ledger, id_).hand_offs) for id_ in crowd} == {("queued", 0)}
    assert Counter(sweep(ledger, broker, "scheduler test")) == orders(broker) == Counter(crowd)
    assert {broadcast(ledger, id_).hand_offs for id_ in crowd} == {1}


def test_more_accounts_than_a_statement_takes_values_are_locked_and_woken(ledger: Ledger, crowd: list[int]) -> None:
    """As by `carillon pause --all`; and what expired in an outage is ended some accounts at a time."""
    with ledger.write() as connection:
        accounts.lock(connection, range(70_000))
        accounts.wake(connection, range(70_000), clock.now() - timedelta(days=1))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(expires_at=clock.now() - timedelta(seconds=1)))
    assert Counter(expire(ledger, "scheduler test")) == Counter(crowd)


def test_an_account_that_is_held_by_another_transaction_is_passed_by(ledger: Ledger, crowd: list[int]) -> None:
    if ledger.embedded:
        pytest.skip("SQLite has one writer")
    broker = brokers.make(None, "test")
    with ledger.write() as connection:
        connection.execute(select(creators.c.id).where(creators.c.key == "c7").with_for_update())
        assert release(ledger, broker, (), "scheduler test") == MANY - 1
    assert release(ledger, broker, (), "scheduler test") == 1
    assert orders(broker) == Counter(crowd)


def test_the_crowd_does_not_hurry_a_limit_a_pause_or_a_cool_down(ledger: Ledger, crowd: list[int]) -> None:
    changes: dict[str, dict[str, Any]] = {
        "c1": {"limit_count": 0},
        "c2": {"cool_down_until": clock.now() + timedelta(hours=1)},
        "c3": {"stopped_at": clock.now(), "stopped_reason": "credentials"},
        "c4": {"quiet_hours": "00:00-23:59", "timezone": "UTC"},
    }
    if (clock.now() + timedelta(seconds=5)).strftime("%H:%M") == "23:59":
        pytest.skip("the one minute of the day that is not quiet")
    with ledger.write() as connection:
        for key, values in changes.items():
            connection.execute(update(creators).where(creators.c.key == key).values(values))
    broker = brokers.make(None, "test")
    assert release(ledger, broker, (), "scheduler test") == MANY - len(changes)
    assert orders(broker).keys() == set(crowd) - set(crowd[1:5])


def plan_of(ledger: Ledger, statement: Select[Any]) -> str:
    """In the words of SQLite, which says by which indexes it goes."""
    with ledger.read() as session:
        compiled = statement.compile(ledger.engine, compile_kwargs={"literal_binds": True, "render_postcompile": True})
        return "\n".join(row.detail for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))


def test_what_waits_is_read_along_an_index_in_the_limits_order(ledger: Ledger) -> None:
    if not ledger.embedded:
        pytest.skip("PostgreSQL goes by how much there is")
    chosen = plan_of(ledger, choice._first(literal(1), (), clock.now()).limit(3))
    assert "broadcast USING INDEX ix_broadcast_next" in chosen
    assert "TEMP B-TREE" not in chosen, "and is not sorted"


@pytest.mark.parametrize("waiting", [5, 60])
@pytest.mark.parametrize("why", ["overlap", "pause"])
def test_what_cannot_go_hides_nothing_behind_it(ledger: Ledger, why: str, waiting: int) -> None:
    """The head of the order waits; further behind stand others that may go, and what a person sends."""
    creator_id, now = add_creator(ledger, limit_count=3), clock.now()
    if why == "pause":
        decisions.pause(ledger, "campaign", "flood", "person:ada", None)
    else:
        add_broadcast(ledger, creator_id, "flood", state="unknown", due_at=now - timedelta(hours=1))
    for n in range(waiting):
        add_broadcast(ledger, creator_id, "flood", state="planned", due_at=now - timedelta(seconds=waiting + 9 - n))
    late = {"state": "planned", "due_at": now - timedelta(seconds=1), "expires_at": now + timedelta(hours=9)}
    others = [add_broadcast(ledger, creator_id, f"other-{n}", **late) for n in range(3)]
    own = add_broadcast(ledger, creator_id, "by-hand", kind="send", **late | {"priority": -1, "occurrence": "own"})
    placed = {**late, "priority": -2, "goes_at": now + timedelta(hours=5)}
    again = {"not_before": now + timedelta(hours=1), "waiting_for": "retry", "due_at": now - timedelta(seconds=2)}
    add_broadcast(ledger, creator_id, "placed", **placed | again)
    to_be_placed = add_broadcast(ledger, creator_id, "placed", **placed)
    broker = brokers.make(None, "test")
    release(ledger, broker, (), "scheduler test")
    assert list(orders(broker)) == others, "the limit has no room for the last"
    with ledger.write() as connection:
        connection.execute(update(creators).values(wake_at=now, limit_count=5))
    release(ledger, broker, (), "scheduler test")
    assert list(orders(broker)) == [own, to_be_placed], "for neither has the one before it of its campaign to go"


@pytest.mark.parametrize("waiting", [3, 60])
def test_no_more_statements_where_more_waits(ledger: Ledger, waiting: int) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    for n in range(waiting):
        add_broadcast(ledger, creator_id, f"c{n}", state="planned", due_at=clock.now() - timedelta(seconds=waiting - n))
    said: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *words: said.append(words[2]))
    broker = brokers.make(None, "test")
    assert release(ledger, broker, (), "scheduler test") == 1
    assert len(said) < 40
    assert broadcast(ledger, 1).state == "queued", "the one that was due first"


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"priority": 1}, 1),
        ({"priority": -1}, 0),
        ({"expires": -1}, 1),
        ({"expires": 1}, 0),
        ({"due": -1}, 1),
        ({"due": 1}, 0),
        ({}, 0),
        ({"priority": 1, "state": "queued"}, 1),
        ({"priority": 1, "state": "sent"}, 0),
        ({"priority": 1, "not_before": 1}, 0),
        ({"priority": 1, "campaign": "paused"}, 0),
        ({"priority": -1, "expires": -1, "due": -1}, 0),
    ],
)
def test_better_ones(ledger: Ledger, values: dict[str, Any], count: int) -> None:
    now = clock.now().replace(microsecond=0)
    due, expires = now - timedelta(minutes=5), now + timedelta(hours=1)
    creator_id = add_creator(ledger)
    same = {"due_at": due, "expires_at": expires, "occurrence": "x", "state": "queued"}
    mine = add_broadcast(ledger, creator_id, "mine", **same)
    other = {
        **same,
        "state": values.get("state", "planned"),
        "priority": values.get("priority", 0),
        "due_at": due + timedelta(minutes=values.get("due", 0)),
        "expires_at": expires + timedelta(minutes=values.get("expires", 0)),
        "not_before": now + timedelta(minutes=values["not_before"]) if "not_before" in values else None,
    }
    add_broadcast(ledger, creator_id, values.get("campaign", "other"), **other)
    with ledger.read() as session:
        row = session.execute(select(broadcasts).where(broadcasts.c.id == mine)).one()
        assert allowance.better(session.connection(), row, now, {"paused"}) == count
