"""Release, sweep, expiry and rescue over the ledger, on both databases."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger import accounts, decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.owners import this_process
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import alarms, attempts, broadcasts, creators, slots
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from scheduler.orphans import Orphans
from scheduler.release import next_wake, release
from scheduler.rescue import Reminders, rescue
from scheduler.sweep import expire, sweep, sweep_all
from scheduler.watch import watch

TOMORROW = clock.now() + timedelta(days=1)


@pytest.fixture
def broker() -> Iterator[StubBroker]:
    made = brokers.make(None, "test")
    assert isinstance(made, StubBroker)
    yield made
    made.close()


def orders(broker: StubBroker) -> list[tuple[str, int]]:
    """What lies on the queue, taken from it."""
    found = []
    for queue in broker.queues.values():
        while not queue.empty():
            message = dramatiq.Message.decode(queue.get())
            found.append((message.actor_name, message.args[0]))
    return found


def due(ledger: Ledger, creator_id: int, campaign: str, **values: Any) -> int:
    return add_broadcast(ledger, creator_id, campaign, state="planned", **values)


def free(ledger: Ledger, broker: StubBroker) -> list[int]:
    release(ledger, broker, (), "scheduler test")
    return [subject for _, subject in orders(broker)]


def ago(**units: float) -> datetime:
    return clock.now() - timedelta(**units)


def test_as_many_as_there_are_slots_in_the_limits_order(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger, limit_count=4)
    same = {"due_at": ago(seconds=9), "expires_at": clock.now() + timedelta(hours=1)}
    last = due(ledger, creator_id, "last", **{**same, "due_at": ago(seconds=5)})
    third = due(ledger, creator_id, "third", **same)
    second = due(ledger, creator_id, "second", **{**same, "expires_at": clock.now() + timedelta(minutes=9)})
    first = due(ledger, creator_id, "first", **same, priority=1)
    fifth = due(ledger, creator_id, "fifth", **{**same, "due_at": ago(seconds=4)})
    assert free(ledger, broker) == [first, second, third, last]
    assert [broadcast(ledger, id_).state for id_ in (first, last, fifth)] == ["queued", "queued", "planned"]
    assert free(ledger, broker) == []


def test_a_slot_that_frees_while_another_is_under_way_wakes_the_head(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger, limit_count=2, limit_seconds=60)
    frees = clock.now() + timedelta(seconds=20)
    add_slot(ledger, creator_id, ended_at=frees - timedelta(seconds=60))
    for n in range(2):
        due(ledger, creator_id, f"c{n}")
    assert len(free(ledger, broker)) == 1, "one slot is free, and one broadcast takes it"
    assert creator(ledger, creator_id).wake_at == frees, "not only when that one is recorded"


def test_a_persons_own_send_waits_for_no_other(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger)
    add_broadcast(ledger, creator_id, "drop", due_at=ago(minutes=2), state="sending")
    own = due(ledger, creator_id, "drop", kind="send")
    assert free(ledger, broker) == [own]


def test_nothing_goes_before_it_is_due(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger)
    later = clock.now() + timedelta(minutes=1)
    due(ledger, creator_id, "later", due_at=later)
    assert free(ledger, broker) == []
    assert creator(ledger, creator_id).wake_at == later
    wait = next_wake(ledger)
    assert wait is not None
    assert timedelta(seconds=50) < wait <= timedelta(minutes=1)


def test_a_retry_wakes_its_account_when_it_may_go(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger)
    later = clock.now() + timedelta(seconds=30)
    due(ledger, creator_id, "retry", waiting_for="retry", not_before=later)
    assert free(ledger, broker) == []
    assert creator(ledger, creator_id).wake_at == later


def test_what_is_put_off_leaves_its_slot_to_the_next_at_once(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    first, second = due(ledger, creator_id, "first", priority=1), due(ledger, creator_id, "second")
    assert free(ledger, broker) == [first]
    later = clock.now() + timedelta(seconds=30)
    note, retry = Note(clock.now(), "test", "put off"), {"waiting_for": "retry", "not_before": later}
    with ledger.write() as connection:
        move(connection, broadcasts.c.id == first, State.QUEUED, State.PLANNED, note, **retry)
    assert free(ledger, broker) == [second]
    assert creator(ledger, creator_id).wake_at == later


@pytest.mark.parametrize(
    ("values", "wakes"),
    [
        ({"cool_down_until": TOMORROW}, True),
        ({"stopped_at": TOMORROW, "stopped_reason": "credentials"}, False),
    ],
)
def test_an_account_that_is_held_sleeps(
    ledger: Ledger, broker: StubBroker, values: dict[str, Any], wakes: bool
) -> None:
    creator_id = add_creator(ledger, **values)
    due(ledger, creator_id, "waits")
    assert free(ledger, broker) == []
    assert creator(ledger, creator_id).wake_at == (values["cool_down_until"] if wakes else None)


def test_quiet_hours_hold_and_lengthen_the_expiry(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger, quiet_hours="00:00-23:59", timezone="UTC")
    if (clock.now() + timedelta(seconds=5)).strftime("%H:%M") == "23:59":
        pytest.skip("the one minute of the day that is not quiet")
    id_ = due(ledger, creator_id, "quiet", expires_at=clock.now() + timedelta(minutes=1))
    assert free(ledger, broker) == []
    end = creator(ledger, creator_id).wake_at
    assert end.strftime("%H:%M") == "23:59"
    assert broadcast(ledger, id_).expires_at == end + timedelta(hours=2)


@pytest.mark.parametrize("state", ["planned", "queued", "sending", "unknown"])
@pytest.mark.parametrize("overlap", ["queue", "skip"])
def test_overlap(ledger: Ledger, broker: StubBroker, state: str, overlap: str) -> None:
    creator_id = add_creator(ledger)
    waiting = {"not_before": clock.now() + timedelta(hours=1), "waiting_for": "retry"} if state == "planned" else {}
    earlier = add_broadcast(ledger, creator_id, "drop", due_at=ago(minutes=2), state=state, **waiting)
    later = due(ledger, creator_id, "drop", due_at=ago(minutes=1), overlap=overlap)
    assert later not in free(ledger, broker)
    assert broadcast(ledger, later).state == ("planned" if overlap == "queue" else "skipped")
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == earlier).values(state="sent"))
        connection.execute(update(creators).values(wake_at=clock.now()))
    assert free(ledger, broker) == ([later] if overlap == "queue" else [])


def test_a_paused_campaign_lets_the_others_pass(ledger: Ledger, broker: StubBroker) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    due(ledger, creator_id, "paused", priority=9)
    other = due(ledger, creator_id, "other")
    decisions.pause(ledger, "campaign", "paused", "person:ada", None)
    assert free(ledger, broker) == [other]


def test_resume_lets_it_go(ledger: Ledger, broker: StubBroker) -> None:
    id_ = due(ledger, add_creator(ledger), "drop")
    decisions.pause(ledger, "creator", "luna", "person:ada", None)
    assert free(ledger, broker) == []
    assert decisions.resume(ledger, "creator", "luna", "person:ada")
    assert free(ledger, broker) == [id_]


def test_a_thousand_waiting_wake_nobody(ledger: Ledger, broker: StubBroker) -> None:
    busy, calm = add_creator(ledger, limit_count=1), add_creator(ledger, "mia", account="env:MIA_KEY")
    for n in range(100):
        due(ledger, busy, f"c{n}")
    only = due(ledger, calm, "only")
    assert len(free(ledger, broker)) == 2
    assert only
    assert next_wake(ledger) is None, "the record of what is queued wakes them"


def test_the_sweep_hands_off_what_the_queue_lost(ledger: Ledger, broker: StubBroker) -> None:
    id_ = due(ledger, add_creator(ledger), "drop")
    assert free(ledger, broker) == [id_]
    assert broadcast(ledger, id_).hand_offs == 1
    assert sweep(ledger, broker, "scheduler test") == [], "not before 30 s"
    patience = []
    for _ in range(5):
        make_late(ledger, id_)
        before = clock.now()
        assert sweep(ledger, broker, "scheduler test") == [id_]
        patience.append(round((broadcast(ledger, id_).hand_off_at - before).total_seconds()))
    assert patience == [60, 120, 240, 300, 300]
    assert len(orders(broker)) == 5


def test_the_sweep_waits_out_no_clock_that_was_set_back(ledger: Ledger, broker: StubBroker) -> None:
    ahead = clock.now() + timedelta(hours=2)
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", hand_offs=1, hand_off_at=ahead, state_since=ahead)
    assert sweep(ledger, broker, "scheduler test") == [id_]


def test_what_a_worker_had_fetched_that_died_is_handed_off_at_once(ledger: Ledger, broker: StubBroker) -> None:
    orphans, creator_id = Orphans(), add_creator(ledger)
    add_attempt(ledger, add_broadcast(ledger, creator_id, "before", state="sent", attempts=1), timedelta(0))
    orphans.look(ledger)
    id_ = due(ledger, creator_id, "drop")
    assert free(ledger, broker) == [id_]
    swept = []
    for number in range(4):
        orphans.look(ledger)
        swept.append(sweep(ledger, broker, "scheduler test"))
        with ledger.write() as connection:
            connection.execute(update(attempts).values(pid=2**22 + 1 + number))
    assert swept == [[], [id_], [id_], []], "while it lives; for each that ends; and not for ever"
    row = broadcast(ledger, id_)
    assert (row.state, row.hand_offs) == ("queued", 3)
    assert row.hand_off_at - clock.now() < timedelta(seconds=31), "whoever has it now has half a minute"


def test_what_nobody_can_know_to_be_on_the_queue_is_handed_off_at_once(ledger: Ledger, broker: StubBroker) -> None:
    id_ = due(ledger, add_creator(ledger), "drop")
    assert free(ledger, broker) == [id_]
    orphans, swept = Orphans(), []
    for doubt in (False, False, True, False):
        if doubt:
            orphans.doubt()
        orphans.look(ledger)
        swept.append(sweep(ledger, broker, "scheduler test"))
    assert swept == [[id_], [], [id_], []], "at its own start, and when the queue is there again"


def test_an_account_that_is_woken_meanwhile_is_left_to_the_next_release(
    ledger: Ledger, broker: StubBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While thousands are sent, each wakes its account as it ends."""
    creator_id = add_creator(ledger)
    later: list[int] = []

    def ends(_message: object) -> None:
        later.append(due(ledger, creator_id, f"c{len(later)}"))
        with ledger.write() as connection:
            accounts.wake(connection, [creator_id], ago(seconds=1))

    first = due(ledger, creator_id, "first")
    monkeypatch.setattr(broker, "enqueue", ends)
    assert [release(ledger, broker, (), "scheduler test") for _ in range(2)] == [1, 1]
    assert [broadcast(ledger, id_).state for id_ in (first, *later)] == ["queued", "queued", "planned"]


def test_after_ten_hand_offs_a_person_must_look(ledger: Ledger, broker: StubBroker) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", hand_offs=10, hand_off_at=ago(seconds=1))
    sweep(ledger, broker, "scheduler test")
    row = broadcast(ledger, id_)
    assert (row.state, row.reason.split(":")[0]) == ("held", "not_taken_up")


def test_a_queue_that_is_away_is_not_counted(ledger: Ledger, broker: StubBroker) -> None:
    id_ = due(ledger, add_creator(ledger), "drop")
    away = brokers.make("redis://127.0.0.1:1", "test")
    assert release(ledger, away, (), "scheduler test") == 0
    row = broadcast(ledger, id_)
    assert (row.state, row.hand_offs) == ("queued", 0)
    away.close()
    assert sweep(ledger, broker, "scheduler test") == [id_], "nobody had it, so nothing is waited for"


def test_at_the_start_everything_queued_is_handed_off_at_once(ledger: Ledger, broker: StubBroker) -> None:
    id_ = add_broadcast(
        ledger, add_creator(ledger), "drop", hand_offs=1, hand_off_at=clock.now() + timedelta(minutes=5)
    )
    assert sweep_all(ledger, broker, "scheduler test") == [id_]


@pytest.mark.parametrize("state", ["planned", "queued"])
def test_what_is_too_late_expires_and_is_told_once(ledger: Ledger, state: str) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", state=state, expires_at=ago(seconds=1))
    assert expire(ledger, "scheduler test") == [id_]
    assert expire(ledger, "scheduler test") == []
    row = broadcast(ledger, id_)
    assert (row.state, row.reason.split(":")[0]) == ("expired", "too_late")
    with ledger.read() as session:
        assert session.scalars(select(alarms.c.cause)).all() == [f"expired:{id_}"]


@pytest.mark.parametrize(("verdict", "state"), [("resent", "held"), ("absent", "expired"), ("throttled", "expired")])
def test_what_may_have_been_taken_before_is_left_to_a_person(ledger: Ledger, verdict: str, state: str) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", state="planned", expires_at=ago(seconds=1))
    add_attempt(ledger, id_, timedelta(seconds=-60), finished_at=ago(seconds=60), verdict=verdict)
    expire(ledger, "scheduler test")
    row = broadcast(ledger, id_)
    assert (row.state, row.reason.split(":")[0]) == (state, "unknown_outcome" if state == "held" else "too_late")


def add_attempt(ledger: Ledger, broadcast_id: int, lease: timedelta, **values: Any) -> None:
    me = this_process()
    row = {
        "broadcast_id": broadcast_id,
        "number": 1,
        "token": f"token {broadcast_id}",
        "host": me.host,
        "pid": me.pid,
        "process_birth": me.birth,
        "started_at": clock.now(),
        "lease_until": clock.now() + lease,
        "timeout_seconds": 20,
        "request_digest": "d",
    }
    with ledger.write() as connection:
        connection.execute(insert(attempts).values({**row, **values}))


@pytest.mark.parametrize(
    ("lease", "values", "state"),
    [
        (30, {}, "sending"),
        (-1, {}, "unknown"),
        (30, {"process_birth": "an earlier process with this number"}, "unknown"),
        (30, {"pid": 2**22 + 1}, "unknown"),
        (30, {"host": "elsewhere", "pid": 2**22 + 1}, "sending"),
        (-1, {"host": "elsewhere"}, "unknown"),
    ],
    ids=["alive", "lease over", "number reused", "no such process", "other host", "other host, lease over"],
)
def test_rescue(ledger: Ledger, broker: StubBroker, lease: int, values: dict[str, Any], state: str) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", state="sending", attempts=1)
    add_attempt(ledger, id_, timedelta(seconds=lease), **values)
    rescue(ledger, broker, Reminders(), "scheduler test")
    assert broadcast(ledger, id_).state == state
    assert orders(broker) == ([("reconcile", id_)] if state == "unknown" else [])


def test_an_account_that_somebody_holds_keeps_no_other_from_being_rescued(
    ledger: Ledger, broker: StubBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [add_creator(ledger, key) for key in ("luna", "mia")]
    left = [add_broadcast(ledger, id_, "drop", state="sending", attempts=1) for id_ in ids for _ in range(2)]
    for id_ in left:
        add_attempt(ledger, id_, timedelta(seconds=-1))
    hold, tried = accounts.held, []

    def held(of: Ledger, creator_ids: list[int]) -> Any:
        tried.append(creator_ids)
        if creator_ids == ids[:1]:
            raise OperationalError("", {}, Exception("canceling statement due to lock timeout"))
        return hold(of, creator_ids)

    monkeypatch.setattr(accounts, "held", held)
    rescue(ledger, broker, Reminders(), "scheduler test")
    assert [broadcast(ledger, id_).state for id_ in left] == ["sending", "sending", "unknown", "unknown"]
    assert tried == [ids[:1], ids[1:], ids[1:]], "it is waited for once"
    assert len(orders(broker)) == 1


@pytest.mark.parametrize(
    ("state", "minutes", "alarmed"),
    [
        ("queued", 4, False),
        ("queued", 6, True),
        ("sending", 1, False),
        ("sending", 3, True),
        ("unknown", 0, True),
        ("held", 0, True),
        ("sent", 60, False),
    ],
)
def test_a_state_that_lasts_too_long_raises_an_alarm(ledger: Ledger, state: str, minutes: int, alarmed: bool) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), "drop", state=state, state_since=ago(minutes=minutes))
    watch(ledger)
    watch(ledger)
    assert open_alarms(ledger) == ([f"{state}:{id_}"] if alarmed else [])
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="sent"))
    watch(ledger)
    assert open_alarms(ledger) == []


@pytest.mark.parametrize(("held", "alarmed"), [({}, True), ({"cool_down_until": TOMORROW}, False)])
def test_past_due_with_nothing_to_wait_for_raises_an_alarm(ledger: Ledger, held: dict[str, Any], alarmed: bool) -> None:
    creator_id = add_creator(ledger, **held)
    id_ = due(ledger, creator_id, "forgotten", due_at=ago(minutes=2), state_since=ago(minutes=3))
    watch(ledger)
    assert open_alarms(ledger) == ([f"overdue:{id_}"] if alarmed else [])


def open_alarms(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))


def add_slot(ledger: Ledger, creator_id: int, ended_at: datetime) -> None:
    earlier = add_broadcast(ledger, creator_id, "earlier", state="sent", attempts=1)
    add_attempt(ledger, earlier, timedelta(0))
    with ledger.write() as connection:
        attempt_id = connection.scalar(select(attempts.c.id).where(attempts.c.broadcast_id == earlier))
        row = {"attempt_id": attempt_id, "creator_id": creator_id, "taken_at": ended_at, "ended_at": ended_at}
        connection.execute(insert(slots).values(row))


def make_late(ledger: Ledger, broadcast_id: int) -> None:
    with ledger.write() as connection:
        row = update(broadcasts).where(broadcasts.c.id == broadcast_id)
        connection.execute(row.values(hand_off_at=ago(seconds=1), state_since=ago(seconds=31)))


def test_this_process_is_alive() -> None:
    from carillon.ledger.owners import proven_dead

    assert this_process().pid == os.getpid()
    assert not proven_dead(this_process())


def test_what_is_held_is_told_at_once_though_the_clock_was_set_back_meanwhile(ledger: Ledger) -> None:
    later = clock.now() + timedelta(hours=2)
    held = add_broadcast(ledger, add_creator(ledger), state="held", reason="edited_after_send: x", state_since=later)
    watch(ledger)
    assert open_alarms(ledger) == [f"held:{held}"]
