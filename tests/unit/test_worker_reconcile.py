"""Unknown outcomes are settled by what the platform shows; on both databases, against a Fanvue that forgets to answer."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts, lookups, slots
from carillon.platforms.client import Client
from carillon.platforms.contract import Content, ListRef
from ledger_rows import add_broadcast, add_creator, broadcast
from scheduler.rescue import Reminders, rescue
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.means import Means
from worker.reconcile import reconcile

TEXT = "New <b>drop</b> & more"
CONTENT = Content(include=(ListRef(kind="smart", value="all_fans"),), text=TEXT).frozen()


class Fanvue:
    """Keeps what it takes, and answers a send as it is told: by default not at all."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.takes = True
        self.answers = False
        self.shows: Callable[[], Reply] | None = None

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            if self.takes:
                self.add(seen.json()["text"])
            return (
                Reply(201, {"id": self.messages[-1]["id"], "recipientCount": 3}) if self.answers else Reply(502, "oh")
            )
        if "/chats/mass-messages" not in seen.path:
            return Reply(404, {"message": "not here"})
        if self.shows:
            return self.shows()
        return Reply(200, {"data": self.messages[::-1], "pagination": {"page": 1, "size": 50, "hasMore": False}})

    def add(self, text: str, **fields: Any) -> None:
        at = clock.rfc3339_seconds(clock.now())
        self.messages.append({"id": f"m{len(self.messages)}", "text": text, "price": None, "createdAt": at, **fields})


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


def unknown(ledger: Ledger, means: Means, luna: int, campaign: str = "drop", **values: Any) -> int:
    id_ = add_broadcast(ledger, luna, campaign, platform="fanvue", **{"content": CONTENT, **values})
    deliver(means, id_)
    return id_


def standing(ledger: Ledger, id_: int) -> tuple[str, str]:
    row = broadcast(ledger, id_)
    return row.state, (row.reason or "").partition(":")[0]


def let_pass(ledger: Ledger, seconds: float) -> None:
    """As if so much time had gone by: everything that was, was so much earlier."""
    with ledger.write() as connection:
        for table, names in (
            (attempts, ("started_at", "lease_until", "finished_at")),
            (lookups, ("began_at",)),
            (broadcasts, ("state_since", "hand_off_at")),
        ):
            for row in connection.execute(select(table)).all():
                moved = {name: _earlier(getattr(row, name), seconds) for name in names}
                connection.execute(update(table).where(table.c.id == row.id).values(moved))


def _earlier(instant: datetime | None, seconds: float) -> datetime | None:
    return instant and instant - timedelta(seconds=seconds)


def count_of(ledger: Ledger, table: Any) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def posts(platform: StandIn) -> int:
    return sum(seen.method == "POST" for seen in platform.seen)


def test_what_was_taken_is_found_at_once(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.add(TEXT)  # the same, sent before by hand
    id_ = unknown(ledger, means, luna)
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.delivery) == ("sent", "m1", "accepted")
    assert abs(row.sent_at - clock.now()) < timedelta(seconds=5)
    assert count_of(ledger, slots) == 1


def test_what_was_surely_not_taken_goes_again(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    for seconds, state in ((0, "unknown"), (61, "unknown"), (20, "unknown"), (31, "planned")):
        let_pass(ledger, seconds)
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


@pytest.mark.parametrize(
    ("others", "state"),
    [
        ([{"text": TEXT, "price": 500}], "held"),
        ([{"text": "Something else"}], "held"),
        ([{"text": TEXT}, {"text": TEXT}], "held"),
    ],
    ids=["another price", "a stranger", "two of them"],
)
def test_what_is_in_doubt_is_held_and_never_sent_again(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn, others: list[dict[str, Any]], state: str
) -> None:
    fanvue.takes = False
    id_ = add_broadcast(ledger, luna, platform="fanvue", content=CONTENT)
    post = fanvue.__call__

    def meanwhile(seen: Seen) -> Reply:
        if seen.method == "POST":
            for other in others:
                fanvue.add(**other)
        return post(seen)

    platform.answer = meanwhile
    deliver(means, id_)
    for seconds in (61, 31, 31, 31, 31, 31, 31, 31):
        let_pass(ledger, seconds)
        reconcile(means, id_)
    assert standing(ledger, id_) == (state, "unknown_outcome")
    assert posts(platform) == 1
    assert count_of(ledger, slots) == 1
    with ledger.read() as session:
        seen = json.loads(session.scalars(select(lookups.c.seen).order_by(lookups.c.id.desc())).first() or "")
    assert len(seen) == len(others)


def test_a_platform_that_cannot_be_asked_in_time_leaves_it_to_a_person(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    fanvue.shows = lambda: Reply(503, "away")
    id_ = unknown(ledger, means, luna)
    for _ in range(10):
        let_pass(ledger, 30)
        reconcile(means, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert "could not be asked" in broadcast(ledger, id_).reason


def test_without_a_baseline_absence_is_never_sure(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes, fanvue.shows = False, lambda: Reply(503, "away")
    id_ = unknown(ledger, means, luna)
    fanvue.shows = None
    for _ in range(12):
        let_pass(ledger, 31)
        reconcile(means, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert posts(platform) == 1


def test_resend_sends_once_more_and_no_more(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    fanvue.takes, fanvue.shows = False, lambda: Reply(503, "away")
    id_ = unknown(ledger, means, luna, on_unknown="resend")
    fanvue.shows = None
    for turn, state in ((1, "planned"), (2, "held")):
        for _ in range(12):
            let_pass(ledger, 31)
            reconcile(means, id_)
        assert (turn, broadcast(ledger, id_).state) == (turn, state)
        fanvue.shows = lambda: Reply(503, "away")
        if state == "planned":
            assert count_of(ledger, slots) == 1, "it may have been taken"
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(state="queued", waiting_for=None, not_before=None))
            means.lookups.forget(("baseline", "fanvue", None, "secret-of-luna"))
            deliver(means, id_)


def test_frontrow_cannot_be_asked(ledger: Ledger, means: Means, platform: StandIn, fanvue: Fanvue) -> None:
    fanvue.takes = False
    mia = add_creator(ledger, "mia", wake_at=None, credentials="env:LUNA_KEY")
    held = add_broadcast(ledger, mia, "one", platform="frontrow")
    deliver(means, held)
    assert standing(ledger, held) == ("held", "unknown_outcome")
    again = add_broadcast(ledger, mia, "two", platform="frontrow", on_unknown="resend")
    deliver(means, again)
    assert broadcast(ledger, again).state == "unknown"
    let_pass(ledger, 61)
    reconcile(means, again)
    assert broadcast(ledger, again).state == "planned"


def test_what_another_broadcast_sent_is_that_ones(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    """Two unknowns of one account, one of which was taken: its message keeps the other one's absence from nobody."""
    other = Content(include=(ListRef(kind="smart", value="all_fans"),), text="Another one").frozen()
    fanvue.takes = False
    lost = unknown(ledger, means, luna, "lost")
    means.lookups.get(("baseline", "fanvue", None, "secret-of-luna"), lambda: "[]")
    fanvue.takes = True
    fanvue.shows = lambda: Reply(503, "away")
    taken = unknown(ledger, means, luna, "taken", content=other)
    fanvue.shows = None
    for seconds in (61, 31):
        let_pass(ledger, seconds)
        reconcile(means, lost)
    assert broadcast(ledger, lost).state == "planned"
    assert broadcast(ledger, taken).state == "unknown"
    reconcile(means, taken)
    assert standing(ledger, taken) == ("held", "unknown_outcome"), "it came long before its attempt, as it seems"


def test_a_broadcast_that_says_the_same_makes_a_message_doubtful(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    fanvue.takes = False
    one = unknown(ledger, means, luna, "one")
    fanvue.takes = True
    two = unknown(ledger, means, luna, "two")
    let_pass(ledger, 31)
    reconcile(means, one)
    states = [broadcast(ledger, id_).state for id_ in (one, two)]
    assert "planned" not in states
    assert states.count("sent") <= 1
    assert posts(platform) == 2


def test_the_rescue_looks_again_when_it_is_time(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    from carillon.handoff import broker as brokers

    fanvue.takes = False
    id_ = unknown(ledger, means, luna)
    broker = brokers.make(None, "test")
    rescue(ledger, broker, Reminders(), "scheduler test")
    assert sum(queue.qsize() for queue in broker.queues.values()) == 0  # type: ignore[attr-defined]
    let_pass(ledger, 16)
    rescue(ledger, broker, Reminders(), "scheduler test")
    assert broker.queues["fanvue"].qsize() == 1  # type: ignore[attr-defined]
    assert broadcast(ledger, id_).state == "unknown"
