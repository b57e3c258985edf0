"""Broadcasts that are placed in the platform's own scheduler, up to the record; on both databases."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from calendars import Calendar, lost
from carillon import clock
from carillon.ledger import decisions, placing
from carillon.ledger.allowance import free_slots
from carillon.ledger.connect import Ledger
from carillon.ledger.questions import listed
from carillon.ledger.tables import broadcasts, creators, slots
from carillon.platforms.client import Client
from ledger_rows import add_broadcast, add_creator, broadcast
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.means import Means
from worker.reconcile import reconcile

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def means(ledger: Ledger, calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    with StandIn(calendar) as platform:
        yield Means(ledger, client, "worker test", 2, {"fanvue": platform.url})
    client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, platform="fanvue", wake_at=None)


def to_place(ledger: Ledger, luna: int, goes_in: timedelta, campaign: str = "drop", **values: Any) -> int:
    goes_at = clock.now() + goes_in
    now = clock.now()
    times = {"due_at": now - timedelta(seconds=1), "goes_at": goes_at, "expires_at": goes_at + 2 * HOUR}
    values = {"platform": "fanvue", "occurrence": goes_at.isoformat(), **values}
    return add_broadcast(ledger, luna, campaign, **times, **values)


def test_a_broadcast_is_placed_with_a_slot_for_when_it_is_due(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    id_ = to_place(ledger, luna, 24 * HOUR)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.recipient_count) == ("placed", "m1", 3)
    assert (row.sent_at, row.delivery, row.waiting_for, row.reason) == (None, None, None, None)
    assert calendar.messages["m1"]["scheduledAt"] == clock.rfc3339_seconds(row.goes_at)
    with ledger.read() as session:
        slot = session.execute(select(slots)).one()
    assert slot.counts_from < row.goes_at - HOUR
    assert slot.ended_at > row.goes_at
    assert timedelta(0) < row.hand_off_at - row.state_since < MINUTE, "it is looked at soon"


@pytest.mark.parametrize(
    ("goes_in", "quiet"), [(MINUTE, None), (12 * HOUR, "00:00-23:59")], ids=["too near", "in quiet hours"]
)
def test_what_is_not_placed_waits_until_it_is_due(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar, goes_in: timedelta, quiet: str | None
) -> None:
    id_ = to_place(ledger, luna, goes_in)
    if quiet:
        begin, end = (f"{clock.now() + hours * HOUR:%H:%M}" for hours in (11, 13))
        with ledger.write() as connection:
            connection.execute(update(creators).values(quiet_hours=f"{begin}-{end}", timezone="UTC"))
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.not_before, row.attempts) == ("planned", "time", row.goes_at, 0)
    assert calendar.writes == []


def test_when_it_is_due_it_is_sent_as_any_other(ledger: Ledger, means: Means, luna: int, calendar: Calendar) -> None:
    id_ = to_place(ledger, luna, -timedelta(seconds=1))
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"
    assert calendar.messages["m1"]["scheduledAt"] is None


def test_nothing_is_placed_while_it_is_paused(ledger: Ledger, means: Means, luna: int, calendar: Calendar) -> None:
    id_ = to_place(ledger, luna, 24 * HOUR)
    decisions.pause(ledger, "campaign", "drop", "tester", None)
    deliver(means, id_)
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).waiting_for) == ("planned", "pause")
    assert calendar.writes == []


def test_what_would_be_one_too_many_around_its_due_time_waits(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).values(limit_count=2))
    found = []
    for number, minutes in enumerate((0, 50, 30, 90, 100)):
        id_ = to_place(ledger, luna, 24 * HOUR + minutes * MINUTE, f"c{number}")
        deliver(means, id_)
        found.append((broadcast(ledger, id_).state, broadcast(ledger, id_).waiting_for))
    free = ("placed", None)
    assert found == [free, free, ("planned", "limit"), free, ("planned", "limit")]
    waiting = broadcast(ledger, id_)
    assert waiting.not_before > clock.now(), "it does not go round and round"
    assert calendar.writes == ["POST"] * 3


def test_those_of_later_leave_the_slots_of_now_free(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).values(limit_count=1))
    deliver(means, to_place(ledger, luna, 90 * MINUTE))
    today = add_broadcast(ledger, luna, "today", platform="fanvue")
    deliver(means, today)
    assert broadcast(ledger, today).state == "sent"
    soon = to_place(ledger, luna, 50 * MINUTE, "soon")
    deliver(means, soon)
    assert broadcast(ledger, soon).waiting_for == "limit", "an hour has not gone by then"


def test_one_that_is_placed_for_soon_takes_the_slot_of_now(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).values(limit_count=1))
    deliver(means, to_place(ledger, luna, 50 * MINUTE))
    today = add_broadcast(ledger, luna, "today", platform="fanvue")
    deliver(means, today)
    assert (broadcast(ledger, today).state, broadcast(ledger, today).waiting_for) == ("planned", "limit")


def test_an_answer_that_was_lost_is_looked_up(ledger: Ledger, means: Means, luna: int, calendar: Calendar) -> None:
    calendar.answer = lost
    id_ = to_place(ledger, luna, 24 * HOUR)
    deliver(means, id_)
    reconcile(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.sent_at) == ("placed", "m1", None)
    assert calendar.writes == ["POST"]
    with ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(slots)) == 1


def test_what_is_refused_holds_no_slot(ledger: Ledger, means: Means, luna: int, calendar: Calendar) -> None:
    calendar.refuses["POST"] = Reply(422, {"message": "not like this"})
    id_ = to_place(ledger, luna, 24 * HOUR)
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "failed"
    with ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(slots)) == 0


def held(ledger: Ledger, means: Means, luna: int, calendar: Calendar) -> int:
    """One whose request may have been taken, and that nobody could look up."""
    calendar.answer = lost
    id_ = to_place(ledger, luna, 24 * HOUR)
    deliver(means, id_)
    with ledger.write() as connection:
        unclear = {"state": "held", "reason": "unknown_outcome: who knows", "platform_message_id": None}
        connection.execute(update(broadcasts).values(unclear))
    return id_


@pytest.mark.parametrize(
    ("sent", "message_id", "state"), [(True, "m9", "placed"), (True, None, "sent"), (False, None, "planned")]
)
def test_what_a_person_says_of_it_keeps_its_due_time(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar, sent: bool, message_id: str | None, state: str
) -> None:
    id_ = held(ledger, means, luna, calendar)
    goes_at = broadcast(ledger, id_).goes_at
    decisions.resolve(ledger, id_, sent=sent, message_id=message_id, who="person:ada", reason="seen")
    row = broadcast(ledger, id_)
    assert (row.state, row.goes_at, row.platform_message_id) == (state, goes_at, message_id)
    assert state != "placed" or row.hand_off_at <= clock.now(), "it is looked at"


def test_its_owner_may_still_say_that_it_was_placed(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    id_ = to_place(ledger, luna, 24 * HOUR)

    def meanwhile(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "POST":
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(state="held", reason="unknown_outcome: it took long"))
        return reply

    calendar.answer = meanwhile
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.reason) == ("placed", "m1", None)


def test_its_due_time_is_when_it_goes(ledger: Ledger, luna: int) -> None:
    id_ = to_place(ledger, luna, 24 * HOUR, state="planned")
    with ledger.read() as session:
        connection = session.connection()
        shown = listed(connection, broadcasts.c.id == id_, ledger.now(connection))
    goes_at = broadcast(ledger, id_).goes_at
    assert [one["due_at"] for one in shown] == [clock.rfc3339(goes_at)]


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


class Taken:
    """A slot, and when its message truly arrives."""

    def __init__(self, counts_from: datetime | None, ended_at: datetime, arrives_at: datetime) -> None:
        self.counts_from, self.ended_at, self.arrives_at = counts_from, ended_at, arrives_at


STEPS = st.lists(
    st.tuples(st.integers(0, 25), st.integers(-1, 150), st.integers(0, 50), st.booleans()), min_size=3, max_size=40
)


@given(limit=st.integers(1, 4), steps=STEPS)
def test_no_window_ever_has_more_than_the_limit(limit: int, steps: list[tuple[int, int, int, bool]]) -> None:
    """Each step: minutes go by, then one is sent, or placed so many minutes ahead, and arrives some seconds late."""
    now, taken = NOON, list[Taken]()
    for minutes, ahead, late, slow in steps:
        now += minutes * MINUTE
        if ahead < 3:
            ends = [one.ended_at for one in taken if placing.counts(one, HOUR, now)]
            if free_slots(limit, HOUR, ends, now)[0]:
                ended_at = now + timedelta(seconds=50)
                taken.append(Taken(None, ended_at, ended_at if slow else now + timedelta(seconds=late)))
            continue
        goes_at = now + ahead * MINUTE
        if placing.fits(taken, limit, HOUR, goes_at):
            times = placing.slot_times(goes_at, HOUR)
            taken.append(Taken(times["counts_from"], times["ended_at"], goes_at + timedelta(seconds=late)))
    arrivals = sorted(one.arrives_at for one in taken)
    for first, last in zip(arrivals, arrivals[limit:], strict=False):
        assert last - first >= HOUR, json.dumps([str(at) for at in arrivals])


def test_what_is_due_is_sent_also_by_a_host_whose_clock_is_behind(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = to_place(ledger, luna, -MINUTE / 60)
    behind = SimpleNamespace(now=lambda: clock.now() - MINUTE)
    monkeypatch.setattr("worker.place.clock", behind)
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"


def test_what_is_found_to_have_gone_at_once_has_its_slot_now(
    ledger: Ledger, means: Means, luna: int, calendar: Calendar
) -> None:
    def at_once(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "POST":
            calendar.send("m1", clock.now())
        return lost(seen, reply)

    calendar.answer = at_once
    id_ = to_place(ledger, luna, 24 * HOUR)
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"
    with ledger.read() as session:
        slot = session.execute(select(slots)).one()
    assert (slot.counts_from, slot.ended_at <= clock.now()) == (None, True)
