"""What was placed, until it is sent: looked at, withdrawn, replaced; with answers lost and hands in between."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from calendars import Calendar, lost
from carillon import clock
from carillon.ledger import decisions, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note
from carillon.ledger.tables import alarms, attempts, broadcasts, slots
from carillon.platforms.client import Client
from carillon.platforms.contract import Content, ListRef
from ledger_rows import add_broadcast, add_creator, broadcast
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.follow import follow
from worker.means import Means
from worker.reconcile import reconcile

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NEW = Content(include=(ListRef(kind="smart", value="subscribers"),), text="hello again").frozen()


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
def placed(ledger: Ledger, means: Means) -> int:
    """One that is placed for tomorrow."""
    luna = add_creator(ledger, platform="fanvue", wake_at=None)
    goes_at = clock.now() + DAY
    id_ = add_broadcast(ledger, luna, platform="fanvue", goes_at=goes_at, expires_at=goes_at + timedelta(hours=2))
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "placed"
    set_(ledger, id_, hand_off_at=clock.now() - SECOND)
    return id_


def set_(ledger: Ledger, id_: int, **values: Any) -> None:
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == id_).values(values))


def comes_due(ledger: Ledger, id_: int, ago: timedelta) -> datetime:
    """As if so much time had gone by since it was due."""
    goes_at = clock.now() - ago
    set_(ledger, id_, goes_at=goes_at, hand_off_at=clock.now() - SECOND)
    return goes_at


def look_now(ledger: Ledger, means: Means, id_: int) -> Any:
    set_(ledger, id_, hand_off_at=clock.now() - SECOND)
    follow(means, id_)
    return broadcast(ledger, id_)


def wish(ledger: Ledger, id_: int, content: str = NEW, **columns: Any) -> None:
    """As the scheduler does after an edit of the file."""
    row = broadcast(ledger, id_)
    told = {"content": content, "goes_at": row.goes_at, "expires_at": row.expires_at, **columns}
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
    with ledger.write() as connection:
        note = Note(ledger.now(connection), "scheduler test", "edited")
        assert placing.wish(connection, row, placing.REPLACE, {"columns": told, "why": "edited"}, note)


def open_causes(ledger: Ledger) -> dict[str, str]:
    with ledger.read() as session:
        found = session.execute(select(alarms.c.cause, alarms.c.message).where(alarms.c.cleared_at.is_(None)))
        return {row.cause.partition(":")[0]: row.message for row in found}


def told_once(ledger: Ledger) -> set[str]:
    with ledger.read() as session:
        found = session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_not(None)))
        return {cause.partition(":")[0] for cause in found}


def live_slots(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(slots)) or 0


def test_what_stays_as_it_was_is_looked_at_hourly(ledger: Ledger, means: Means, placed: int) -> None:
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, open_causes(ledger)) == ("placed", {})
    assert timedelta(minutes=59) < row.hand_off_at - clock.now() <= timedelta(hours=1)
    before = row.version
    follow(means, placed)
    assert broadcast(ledger, placed).version == before, "not before its time"


@pytest.mark.parametrize(
    ("by_hand", "differs"),
    [
        ({"text": "something else"}, "text"),
        ({"price": 999}, "price"),
        ({"mediaUuids": ["other"]}, "media"),
        ({"scheduledAt": "2031-01-01T00:00:00Z"}, "time"),
    ],
)
def test_what_somebody_changed_by_hand_is_told_and_left(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, by_hand: Mapping[str, Any], differs: str
) -> None:
    before = dict(calendar.messages["m1"])
    calendar.messages["m1"].update(by_hand)
    row = look_now(ledger, means, placed)
    assert row.state == "placed"
    assert f"other {differs}" in open_causes(ledger)["drift"]
    assert calendar.writes == ["POST"]
    calendar.messages["m1"] = before
    look_now(ledger, means, placed)
    assert open_causes(ledger) == {}, "and it is told no more once it is as it was"


def test_what_somebody_removed_by_hand_is_cancelled(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.remove("m1")
    row = look_now(ledger, means, placed)
    assert (row.state, row.reason.split(":")[0], live_slots(ledger)) == ("cancelled", "removed", 0)
    assert told_once(ledger) == {"gone"}


def test_what_the_platform_has_sent_is_sent(ledger: Ledger, means: Means, placed: int, calendar: Calendar) -> None:
    goes_at = comes_due(ledger, placed, 5 * SECOND).replace(microsecond=0)
    calendar.send("m1", goes_at + 2 * SECOND)
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.sent_at, row.delivery) == ("sent", goes_at + 2 * SECOND, "done")
    assert (row.recipient_count, live_slots(ledger), row.wish) == (3, 1, None)


@pytest.mark.parametrize(("by_hand", "told"), [({"text": "something else"}, {"drift"}), ({}, set())])
def test_what_was_changed_by_hand_just_before_it_went_is_told_as_well(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, by_hand: Mapping[str, Any], told: set[str]
) -> None:
    calendar.messages["m1"].update(by_hand)
    calendar.send("m1", comes_due(ledger, placed, 5 * SECOND).replace(microsecond=0))
    follow(means, placed)
    assert (broadcast(ledger, placed).state, open_causes(ledger), told_once(ledger)) == ("sent", {}, told)


def test_what_is_late_is_looked_at_again_and_again(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    pauses = []
    for ago in (timedelta(0), MINUTE, timedelta(hours=1)):
        comes_due(ledger, placed, ago)
        follow(means, placed)
        row = broadcast(ledger, placed)
        assert row.state == "placed"
        pauses.append(round((row.hand_off_at - clock.now()).total_seconds()))
    assert pauses == [3, 30, 300]


def test_what_is_in_no_list_for_a_moment_is_not_gone(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    comes_due(ledger, placed, 5 * SECOND)
    kept = calendar.messages.pop("m1")
    follow(means, placed)
    assert broadcast(ledger, placed).state == "placed"
    comes_due(ledger, placed, 2 * MINUTE)
    follow(means, placed)
    assert broadcast(ledger, placed).state == "cancelled"
    assert kept["status"] == "SCHEDULED"


@pytest.mark.parametrize("answer", [lambda _, reply: reply, lost], ids=["answered", "answer lost"])
def test_a_person_withdraws_it(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, answer: Callable[[Seen, Reply], Reply]
) -> None:
    calendar.answer = answer
    assert decisions.cancel(ledger, placed, "person:ada", "no") is False
    assert (broadcast(ledger, placed).state, broadcast(ledger, placed).wish) == ("placed", "withdraw")
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.reason, row.wish) == ("cancelled", "by_person: cancelled: no", None)
    assert (calendar.writes, live_slots(ledger)) == (["POST", "DELETE"], 0)


def test_what_the_platform_does_not_give_back_alarms_and_is_asked_again(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["DELETE"] = Reply(410, {"message": "not any more"})
    decisions.cancel(ledger, placed, "person:ada", None)
    follow(means, placed)
    assert (broadcast(ledger, placed).state, live_slots(ledger)) == ("placed", 1)
    assert "not any more" in open_causes(ledger)["wish"]
    del calendar.refuses["DELETE"]
    look_now(ledger, means, placed)
    assert (broadcast(ledger, placed).state, open_causes(ledger)) == ("cancelled", {})


@pytest.mark.parametrize("kind", ["withdraw", "replace"])
def test_a_wish_that_comes_too_late_is_told(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, kind: str
) -> None:
    decisions.cancel(ledger, placed, "person:ada", None) if kind == "withdraw" else wish(ledger, placed)
    goes_at = comes_due(ledger, placed, 3 * SECOND)
    follow(means, placed)
    assert (broadcast(ledger, placed).state, broadcast(ledger, placed).wish) == ("placed", None)
    assert (told_once(ledger), calendar.writes) == ({"wish"}, ["POST"])
    calendar.send("m1", goes_at)
    assert look_now(ledger, means, placed).state == "sent"


def test_an_edit_replaces_it_in_place(ledger: Ledger, means: Means, placed: int, calendar: Calendar) -> None:
    wish(ledger, placed)
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.content, row.wish, row.platform_message_id) == ("placed", NEW, None, "m1")
    assert calendar.messages["m1"]["text"] == "hello again"
    assert calendar.writes == ["POST", "PATCH"]
    assert look_now(ledger, means, placed).state == "placed"
    assert open_causes(ledger) == {}


def test_an_edit_whose_answer_is_lost_is_looked_for(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.answer = lost
    wish(ledger, placed)
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.content, row.wish) == ("placed", NEW, None)
    assert calendar.writes == ["POST", "PATCH"]


def test_an_edit_that_the_platform_refuses_leaves_what_it_had(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["PATCH"] = Reply(400, {"message": "no such words"})
    wish(ledger, placed)
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.wish, calendar.messages["m1"]["text"]) == ("placed", "replace", "hello")
    assert "no such words" in open_causes(ledger)["wish"]


def test_at_another_time_it_is_withdrawn_and_placed_anew(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    later = broadcast(ledger, placed).goes_at + timedelta(hours=1)
    wish(ledger, placed, goes_at=later)
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.goes_at, row.content, row.platform_message_id) == ("planned", later, NEW, None)
    assert (calendar.alive, live_slots(ledger)) == ([], 0)
    set_(ledger, placed, state="queued")
    deliver(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.platform_message_id, row.attempts) == ("placed", "m2", 2)
    assert calendar.messages["m2"]["scheduledAt"] == clock.rfc3339_seconds(later)
    assert (calendar.writes, calendar.most_alive) == (["POST", "DELETE", "POST"], 1)
    with ledger.read() as session:
        assert list(session.scalars(select(attempts.c.verdict).order_by(attempts.c.id))) == ["withdrawn", "accepted"]


def test_whoever_was_killed_between_deleting_and_writing_is_followed_by_a_look(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    wish(ledger, placed, goes_at=broadcast(ledger, placed).goes_at + timedelta(hours=1))
    calendar.remove("m1")  # it was deleted, and then the process was gone
    assert look_now(ledger, means, placed).state == "planned"
    assert calendar.writes == ["POST"]


def test_what_still_shows_after_it_was_deleted_is_not_placed_anew(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["DELETE"] = Reply(200, {})
    wish(ledger, placed, goes_at=broadcast(ledger, placed).goes_at + timedelta(hours=1))
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.wish, live_slots(ledger)) == ("placed", "replace", 1)
    assert len(calendar.alive) == 1


def test_what_got_another_id_as_it_was_replaced_is_found(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    def renamed(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "PATCH":
            calendar.messages["m7"] = {**calendar.messages.pop("m1"), "uuid": "m7"}
        return lost(seen, reply)

    calendar.answer = renamed
    wish(ledger, placed)
    follow(means, placed)
    assert broadcast(ledger, placed).state == "unknown", "gone, and that proves nothing"
    reconcile(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.platform_message_id, row.content) == ("placed", "m7", NEW)
    assert calendar.most_alive == 1


def test_who_was_killed_while_it_was_replaced_leaves_a_doubt(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "PATCH":
            calendar.messages["m7"] = {**calendar.messages.pop("m1"), "uuid": "m7"}
        return reply

    calendar.answer = renamed
    wish(ledger, placed)
    with monkeypatch.context() as killed:
        killed.setattr("worker.placed_endings.settle", lambda *_: _die())
        with pytest.raises(KeyboardInterrupt):
            follow(means, placed)
    look_now(ledger, means, placed)
    reconcile(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.platform_message_id, row.content) == ("placed", "m7", NEW)
    assert calendar.most_alive == 1


def _die() -> None:
    raise KeyboardInterrupt


def test_of_several_workers_one_follows_it(ledger: Ledger, means: Means, placed: int, calendar: Calendar) -> None:
    decisions.cancel(ledger, placed, "person:ada", None)
    gate = threading.Barrier(4)

    def go() -> None:
        gate.wait(10)
        follow(means, placed)

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(go) for _ in range(4)]:
            job.result()
    assert broadcast(ledger, placed).state == "cancelled"
    assert calendar.writes == ["POST", "DELETE"]


def test_a_platform_that_cannot_be_asked_is_asked_again(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["GET"] = Reply(503, {"message": "away"})
    follow(means, placed)
    row = broadcast(ledger, placed)
    assert row.state == "placed"
    assert timedelta(0) < row.hand_off_at - clock.now() < MINUTE


def test_a_key_that_is_turned_away_stops_the_creator_and_is_not_tried_again(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["GET"] = Reply(401, {"message": "who are you"})
    decisions.cancel(ledger, placed, "person:ada", None)
    calendar.asked.clear()
    for _ in range(3):
        look_now(ledger, means, placed)
    assert broadcast(ledger, placed).state == "placed"
    assert {"stopped", "wish"} == open_causes(ledger).keys()
    assert calendar.asked == ["GET"]


def test_a_cut_answer_to_placing_names_no_message_and_it_is_found(
    ledger: Ledger, means: Means, calendar: Calendar
) -> None:
    luna = add_creator(ledger, platform="fanvue", wake_at=None)
    goes_at = clock.now() + DAY
    id_ = add_broadcast(ledger, luna, platform="fanvue", goes_at=goes_at, expires_at=goes_at + DAY)
    calendar.answer = lambda seen, reply: Reply(201, {}) if seen.method == "POST" else reply
    deliver(means, id_)
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).platform_message_id) == ("placed", None)
    row = look_now(ledger, means, id_)
    assert (row.state, row.platform_message_id) == ("placed", "m1")


def test_what_somebody_sent_early_by_hand_has_its_slot_from_then_on(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.send("m1", clock.now())
    row = look_now(ledger, means, placed)
    assert (row.state, row.sent_at <= clock.now()) == ("sent", True)
    with ledger.read() as session:
        slot = session.execute(select(slots)).one()
    assert (slot.counts_from, slot.ended_at <= clock.now()) == (None, True)


def test_what_somebody_moved_by_hand_has_its_slot_there(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    def slot() -> Any:
        with ledger.read() as session:
            return session.execute(select(slots)).one()

    before, moved = slot(), (clock.now() + 3 * DAY).replace(microsecond=0)
    old = calendar.messages["m1"]["scheduledAt"]
    calendar.messages["m1"]["scheduledAt"] = clock.rfc3339(moved)
    look_now(ledger, means, placed)
    assert timedelta(0) <= moved - slot().counts_from - timedelta(hours=1) < 5 * MINUTE
    assert slot().ended_at > moved
    calendar.messages["m1"]["scheduledAt"] = old
    look_now(ledger, means, placed)
    assert slot() == before


def test_an_edit_waits_for_who_is_at_the_one_before(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    newest = NEW.replace("again", "at last")
    waits: list[timedelta] = []

    def edited_meanwhile(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "PATCH" and not waits:
            wish(ledger, placed, newest)
            waits.append(broadcast(ledger, placed).hand_off_at - clock.now())
        return reply

    calendar.answer = edited_meanwhile
    wish(ledger, placed)
    follow(means, placed)
    assert waits[0] > MINUTE / 2, "two at once could end in either order"
    row = look_now(ledger, means, placed)
    assert (row.content, row.wish, calendar.messages["m1"]["text"]) == (newest, None, "hello at last")


def test_an_edit_that_was_edited_again_is_not_written_any_more(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    newest = NEW.replace("again", "at last")

    def edited_meanwhile(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "GET" and broadcast(ledger, placed).wished.count("at last") == 0:
            wish(ledger, placed, newest)
        return reply

    wish(ledger, placed)
    calendar.answer = edited_meanwhile
    follow(means, placed)
    assert calendar.writes == ["POST"]
    calendar.answer = lambda _, reply: reply
    assert (look_now(ledger, means, placed).content, calendar.writes) == (newest, ["POST", "PATCH"])


@pytest.mark.parametrize("then", ["another edit", "another time", "a cancel"])
def test_what_may_live_under_another_id_is_looked_for_whatever_is_wished_since(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    def renamed(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "PATCH":
            calendar.messages["m7"] = {**calendar.messages.pop("m1"), "uuid": "m7"}
        return reply

    calendar.answer = renamed
    wish(ledger, placed)
    with monkeypatch.context() as killed:
        killed.setattr("worker.placed_endings.settle", lambda *_: _die())
        with pytest.raises(KeyboardInterrupt):
            follow(means, placed)
    if then == "a cancel":
        decisions.cancel(ledger, placed, "person:ada", None)
    else:
        later = broadcast(ledger, placed).goes_at + (HOUR if then == "another time" else timedelta(0))
        wish(ledger, placed, NEW.replace("again", "at last"), goes_at=later)
    assert look_now(ledger, means, placed).state == "unknown"
    reconcile(means, placed)
    row = broadcast(ledger, placed)
    assert (row.state, row.platform_message_id, row.content) == ("placed", "m7", NEW)
    assert (calendar.most_alive, live_slots(ledger)) == (1, 1)


def test_a_cancel_after_a_lost_edit_is_carried_out(
    ledger: Ledger, means: Means, placed: int, calendar: Calendar
) -> None:
    calendar.refuses["PATCH"] = Reply(500, {"message": "try later"})
    wish(ledger, placed)
    follow(means, placed)
    decisions.cancel(ledger, placed, "person:ada", None)
    calendar.answer = lost
    assert look_now(ledger, means, placed).state == "cancelled"


def test_what_was_taken_without_an_id_and_is_never_found_counts_as_sent(
    ledger: Ledger, means: Means, calendar: Calendar
) -> None:
    luna = add_creator(ledger, platform="fanvue", wake_at=None)
    goes_at = clock.now() + DAY
    id_ = add_broadcast(ledger, luna, platform="fanvue", goes_at=goes_at, expires_at=goes_at + DAY)
    calendar.answer = lambda seen, reply: Reply(201, {}) if seen.method == "POST" else reply
    deliver(means, id_)
    calendar.messages.clear()
    assert look_now(ledger, means, id_).state == "placed"
    assert open_causes(ledger).keys() == {"drift"}
    comes_due(ledger, id_, 3 * MINUTE)
    follow(means, id_)
    assert (broadcast(ledger, id_).state, open_causes(ledger)) == ("sent", {})
