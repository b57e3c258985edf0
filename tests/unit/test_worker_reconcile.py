"""Unknown outcomes are settled by what the platform shows, on both databases; the Fanvue here forgets to answer."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger import histories
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, broadcasts, lookups, slots
from carillon.platforms import errors
from carillon.platforms.client import Client
from carillon.platforms.contract import Content, ListRef, Receipt
from forgetful import CONTENT, TEXT, Fanvue, count_of, let_pass, posts, standing, unknown
from ledger_rows import add_broadcast, add_creator, broadcast
from scheduler.rescue import Reminders, rescue
from standins import Reply, Seen, StandIn
from worker.claim import Claim, claim
from worker.deliver import deliver
from worker.means import Means
from worker.reconcile import reconcile
from worker.record import record
from worker.verdict import accepted, turned_away

ANOTHER = Content(include=(ListRef(kind="smart", value="all_fans"),), text="Another one").frozen()


@pytest.fixture
def fanvue() -> Fanvue:
    return Fanvue()


@pytest.fixture
def platform(fanvue: Fanvue) -> Iterator[StandIn]:
    with StandIn(fanvue) as standin:
        yield standin


@pytest.fixture
def means(ledger: Ledger, platform: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    yield Means(ledger, client, "worker test", 2, {"fanvue": platform.url, "frontrow": platform.url})
    client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, wake_at=None, platform="fanvue")


def look_often(ledger: Ledger, means: Means, fanvue: Fanvue, *ids: int) -> None:
    """Until all that can be known is known, and five minutes are over."""
    for seconds in (61, *[31] * 8):
        let_pass(ledger, seconds, fanvue)
        for id_ in ids:
            reconcile(means, id_)


def test_what_was_taken_is_found_at_once(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.add(TEXT)  # the same, sent before by hand
    before = clock.now().replace(microsecond=0)
    id_ = unknown(ledger, means, luna)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.delivery, row.reason) == ("sent", "m1", "accepted", None)
    assert before <= row.sent_at <= clock.now()
    assert row.sent_at.microsecond == 0, "the platform's time"
    assert count_of(ledger, slots) == 1


def test_its_recipients_are_recorded_and_a_bad_end_is_told(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    add = fanvue.add
    fanvue.add = lambda text: add(text, status="FAILED", recipientCount=847)  # type: ignore[method-assign,assignment,misc]
    row = broadcast(ledger, unknown(ledger, means, luna))
    assert (row.state, row.recipient_count, row.delivery) == ("sent", 847, "error")
    assert row.reason.startswith("error_after_accept: ")
    with ledger.read() as session:
        assert session.scalars(select(alarms.c.cause)).all() == [f"delivery:{row.id}"]


def test_what_shows_only_later_is_found_then(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.shows = lambda: Reply(200, {"data": [], "pagination": {"hasMore": False}})
    id_ = unknown(ledger, means, luna)
    assert broadcast(ledger, id_).state == "unknown"
    reconcile(means, id_)
    assert count_of(ledger, lookups) == 1, "the next look is not due"
    fanvue.shows = None
    let_pass(ledger, 3, fanvue)
    reconcile(means, id_)
    assert broadcast(ledger, id_).state == "sent"


def test_what_was_surely_not_taken_goes_again(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    for seconds, state in ((0, "unknown"), (61, "unknown"), (20, "unknown"), (11, "planned")):
        let_pass(ledger, seconds, fanvue)
        reconcile(means, id_)
        assert broadcast(ledger, id_).state == state
    assert broadcast(ledger, id_).waiting_for == "retry"
    assert count_of(ledger, slots) == 0
    fanvue.takes = fanvue.answers = True
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="queued", waiting_for=None, not_before=None))
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"
    assert posts(platform) == 2


def meanwhile(fanvue: Fanvue, platform: StandIn, others: list[dict[str, Any]]) -> None:
    """Have others send as ours arrives, which is not taken."""
    fanvue.takes = False

    def answer(seen: Seen) -> Reply:
        if seen.method == "POST":
            for other in others:
                fanvue.add(**other)
        return fanvue(seen)

    platform.answer = answer


@pytest.mark.parametrize(
    ("others", "agree"),
    [
        ([{"text": TEXT, "price": 500}], ["part"]),
        ([{"text": "Something else"}], ["no"]),
        ([{"text": TEXT}, {"text": TEXT}], ["whole", "whole"]),
        ([{"text": TEXT}, {"text": TEXT, "mediaUuids": ["x"]}], ["whole", "part"]),
    ],
    ids=["another price", "a stranger", "two of them", "one of them in part"],
)
def test_what_is_in_doubt_is_held_and_never_sent_again(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn, others: list[Any], agree: list[str]
) -> None:
    meanwhile(fanvue, platform, others)
    id_ = unknown(ledger, means, luna)
    look_often(ledger, means, fanvue, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert posts(platform) == 1
    assert count_of(ledger, slots) == 1
    found = histories.whole(ledger, id_)
    assert found
    assert [one["agrees"] for one in found.lookups[-1]["seen"]] == agree


@pytest.mark.parametrize("hours", [-8, 3])
@pytest.mark.parametrize("takes", [True, False])
def test_a_clock_that_is_wrong_makes_no_absence_and_no_match(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn, hours: float, takes: bool
) -> None:
    fanvue.clock_ahead = hours * 3_600
    fanvue.add("An old one")
    fanvue.let_pass(5 * 3_600)
    if takes:
        id_ = unknown(ledger, means, luna)
    else:
        meanwhile(fanvue, platform, [{"text": "By hand"}])
        id_ = unknown(ledger, means, luna)
    look_often(ledger, means, fanvue, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert posts(platform) == 1


def test_nothing_new_is_nothing_by_whatever_clock(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.clock_ahead, fanvue.takes = -8 * 3_600, False
    for _ in range(3):
        fanvue.add("An old one")
        fanvue.let_pass(1_800)
    id_ = unknown(ledger, means, luna)
    look_often(ledger, means, fanvue, id_)
    assert broadcast(ledger, id_).state == "planned"


def test_without_a_baseline_absence_is_never_sure(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes, fanvue.shows = False, lambda: Reply(404, {"message": "not here"})
    id_ = unknown(ledger, means, luna)
    fanvue.shows = None
    look_often(ledger, means, fanvue, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert "what it showed before is not known" in broadcast(ledger, id_).reason
    assert posts(platform) == 1


def died(ledger: Ledger, id_: int, **owner: Any) -> None:
    """As if the attempt had no end: its owner is another process, or on another host."""
    with ledger.write() as connection:
        connection.execute(update(attempts).where(attempts.c.broadcast_id == id_).values(finished_at=None, **owner))


@pytest.mark.parametrize(
    ("owner", "settles", "state"),
    [
        ({}, False, "held"),
        ({"pid": 2**22 + 1}, True, "planned"),
        ({"host": "elsewhere"}, True, "planned"),
    ],
    ids=["it is still there", "it is gone", "it was on another host"],
)
def test_absence_needs_an_owner_that_is_gone_and_counts_from_its_lease(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, owner: dict[str, Any], settles: bool, state: str
) -> None:
    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    died(ledger, id_, **owner)
    for seconds in (61, 28):
        let_pass(ledger, seconds, fanvue)
        reconcile(means, id_)
    assert broadcast(ledger, id_).state == "unknown", "the lease of 30 s comes first"
    for seconds in (3, 31):
        let_pass(ledger, seconds, fanvue)
        reconcile(means, id_)
    assert (broadcast(ledger, id_).state == "planned") is settles
    look_often(ledger, means, fanvue, id_)
    assert broadcast(ledger, id_).state == state


def test_resend_sends_once_more_and_no_more(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes, fanvue.shows = False, lambda: Reply(404, {"message": "not here"})
    id_ = unknown(ledger, means, luna, on_unknown="resend")
    fanvue.shows = None
    for turn, state in ((1, "planned"), (2, "held")):
        look_often(ledger, means, fanvue, id_)
        assert (turn, broadcast(ledger, id_).state) == (turn, state)
        fanvue.shows = lambda: Reply(404, {"message": "not here"})
        if state == "planned":
            assert count_of(ledger, slots) == 1, "it may have been taken"
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(state="queued", waiting_for=None, not_before=None))
            means.lookups.forget(("baseline", "fanvue", None, "secret-of-luna"))
            deliver(means, id_)
    assert posts(platform) == 2


def resent(ledger: Ledger, means: Means, creator_id: int, platform: str) -> tuple[int, Claim]:
    """A broadcast that goes once more, since a worker on another host let its attempt's lease run out."""
    id_ = add_broadcast(ledger, creator_id, platform=platform, on_unknown="resend", content=CONTENT)
    first = claim(means, broadcast(ledger, id_), "digest")
    assert isinstance(first, Claim)
    died(ledger, id_, host="elsewhere")
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="unknown"))
    for seconds in (91, 31):
        let_pass(ledger, seconds)
        reconcile(means, id_)
    assert broadcast(ledger, id_).state == "planned"
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="queued", waiting_for=None, not_before=None))
    return id_, first


def test_an_answer_that_comes_late_earns_no_other_resend(
    ledger: Ledger, means: Means, platform: StandIn, fanvue: Fanvue
) -> None:
    mia = add_creator(ledger, "mia", wake_at=None, credentials="env:LUNA_KEY")
    id_, first = resent(ledger, means, mia, "frontrow")
    fanvue.takes = False
    record(means, broadcast(ledger, id_), first, turned_away(errors.GivenUp("no answer"), 0, 0), 0, "")
    deliver(means, id_)
    let_pass(ledger, 61)
    reconcile(means, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert posts(platform) == 1


@pytest.mark.parametrize("second", ["turned away", "absent"])
def test_what_turns_out_to_be_accepted_as_it_goes_once_more_does_not_go_again(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, second: str
) -> None:
    fanvue.shows = lambda: Reply(404, {"message": "not here"})
    id_, first = resent(ledger, means, luna, "fanvue")
    row = broadcast(ledger, id_)
    late = accepted(Receipt("m7", 3))
    fanvue.takes, fanvue.shows = False, None
    if second == "absent":
        deliver(means, id_)
        record(means, row, first, late, 0, "")
        look_often(ledger, means, fanvue, id_)
    else:
        again = claim(means, row, "digest")
        assert isinstance(again, Claim)
        record(means, row, first, late, 0, "")
        record(means, row, again, turned_away(errors.Throttled("slow", 1.0), 0, 0), 0, "")
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert broadcast(ledger, id_).reason == "unknown_outcome: attempt 1 was accepted, late"


def test_frontrow_cannot_be_asked(ledger: Ledger, means: Means, platform: StandIn, fanvue: Fanvue) -> None:
    fanvue.takes = False
    mia = add_creator(ledger, "mia", wake_at=None, credentials="env:LUNA_KEY")
    held = add_broadcast(ledger, mia, "one", platform="frontrow")
    deliver(means, held)
    assert standing(ledger, held) == ("held", "unknown_outcome")
    again = add_broadcast(ledger, mia, "two", platform="frontrow", on_unknown="resend")
    deliver(means, again)
    assert broadcast(ledger, again).state == "unknown"
    let_pass(ledger, 59)
    reconcile(means, again)
    assert broadcast(ledger, again).state == "unknown"
    let_pass(ledger, 2)
    reconcile(means, again)
    assert broadcast(ledger, again).state == "planned"
    assert count_of(ledger, lookups) == 0


def test_what_another_broadcast_sent_is_that_ones(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    """Two unknowns of one account, one of which was taken: settled together, by one look."""
    fanvue.takes = False
    lost = unknown(ledger, means, luna, "lost")
    fanvue.takes = True
    taken = unknown(ledger, means, luna, "taken", content=ANOTHER)
    assert broadcast(ledger, taken).platform_message_id == "m0"
    look_often(ledger, means, fanvue, lost)
    assert broadcast(ledger, lost).state == "planned"


def test_two_that_say_the_same_and_one_message(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes = False
    one = unknown(ledger, means, luna, "one")
    fanvue.takes = True
    two = unknown(ledger, means, luna, "two")
    look_often(ledger, means, fanvue, one, two)
    assert [standing(ledger, id_) for id_ in (one, two)] == [("held", "unknown_outcome")] * 2
    assert posts(platform) == 2


def test_two_that_say_the_same_and_two_messages_one_after_the_other(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    fanvue.shows = lambda: Reply(404, {"message": "not here"})
    one = unknown(ledger, means, luna, "one")
    let_pass(ledger, 5, fanvue)
    two = unknown(ledger, means, luna, "two")
    assert [broadcast(ledger, id_).state for id_ in (one, two)] == ["unknown"] * 2
    fanvue.shows = None
    let_pass(ledger, 15, fanvue)
    reconcile(means, two)
    found = [(row.state, row.platform_message_id) for row in (broadcast(ledger, one), broadcast(ledger, two))]
    assert found == [("sent", "m0"), ("sent", "m1")]
    assert count_of(ledger, lookups) == 3 + 2


def test_a_twin_that_is_under_way_is_waited_for(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes = False
    one = unknown(ledger, means, luna, "one")
    fanvue.takes = fanvue.answers = True

    def look_meanwhile(seen: Seen) -> Reply:
        answer = fanvue(seen)
        if seen.method == "POST":
            let_pass(ledger, 0.5, fanvue)
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(hand_off_at=None))
            reconcile(means, one)
            assert broadcast(ledger, one).state == "unknown"
        return answer

    platform.answer = look_meanwhile
    two = add_broadcast(ledger, luna, "two", platform="fanvue", content=broadcast(ledger, one).content)
    deliver(means, two)
    assert broadcast(ledger, two).platform_message_id == "m0"
    look_often(ledger, means, fanvue, one)
    assert broadcast(ledger, one).state == "planned"
    with ledger.read() as session:
        awaited = [json.loads(seen) for seen in session.scalars(select(lookups.c.seen))]
    assert [[one["agrees"] for one in seen] for seen in awaited].count(["awaited"]) == 1


def ordered(ledger: Ledger, reminders: Reminders | None = None) -> int:
    """How many looks the scheduler orders now."""
    broker = brokers.make(None, "test")
    rescue(ledger, broker, reminders or Reminders(), "scheduler test")
    return sum(queue.qsize() for queue in broker.queues.values())


def test_the_rescue_looks_again_when_it_is_time(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    assert ordered(ledger) == 0
    let_pass(ledger, 3)
    assert ordered(ledger) == 1
    assert broadcast(ledger, id_).state == "unknown"


def test_one_look_is_ordered_for_all_that_is_unknown_of_an_account(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIA_KEY", "secret-of-mia")
    mia = add_creator(ledger, "mia", wake_at=None, platform="fanvue")
    fanvue.takes = False
    for account, campaign in ((luna, "one"), (luna, "two"), (mia, "one")):
        unknown(ledger, means, account, campaign)
    let_pass(ledger, 3)
    assert ordered(ledger) == 2


def test_a_clock_that_is_set_back_puts_off_no_look(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.takes = False
    id_, reminders = unknown(ledger, means, luna), Reminders()
    two_hours = 7_200
    let_pass(ledger, 3)
    assert ordered(ledger, reminders) == 1
    reminders.due("reconcile", [(id_, "fanvue")], clock.now() + timedelta(seconds=two_hours), timedelta(seconds=5))
    let_pass(ledger, -two_hours)
    assert ordered(ledger, reminders) == 1
    for seconds in (0, *[31] * 9):
        let_pass(ledger, seconds, fanvue)
        reconcile(means, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")


def test_what_no_worker_looks_up_in_time_is_held_by_the_scheduler(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    """Its five minutes count only while a scheduler runs."""
    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    broker, for_long = brokers.make(None, "test"), Reminders()
    for_long.begun(clock.now() - timedelta(seconds=296))
    let_pass(ledger, 3_600)
    rescue(ledger, broker, Reminders(), "scheduler test")
    assert broadcast(ledger, id_).state == "unknown"
    rescue(ledger, broker, for_long, "scheduler test")
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert "no worker could look it up" in broadcast(ledger, id_).reason
    reconcile(means, id_)
    assert broadcast(ledger, id_).state == "held"


def test_a_process_that_is_to_stop_leaves_it_to_the_next_one(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    def stop(seen: Seen) -> Reply:
        if seen.method == "POST":
            means.stopping.set()
        return fanvue(seen)

    platform.answer = stop
    id_ = unknown(ledger, means, luna)
    assert broadcast(ledger, id_).state == "unknown"
    assert count_of(ledger, lookups) == 0
    assert ordered(ledger) == 0, "its own look would come first"
    let_pass(ledger, 3)
    assert ordered(ledger) == 1
