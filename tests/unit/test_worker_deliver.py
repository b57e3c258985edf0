"""One broadcast from order to record, against a platform that answers as told; on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.ledger import accounts, clear, decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, broadcasts, events, slots
from carillon.platforms import errors
from carillon.platforms.client import Client
from carillon.platforms.contract import Receipt
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from standins import Reply, Seen, StandIn, accepting
from worker.claim import Claim, UnheardError, claim
from worker.deliver import deliver, prepare
from worker.means import Means
from worker.recheck import recheck
from worker.record import record
from worker.verdict import accepted, turned_away

LISTS = [{"id": "subscribers", "name": "Subscribers", "count": 3}]


class Told:
    """FrontRow, as told: what it answers to a send, and to reads."""

    def __init__(self) -> None:
        self.send: Callable[[Seen], Reply] = accepting
        self.read = Reply(404, {"error": "not here"})
        self.reads = 0

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            return self.send(seen)
        self.reads += 1
        return self.read

    def say(self, status: int, body: Any = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send = lambda _: Reply(status, {"error": "told so"} if body is None else body, named)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def platform(told: Told) -> Iterator[StandIn]:
    with StandIn(told) as standin:
        yield standin


@pytest.fixture
def means(ledger: Ledger, platform: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    yield Means(ledger, client, "worker test", 2, {"frontrow": platform.url})
    client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, wake_at=None)


def posts(platform: StandIn) -> int:
    return sum(seen.method == "POST" for seen in platform.seen)


def live_slots(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(slots)) or 0


def open_causes(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))


def told_once(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_not(None))))


def test_what_is_accepted_is_recorded_whole(ledger: Ledger, means: Means, luna: int, platform: StandIn) -> None:
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.recipient_count) == ("sent", "mm_9a3c1b04", 847)
    assert (row.delivery, row.reason, row.waiting_for) == ("accepted", None, None)
    assert abs(row.sent_at - clock.now()) < timedelta(seconds=5)
    with ledger.read() as session:
        attempt = session.execute(select(attempts)).one()
        slot = session.execute(select(slots)).one()
        moves = [(event.source, event.target) for event in session.execute(select(events))]
    assert (attempt.verdict, attempt.status) == ("accepted", 202)
    assert attempt.latency_ms >= 0
    assert slot.ended_at == attempt.finished_at, "the slot counts from the request's end"
    assert moves == [("queued", "sending"), ("sending", "sent")]
    assert posts(platform) == 1


def test_a_doubled_order_is_a_no_op(ledger: Ledger, means: Means, luna: int, platform: StandIn) -> None:
    id_ = add_broadcast(ledger, luna)
    for _ in range(3):
        deliver(means, id_)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: deliver(means, id_), range(8)))
    deliver(means, 4_000)
    assert posts(platform) == 1


def test_many_doubled_orders_at_once_send_once(ledger: Ledger, means: Means, luna: int, platform: StandIn) -> None:
    ids = [add_broadcast(ledger, luna, f"c{n}") for n in range(4)]
    gate = threading.Barrier(16)

    def race(n: int) -> None:
        gate.wait()
        deliver(means, ids[n % 4])

    platform.answer = numbered()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(race, range(16)))
    assert posts(platform) == 4
    assert {broadcast(ledger, id_).state for id_ in ids} == {"sent"}


def numbered() -> Callable[[Seen], Reply]:
    count = iter(range(1, 1000))
    lock = threading.Lock()

    def answer(seen: Seen) -> Reply:
        if seen.method != "POST":
            return Reply(404, {"error": "not here"})
        with lock:
            return Reply(202, {"id": f"mm_{next(count)}", "recipientCount": 1})

    return answer


@pytest.mark.parametrize(
    ("status", "state", "reason", "waiting_for", "slots_left"),
    [
        (400, "failed", "refused", None, 0),
        (404, "failed", "refused", None, 0),
        (422, "failed", "refused", None, 0),
        (307, "failed", "redirect", None, 0),
        (401, "planned", None, "creator", 0),
        (403, "planned", None, "creator", 0),
        (429, "planned", None, "cool_down", 0),
        (500, "held", "unknown_outcome", None, 1),
        (503, "held", "unknown_outcome", None, 1),
        (408, "held", "unknown_outcome", None, 1),
        (409, "held", "unknown_outcome", None, 1),
    ],
)
def test_each_answer_has_its_record(
    ledger: Ledger,
    means: Means,
    luna: int,
    told: Told,
    status: int,
    state: str,
    reason: str | None,
    waiting_for: str | None,
    slots_left: int,
) -> None:
    told.say(status)
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.attempts) == (state, waiting_for, 1)
    assert (row.reason or "").split(":")[0] == (reason or "")
    assert live_slots(ledger) == slots_left
    if status < 500 and status != 307:
        assert "secret-of-luna" not in str(row)


def test_retry_after_cools_the_whole_account(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.say(429, Retry_After="120")
    id_ = add_broadcast(ledger, luna)
    before = clock.now()
    deliver(means, id_)
    until = creator(ledger, luna).cool_down_until
    assert timedelta(seconds=120) <= until - before < timedelta(seconds=125)
    assert broadcast(ledger, id_).not_before == until
    assert creator(ledger, luna).wake_at == until
    assert creator(ledger, luna).throttled_in_a_row == 1


def test_a_shorter_cool_down_never_shortens_a_longer_one(ledger: Ledger, luna: int) -> None:
    longer = clock.now() + timedelta(minutes=10)
    with ledger.write() as connection:
        accounts.cool_down(connection, luna, longer)
        accounts.cool_down(connection, luna, clock.now() + timedelta(seconds=5))
    assert creator(ledger, luna).cool_down_until == longer


def test_an_accepted_one_forgets_the_429s_in_a_row(ledger: Ledger, means: Means) -> None:
    luna = add_creator(ledger, throttled_in_a_row=4)
    deliver(means, add_broadcast(ledger, luna))
    assert creator(ledger, luna).throttled_in_a_row == 0


def test_retry_after_of_over_a_day_stops_the_creator(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.say(429, Retry_After="90000")
    deliver(means, add_broadcast(ledger, luna))
    assert creator(ledger, luna).stopped_reason.startswith("cool_down")
    assert open_causes(ledger) == [f"stopped:{luna}"]


@pytest.mark.parametrize(("status", "reason"), [(401, "credentials"), (403, "forbidden")])
def test_a_creator_that_is_turned_away_stops_until_its_key_changes(
    ledger: Ledger, means: Means, luna: int, told: Told, status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.say(status)
    deliver(means, add_broadcast(ledger, luna))
    assert creator(ledger, luna).stopped_reason.startswith(reason)
    recheck(means, luna)
    assert creator(ledger, luna).stopped_at is not None, "the key still reads the same"
    monkeypatch.setenv("LUNA_KEY", "another-secret")
    recheck(means, luna)
    assert creator(ledger, luna).stopped_at is None
    assert open_causes(ledger) == []


def test_a_credential_that_cannot_be_read_makes_no_attempt(
    ledger: Ledger, means: Means, luna: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LUNA_KEY")
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).waiting_for) == ("planned", "creator")
    assert "LUNA_KEY" in creator(ledger, luna).stopped_reason
    assert platform.seen == []
    monkeypatch.setenv("LUNA_KEY", "mended")
    recheck(means, luna)
    assert creator(ledger, luna).stopped_at is None


def test_nothing_sent_backs_off_and_gives_the_slot_back(ledger: Ledger, means: Means, luna: int) -> None:
    gone = Means(ledger, means.client, "worker test", 2, {"frontrow": "http://127.0.0.1:1"})
    gone.lookups.get(("lists", "frontrow", None, "secret-of-luna"), lambda: ())
    id_ = add_broadcast(ledger, luna, content='{"users":["1"],"text":"hello"}')
    deliver(gone, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.attempts, row.put_offs) == ("planned", "retry", 1, 1)
    assert row.not_before - clock.now() < timedelta(seconds=2)
    assert live_slots(ledger) == 0


def test_a_platform_that_cannot_be_asked_is_no_attempt(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.read = Reply(503, {"error": "down"})
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.attempts) == ("planned", "retry", 0)


@pytest.mark.parametrize(("status", "cause"), [(401, "creator"), (429, "cool_down")])
def test_a_read_that_is_turned_away_concerns_the_account(
    ledger: Ledger, means: Means, luna: int, told: Told, platform: StandIn, status: int, cause: str
) -> None:
    told.read = Reply(status, {"error": "told so"}, {"Retry-After": "9"})
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.attempts) == ("planned", cause, 0)
    assert posts(platform) == 0
    assert bool(creator(ledger, luna).stopped_at) is (status == 401)


@pytest.mark.parametrize(
    ("lists", "state", "reason"),
    [
        ([{"id": "subscribers", "name": "S", "count": 0}], "skipped", "empty_audience"),
        ([{"id": "all_fans", "name": "A", "count": 2}], "failed", "list_missing"),
    ],
)
def test_a_clear_no_ends_it(
    ledger: Ledger, means: Means, luna: int, told: Told, platform: StandIn, lists: object, state: str, reason: str
) -> None:
    told.read = Reply(200, lists)
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.reason.split(":")[0], row.attempts) == (state, reason, 0)
    assert posts(platform) == 0


def test_what_was_prepared_is_not_asked_again(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.read = Reply(200, LISTS)
    id_ = add_broadcast(ledger, luna, state="planned")
    prepare(means, id_)
    asked = told.reads
    assert asked > 0
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="queued", waiting_for=None))
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"
    assert told.reads == asked


def test_accepted_with_an_error_is_sent_and_alarms(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.say(202, {"id": "mm_1", "recipientCount": 5, "hasError": True})
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.delivery, row.reason.split(":")[0]) == ("sent", "error", "error_after_accept")
    assert told_once(ledger) == [f"delivery:{id_}"]


@pytest.mark.parametrize("body", [b"", b'{"id": "mm_', {}, b"[]"], ids=["empty", "cut", "no id", "no object"])
def test_2xx_that_says_it_is_json_is_sent_whatever_its_body(
    ledger: Ledger, means: Means, luna: int, told: Told, body: Any
) -> None:
    told.send = lambda _: Reply(202, body, {"Content-Type": "application/json"})
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id) == ("sent", None)


def test_2xx_of_a_captive_portal_is_unknown(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    told.send = lambda _: Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    id_ = add_broadcast(ledger, luna)
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "held"


def test_the_id_of_another_broadcast_is_not_taken_over(ledger: Ledger, means: Means, luna: int) -> None:
    first, second = add_broadcast(ledger, luna, "first"), add_broadcast(ledger, luna, "second")
    deliver(means, first)
    deliver(means, second)
    assert broadcast(ledger, second).state == "sent"
    assert broadcast(ledger, second).platform_message_id is None
    assert told_once(ledger) == [f"same_id:{second}"]


@pytest.mark.parametrize("decided", [False, True], ids=["still held", "a person has decided"])
def test_a_late_owner_may_say_what_came_until_a_person_decides(
    ledger: Ledger, means: Means, luna: int, told: Told, decided: bool
) -> None:
    """Its lease ran out, others moved the broadcast on, and then the answer comes."""
    id_ = add_broadcast(ledger, luna)

    def slow(seen: Seen) -> Reply:
        with ledger.write() as connection:
            state = "cancelled" if decided else "held"
            connection.execute(update(broadcasts).where(broadcasts.c.id == id_).values(state=state))
        return accepting(seen)

    told.send = slow
    deliver(means, id_)
    assert broadcast(ledger, id_).state == ("cancelled" if decided else "sent")
    assert told_once(ledger) == ([f"late:{id_}"] if decided else [])
    assert live_slots(ledger) == 1, "it counts in either case"


def test_resolve_is_refused_while_the_attempt_is_open(ledger: Ledger, means: Means, luna: int, told: Told) -> None:
    id_ = add_broadcast(ledger, luna)
    refused: list[str] = []

    def slow(seen: Seen) -> Reply:
        with ledger.write() as connection:
            connection.execute(update(broadcasts).where(broadcasts.c.id == id_).values(state="held"))
        for sent in (True, False):
            with pytest.raises(decisions.DecisionError) as caught:
                decisions.resolve(ledger, id_, sent=sent, message_id=None, who="person:ada", reason="I looked")
            refused.append(str(caught.value))
        return Reply(500, {"error": "oops"})

    told.send = slow
    deliver(means, id_)
    assert len(refused) == 2
    assert "still open" in refused[0]
    decisions.resolve(ledger, id_, sent=False, message_id=None, who="person:ada", reason="I looked")
    row = broadcast(ledger, id_)
    assert (row.state, row.due_at <= clock.now()) == ("planned", True)
    assert live_slots(ledger) == 0, "a person said that it was not sent"


def test_an_older_attempt_never_moves_what_a_newer_one_sends(
    ledger: Ledger, means: Means, luna: int, told: Told
) -> None:
    """Frozen past its lease, given up, resolved as not sent, claimed again, and then it wakes up."""
    id_ = add_broadcast(ledger, luna)
    first = claim(means, broadcast(ledger, id_), "d")
    assert isinstance(first, Claim)
    read_before = broadcast(ledger, id_)
    hand_back(ledger, id_, "queued")
    second = claim(means, broadcast(ledger, id_), "d")
    assert isinstance(second, Claim)
    stale = turned_away(errors.LeaseOver("woke up too late"), 0, 0)
    record(means, read_before, first, stale, 0, "digest")
    assert broadcast(ledger, id_).state == "sending", "the newer attempt is on the wire"
    record(means, broadcast(ledger, id_), second, accepted(Receipt("mm_2", 1)), 0, "digest")
    assert broadcast(ledger, id_).state == "sent"


@pytest.mark.parametrize("state", ["planned", "queued"])
def test_accepted_after_a_person_said_not_sent_is_held_and_counts(
    ledger: Ledger, means: Means, luna: int, state: str
) -> None:
    id_ = add_broadcast(ledger, luna)
    first = claim(means, broadcast(ledger, id_), "d")
    assert isinstance(first, Claim)
    read_before = broadcast(ledger, id_)
    hand_back(ledger, id_, state)
    with ledger.write() as connection:
        connection.execute(slots.delete())
    record(means, read_before, first, accepted(Receipt("mm_1", 1)), 0, "digest")
    row = broadcast(ledger, id_)
    assert (row.state, row.reason.split(":")[0]) == ("held", "unknown_outcome")
    assert live_slots(ledger) == 1
    assert told_once(ledger) == [f"late:{id_}"]


def hand_back(ledger: Ledger, broadcast_id: int, state: str) -> None:
    """As `resolve --not-sent` and the scheduler do."""
    with ledger.write() as connection:
        waiting_for = "time" if state == "planned" else None
        this_one = update(broadcasts).where(broadcasts.c.id == broadcast_id)
        connection.execute(this_one.values(state=state, waiting_for=waiting_for, version=broadcasts.c.version + 2))


@pytest.mark.parametrize("moved_on", [None, "unknown", "held"])
def test_a_claim_that_stands_unconfirmed_is_taken_back(
    ledger: Ledger, means: Means, luna: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch, moved_on: str | None
) -> None:
    """Its owner alone knows that nothing was sent: it goes again, also if others gave it up meanwhile."""
    claim_it = clear.claim

    def unheard(*about: Any) -> None:
        claim_it(*about)
        if moved_on:
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(state=moved_on, reason="unknown_outcome: its lease"))
        monkeypatch.undo()
        monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
        raise OperationalError("", {}, Exception("cut"))

    monkeypatch.setattr(clear, "claim", unheard)
    id_ = add_broadcast(ledger, luna)
    with pytest.raises(UnheardError):
        deliver(means, id_)
    row = broadcast(ledger, id_)
    assert (row.state, row.waiting_for, row.attempts, row.reason) == ("planned", "retry", 1, None)
    assert (posts(platform), live_slots(ledger)) == (0, 0)
    hand_back(ledger, id_, "queued")
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"


def test_a_claim_that_does_not_stand_leaves_nothing_to_take_back(
    ledger: Ledger, means: Means, luna: int, platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("", {}, Exception("away"))

    id_ = add_broadcast(ledger, luna)
    with monkeypatch.context() as patched:
        patched.setattr(clear, "claim", away)
        with pytest.raises(UnheardError, match="away"):
            deliver(means, id_)
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).attempts) == ("queued", 0)
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "sent"


def test_nothing_is_claimed_once_stopping(ledger: Ledger, means: Means, luna: int, platform: StandIn) -> None:
    id_ = add_broadcast(ledger, luna)
    means.stopping.set()
    deliver(means, id_)
    assert broadcast(ledger, id_).state == "queued", "it is handed off again"
    assert posts(platform) == 0
