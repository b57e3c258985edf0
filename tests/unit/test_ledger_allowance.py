from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from carillon.ledger.allowance import ORDER, Standing, Wait, better, blocked, free_slots, ready, standings
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts, pauses, slots
from ledger_rows import add_broadcast, add_creator, broadcast, creator

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("limit", "ended", "free", "next_at"),
    [
        (3, [], 3, None),
        (3, [-10], 2, 50),
        (3, [-10, -20, -30], 0, 30),
        (3, [-30, -10, -20], 0, 30),
        (3, [-60, -20, -30], 1, 30),
        (3, [-59, -20, -30], 0, 1),
        (3, [-61, -600, -6000], 3, None),
        (3, [1, -20, -30], 0, 30),
        (1, [0.5], 0, 60.5),
        (2, [-50, -40, -30, -20, -10], 0, 40),
        (10, [-5] * 10, 0, 55),
    ],
    ids=[
        "never sent",
        "some left",
        "full",
        "in any order",
        "one ended a window ago",
        "one ended nearly a window ago",
        "all long ago",
        "a request under way counts",
        "a request under way alone",
        "the limit was lowered",
        "all at once",
    ],
)
def test_free_slots(limit: int, ended: Sequence[float], free: int, next_at: float | None) -> None:
    expected = None if next_at is None else at(next_at)
    assert free_slots(limit, HOUR, [at(minutes) for minutes in ended], NOON) == (free, expected)


@given(
    limit=st.integers(1, 12),
    ended=st.lists(st.integers(-7200, 30), max_size=40),
)
def test_one_slot_more_is_free_when_it_is_said_and_not_a_moment_earlier(limit: int, ended: list[int]) -> None:
    ends = [NOON + timedelta(seconds=seconds) for seconds in ended]
    free, more_at = free_slots(limit, HOUR, ends, NOON)
    assert (free == limit) == (more_at is None)
    if more_at is not None:
        assert free_slots(limit, HOUR, ends, more_at)[0] > free
        assert free_slots(limit, HOUR, ends, more_at - timedelta(microseconds=1))[0] == free


def account(**values: object) -> Any:
    usual = {
        "key": "luna",
        "platform": "frontrow",
        "stopped_at": None,
        "cool_down_until": None,
        "quiet_hours": None,
        "timezone": "America/New_York",
    }
    return SimpleNamespace(**{**usual, **values})


QUIET = {"quiet_hours": "06:00-08:00"}  # noon in UTC is 07:00 in New York
EVERYTHING = {"stopped_at": at(-1), "cool_down_until": at(5), **QUIET}


@pytest.mark.parametrize(
    ("values", "paused", "wait"),
    [
        ({}, set(), None),
        ({}, {("all", "")}, Wait("pause")),
        ({}, {("platform", "frontrow")}, Wait("pause")),
        ({}, {("creator", "luna")}, Wait("pause")),
        ({}, {("platform", "ofauth"), ("creator", "mia"), ("campaign", "luna")}, None),
        ({"stopped_at": at(-1)}, set(), Wait("creator")),
        ({"cool_down_until": at(5)}, set(), Wait("cool_down", at(5))),
        ({"cool_down_until": NOON}, set(), None),
        (QUIET, set(), Wait("quiet_hours", at(60))),
        ({"quiet_hours": "08:00-06:00"}, set(), None),
        ({**QUIET, "timezone": "UTC"}, set(), None),
        (EVERYTHING, {("all", "")}, Wait("creator")),
        ({**EVERYTHING, "stopped_at": None}, {("all", "")}, Wait("pause")),
        ({**EVERYTHING, "stopped_at": None}, set(), Wait("cool_down", at(5))),
    ],
)
def test_blocked(values: dict[str, object], paused: set[tuple[str, str]], wait: Wait | None) -> None:
    assert blocked(account(**values), paused, NOON) == wait


@pytest.mark.parametrize(
    ("block", "free", "wait"),
    [
        (None, 1, None),
        (None, 0, Wait("limit", at(7))),
        (Wait("pause"), 0, Wait("pause")),
    ],
)
def test_wait(block: Wait | None, free: int, wait: Wait | None) -> None:
    standing = Standing(NOON, block, free, at(7), 3, frozenset({"paused"}))
    assert standing.wait("drop") == wait
    assert standing.wait("paused") == (block or Wait("pause"))


def add_slot(ledger: Ledger, creator_id: int, ended_at: datetime) -> None:
    id_ = add_broadcast(ledger, creator_id, f"sent {ended_at}", state="sent")
    made = {
        "broadcast_id": id_,
        "number": 1,
        "token": f"token {id_}",
        "host": "here",
        "pid": 1,
        "process_birth": "1",
        "started_at": ended_at,
        "lease_until": ended_at,
        "timeout_seconds": 20,
        "request_digest": "d",
    }
    with ledger.write() as connection:
        attempt_id = connection.execute(insert(attempts).values(made).returning(attempts.c.id)).scalar_one()
        taken = {"attempt_id": attempt_id, "creator_id": creator_id, "taken_at": ended_at, "ended_at": ended_at}
        connection.execute(insert(slots).values(taken))


def test_standings_keep_accounts_and_their_windows_apart(ledger: Ledger) -> None:
    luna = add_creator(ledger, limit_count=2, limit_seconds=3600)
    mia = add_creator(ledger, "mia", limit_count=2, limit_seconds=7200)
    zoe = add_creator(ledger, "zoe", cool_down_until=at(3))
    for minutes in (-90, -20, -10):
        add_slot(ledger, luna, at(minutes))
        add_slot(ledger, mia, at(minutes))
    with ledger.write() as connection:
        connection.execute(insert(pauses).values(level="campaign", target="drop", since=NOON, who="me"))
        found = standings(connection, [creator(ledger, id_) for id_ in (luna, mia, zoe)], NOON)
    drop = frozenset({"drop"})
    assert found == {
        luna: Standing(NOON, None, 0, at(40), 2, drop),
        mia: Standing(NOON, None, 0, at(100), 3, drop),
        zoe: Standing(NOON, Wait("cool_down", at(3)), 10, None, 0, drop),
    }


# In the order in which they go: (priority, expires in minutes, due minutes ago, waits for).
QUEUE = [
    (9, 90, 1, "limit"),
    (5, 30, 1, "time"),
    (5, 60, 9, "retry"),
    (5, 60, 5, "cool_down"),
    (5, 60, 5, "time"),
    (0, 10, 99, "time"),
]


@pytest.fixture
def queue(ledger: Ledger) -> list[int]:
    creator_id = add_creator(ledger)
    ids: dict[int, int] = {}
    for number in (4, 0, 3, 5, 2, 1):
        priority, expires, ago, cause = QUEUE[number]
        values = {"priority": priority, "expires_at": at(expires), "due_at": at(-ago), "waiting_for": cause}
        ids[number] = add_broadcast(ledger, creator_id, f"drop-{number}", state="planned", **values)
    ids[3], ids[4] = sorted((ids[3], ids[4]))
    return [ids[number] for number in range(len(QUEUE))]


def test_priority_then_expiry_then_due_time_then_age(ledger: Ledger, queue: list[int]) -> None:
    with ledger.read() as session:
        assert list(session.scalars(select(broadcasts.c.id).where(ready(NOON)).order_by(*ORDER))) == queue


def test_better_counts_exactly_those_before_it(ledger: Ledger, queue: list[int]) -> None:
    with ledger.write() as connection:
        ahead = [better(connection, broadcast(ledger, id_), NOON, ()) for id_ in queue]
        assert ahead == [0, 1, 2, 3, 4, 5]
        assert better(connection, broadcast(ledger, queue[1]), NOON, {"drop-0"}) == 0


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({"state": "planned"}, True),
        ({"state": "queued"}, True),
        ({"state": "sending"}, False),
        ({"state": "held"}, False),
        ({"state": "planned", "due_at": at(1)}, False),
        ({"state": "planned", "not_before": at(1)}, False),
        ({"state": "planned", "not_before": at(0)}, True),
        ({"state": "planned", "expires_at": at(0)}, False),
    ],
)
def test_who_could_go_now_stands_before_the_others(ledger: Ledger, values: dict[str, Any], counts: bool) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia")
    same = {"due_at": at(-1), "expires_at": at(60)}
    last = add_broadcast(ledger, luna, "last", state="queued", **same)
    add_broadcast(ledger, luna, "first", **{**same, "priority": 1, **values})
    add_broadcast(ledger, mia, "elsewhere", **{**same, "priority": 9})
    with ledger.write() as connection:
        assert better(connection, broadcast(ledger, last), NOON, ()) == counts


@pytest.mark.parametrize(
    ("state", "overlap", "counts"),
    [("sending", "queue", False), ("unknown", "queue", False), ("sent", "queue", True), ("held", "queue", True)],
)
def test_one_that_waits_for_its_previous_one_stands_before_nobody(
    ledger: Ledger, state: str, overlap: str, counts: bool
) -> None:
    luna = add_creator(ledger)
    add_broadcast(ledger, luna, "drop", state=state, due_at=at(-9), expires_at=at(60))
    add_broadcast(ledger, luna, "drop", state="planned", priority=9, overlap=overlap, due_at=at(-1), expires_at=at(60))
    last = add_broadcast(ledger, luna, "last", due_at=at(-1), expires_at=at(60))
    with ledger.write() as connection:
        assert better(connection, broadcast(ledger, last), NOON, ()) == counts
