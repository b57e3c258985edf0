"""The claim, on both databases: who may send, and that the last slot has one winner."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from carillon import clock
from carillon.ledger import decisions
from carillon.ledger.allowance import Wait
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts, creators, slots
from carillon.platforms.client import Client
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from worker.claim import Claim, Gone, claim
from worker.means import Means

BEFORE, LATER = clock.now() - timedelta(seconds=1), clock.now() + timedelta(days=1)
"""Far enough for a run of all tests."""


@pytest.fixture
def means(ledger: Ledger) -> Iterator[Means]:
    client = Client(1)
    yield Means(ledger, client, "worker test", 20)
    client.close()


@pytest.fixture
def take(means: Means) -> Callable[[int], Claim | Wait | Gone]:
    return lambda broadcast_id: claim(means, broadcast(means.ledger, broadcast_id), "digest")


Take = Callable[[int], Any]


def count(ledger: Ledger, table: Any) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def set_creator(ledger: Ledger, creator_id: int, **values: Any) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).where(creators.c.id == creator_id).values(values))


def take_slot(ledger: Ledger, creator_id: int, ended_ago: timedelta) -> None:
    """A slot of an earlier broadcast, whose request ended that long ago."""
    earlier = add_broadcast(ledger, creator_id, f"earlier {clock.now()}", state="sent")
    now = clock.now()
    with ledger.write() as connection:
        made = insert(attempts).values(
            broadcast_id=earlier,
            number=1,
            token=f"token {earlier}",
            host="h",
            pid=1,
            process_birth="b",
            started_at=now,
            lease_until=now,
            timeout_seconds=20,
            request_digest="d",
        )
        attempt_id = connection.execute(made.returning(attempts.c.id)).scalar_one()
        ended_at = now - ended_ago
        connection.execute(
            insert(slots).values(attempt_id=attempt_id, creator_id=creator_id, taken_at=ended_at, ended_at=ended_at)
        )


def test_a_claim_takes_a_slot_an_attempt_and_the_broadcast(ledger: Ledger, take: Take) -> None:
    broadcast_id = add_broadcast(ledger, add_creator(ledger))
    begun = clock.ticks()
    found = take(broadcast_id)
    assert isinstance(found, Claim)
    assert begun + 29.9 < found.lease_ticks <= clock.ticks() + 30
    row = broadcast(ledger, broadcast_id)
    assert (row.state, row.version, row.attempts, row.waiting_for) == ("sending", 2, 1, None)
    with ledger.read() as session:
        attempt = session.execute(select(attempts)).one()
        slot = session.execute(select(slots)).one()
    assert attempt.lease_until - attempt.started_at == timedelta(seconds=30)
    assert slot.ended_at == attempt.lease_until + timedelta(seconds=20), "counted until it surely has ended"


def test_a_second_claim_finds_nothing(ledger: Ledger, means: Means) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger)))
    assert isinstance(claim(means, row, "d"), Claim)
    assert isinstance(claim(means, row, "d"), Gone)
    assert count(ledger, slots) == count(ledger, attempts) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"state": "planned", "waiting_for": "time"},
        {"state": "cancelled"},
        {"expires_at": BEFORE},
    ],
    ids=lambda changes: next(iter(changes)) + str(changes.get("state", "")),
)
def test_what_changed_since_preflight_is_gone(ledger: Ledger, means: Means, changes: dict[str, Any]) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger)))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(changes))
    assert isinstance(claim(means, row, "d"), Gone)
    assert count(ledger, slots) == 0


def test_what_is_not_due_any_more_by_a_clock_that_was_set_back_waits_for_its_time(ledger: Ledger, take: Take) -> None:
    creator_id = add_creator(ledger, wake_at=None)
    soon = clock.now() + timedelta(seconds=5)
    id_ = add_broadcast(ledger, creator_id, due_at=soon, hand_offs=1, hand_off_at=soon + timedelta(seconds=30))
    assert take(id_) == Wait("time", soon)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.not_before, row.hand_offs) == ("planned", "time", None, 0)
    assert creator(ledger, creator_id).wake_at is not None, "the scheduler looks at it, and not only the sweep"
    assert count(ledger, slots) == 0


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"stopped_at": BEFORE, "stopped_reason": "credentials"}, "creator"),
        ({"cool_down_until": LATER}, "cool_down"),
        ({"quiet_hours": "00:00-23:59", "timezone": "Pacific/Kiritimati"}, "quiet_hours"),
    ],
)
def test_an_account_that_is_held_waits(ledger: Ledger, take: Take, values: dict[str, Any], cause: str) -> None:
    creator_id = add_creator(ledger)
    broadcast_id = add_broadcast(ledger, creator_id)
    set_creator(ledger, creator_id, **values)
    found = take(broadcast_id)
    if cause == "quiet_hours" and isinstance(found, Claim):
        pytest.skip("the one minute of the day that is not quiet")
    assert isinstance(found, Wait)
    row = broadcast(ledger, broadcast_id)
    assert (row.state, row.waiting_for, row.attempts) == ("planned", cause, 0)
    assert row.not_before == (found.until if cause == "cool_down" else None)
    assert count(ledger, slots) == 0


@pytest.mark.parametrize(
    ("level", "target"), [("all", ""), ("platform", "frontrow"), ("creator", "luna"), ("campaign", "drop")]
)
def test_after_pause_returned_nothing_is_claimed(ledger: Ledger, take: Take, level: str, target: str) -> None:
    broadcast_id = add_broadcast(ledger, add_creator(ledger))
    decisions.pause(ledger, level, target, "person:ada", "a storm")
    assert take(broadcast_id) == Wait("pause")
    assert broadcast(ledger, broadcast_id).waiting_for == "pause"


@pytest.mark.parametrize(("level", "target"), [("platform", "fanvue"), ("creator", "mia"), ("campaign", "other")])
def test_the_pause_of_another_holds_nobody(ledger: Ledger, take: Take, level: str, target: str) -> None:
    broadcast_id = add_broadcast(ledger, add_creator(ledger))
    decisions.pause(ledger, level, target, "person:ada", None)
    assert isinstance(take(broadcast_id), Claim)


def test_a_slot_frees_one_window_after_its_request_ended(ledger: Ledger, take: Take) -> None:
    creator_id = add_creator(ledger, limit_count=1, limit_seconds=60)
    take_slot(ledger, creator_id, ended_ago=timedelta(seconds=59))
    waits, goes = add_broadcast(ledger, creator_id, "waits"), add_broadcast(ledger, creator_id, "goes", priority=1)
    found = take(waits)
    assert isinstance(found, Wait)
    assert found.cause == "limit"
    assert found.until is not None
    assert timedelta(0) < found.until - clock.now() <= timedelta(seconds=1)
    set_creator(ledger, creator_id, limit_seconds=58)
    assert isinstance(take(goes), Claim)


def test_a_longer_window_counts_what_a_shorter_one_had_freed(ledger: Ledger, take: Take) -> None:
    creator_id = add_creator(ledger, limit_count=1, limit_seconds=60)
    take_slot(ledger, creator_id, ended_ago=timedelta(seconds=90))
    set_creator(ledger, creator_id, limit_seconds=3600)
    assert isinstance(take(add_broadcast(ledger, creator_id)), Wait)


@pytest.mark.parametrize("better", ["a higher priority", "an earlier expiry", "an older due time"])
def test_a_better_broadcast_of_the_account_goes_first(ledger: Ledger, take: Take, better: str) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    due_at, expires_at = clock.now() - timedelta(seconds=9), clock.now() + timedelta(hours=1)
    values: dict[str, dict[str, Any]] = {
        "a higher priority": {"priority": 1, "due_at": due_at, "expires_at": expires_at},
        "an earlier expiry": {"due_at": due_at, "expires_at": expires_at - timedelta(seconds=1)},
        "an older due time": {"due_at": due_at - timedelta(seconds=1), "expires_at": expires_at},
    }
    plain = add_broadcast(ledger, creator_id, "plain", due_at=due_at, expires_at=expires_at)
    best = add_broadcast(ledger, creator_id, "best", state="planned", **values[better])
    assert isinstance(take(plain), Wait)
    with ledger.write() as connection:
        connection.execute(
            update(broadcasts).where(broadcasts.c.id == best).values(state="queued", waiting_for=None, version=2)
        )
    assert isinstance(take(best), Claim)


def test_a_better_one_that_waits_for_something_else_is_not_waited_for(ledger: Ledger, take: Take) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    later = clock.now() + timedelta(minutes=1)
    add_broadcast(ledger, creator_id, "retrying", state="planned", priority=9, not_before=later, waiting_for="retry")
    assert isinstance(take(add_broadcast(ledger, creator_id, "plain")), Claim)


@pytest.mark.parametrize("round_", range(3))
def test_of_many_claims_at_once_as_many_win_as_there_are_slots(ledger: Ledger, means: Means, round_: int) -> None:
    creator_id = add_creator(ledger, limit_count=3)
    rows = [broadcast(ledger, add_broadcast(ledger, creator_id, f"c{n}")) for n in range(16)]
    gate = threading.Barrier(len(rows))

    def race(row: Any) -> object:
        gate.wait()
        return claim(means, row, "d")

    with ThreadPoolExecutor(len(rows)) as pool:
        found = list(pool.map(race, rows))
    assert sum(isinstance(answer, Claim) for answer in found) == 3
    assert count(ledger, slots) == count(ledger, attempts) == 3


def test_of_two_claims_of_one_broadcast_one_wins(ledger: Ledger, means: Means) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger)))
    gate = threading.Barrier(8)

    def race(_: int) -> object:
        gate.wait()
        return claim(means, row, "d")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(race, range(8)))
    assert sum(isinstance(answer, Claim) for answer in found) == 1
    assert count(ledger, attempts) == 1


def test_no_claim_is_made_once_pause_has_returned(ledger: Ledger, means: Means) -> None:
    creator_id = add_creator(ledger, limit_count=100)
    rows = [broadcast(ledger, add_broadcast(ledger, creator_id, f"c{n}")) for n in range(24)]
    paused_at: list[Any] = []

    def pause() -> None:
        decisions.pause(ledger, "all", "", "person:ada", None)
        with ledger.write() as connection:
            paused_at.append(ledger.now(connection))

    with ThreadPoolExecutor(8) as pool:
        claims = [pool.submit(claim, means, row, "d") for row in rows[:12]]
        pausing = pool.submit(pause)
        claims += [pool.submit(claim, means, row, "d") for row in rows[12:]]
        pausing.result()
        found = [each.result() for each in claims]
    with ledger.read() as session:
        started = list(session.scalars(select(attempts.c.started_at)))
    assert len(started) == sum(isinstance(answer, Claim) for answer in found)
    assert all(at <= paused_at[0] for at in started)
