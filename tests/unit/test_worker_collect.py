"""The worker asks what became of an account's broadcasts, keeps what it is told, and disturbs nobody."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from carillon import clock
from carillon.ledger import results, tracking
from carillon.ledger.connect import Ledger
from carillon.ledger.figures import Figures, chosen, evidence_of
from carillon.ledger.tables import alarms, broadcasts
from carillon.ledger.tables_media import credits_
from carillon.ledger.tables_results import figures, sales, trackings
from carillon.platforms import errors
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Caller
from carillon.platforms.forms import get
from carillon.platforms.parts import Buyer, Credits, Sent, Told
from carillon.platforms.roster import PLATFORMS
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from running import until
from standins import Reply, StandIn
from worker.account import account_of
from worker.collect import begin_collect, collect
from worker.credits import observe, write_rest
from worker.means import Means

MINUTES_AGO = timedelta(minutes=2)


class Results:
    """Tells what the test says, and fails after that if it is to."""

    def __init__(self) -> None:
        self.says: Sequence[Told] = ()
        self.fails: errors.PlatformError | None = None
        self.bought: dict[str, list[Buyer]] = {}
        self.asked: list[list[str]] = []
        self.named: list[str] = []
        self.during: Callable[[], object] = lambda: None

    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
        self.asked.append([one.message_id for one in sent])
        self.during()
        yield from self.says
        if self.fails:
            raise self.fails

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:
        self.named.append(sent.message_id)
        if sent.message_id not in self.bought:
            raise errors.Unreadable("not here", 404)
        yield from self.bought[sent.message_id]

    def credits(self, answer: Answer) -> Credits | None:
        used, left = answer.headers.get("used"), answer.headers.get("left")
        return Credits(int(used) if used else None, int(left) if left else None)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Results:
    results = Results()
    monkeypatch.setattr("worker.collect.PLATFORMS", {"fanvue": SimpleNamespace(name="fanvue", results=results)})
    return results


@pytest.fixture
def means(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    means = Means(ledger, client, "worker test", 2)
    monkeypatch.setattr(Means, "caller", lambda *_: client)
    yield means
    client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, platform="fanvue")


def sent(ledger: Ledger, luna: int, name: str, ago: timedelta = MINUTES_AGO, **values: Any) -> int:
    at = clock.now() - ago
    known = {"state": "sent", "sent_at": at, "state_since": at, "delivery": "accepted", "platform": "fanvue"}
    id_ = add_broadcast(ledger, luna, name, **{**known, "platform_message_id": name, **values})
    with ledger.write() as connection:
        tracking.begin(connection, clock.now(), 10)
    return id_


def tracked(ledger: Ledger, id_: int) -> Any:
    with ledger.read() as session:
        return session.execute(select(trackings).where(trackings.c.broadcast_id == id_)).one()


def believed(ledger: Ledger, id_: int) -> Figures:
    with ledger.read() as session:
        return chosen(evidence_of(session.connection(), broadcasts.c.id == id_)[id_])


def count(ledger: Ledger, table: Any) -> int:
    with ledger.read() as session:
        return len(session.execute(select(table)).all())


def test_keeps_what_it_is_told_of_all_that_is_due(ledger: Ledger, means: Means, luna: int, platform: Results) -> None:
    first, second = sent(ledger, luna, "m1"), sent(ledger, luna, "m2")
    later = sent(ledger, luna, "m3", timedelta(hours=2))
    with ledger.write() as connection:
        mine = update(trackings).where(trackings.c.broadcast_id == later)
        connection.execute(mine.values(next_at=clock.now() + timedelta(hours=4)))
    platform.says = [
        Told("m1", "list", "done", recipients=10, views=4, purchases=2, revenue_cents=1998),
        Told("m2", "list", "delivering", recipients=12),
        Told("m2", "price", purchases=1, revenue_cents=500, estimated=True),
        Told("m9", "list", "error"),
    ]
    collect(means, luna)
    collect(means, luna)
    assert platform.asked == [["m1", "m2"]], "all in one go, and none before its time"
    assert believed(ledger, first) == Figures(10, 4, 2, 1998)
    assert believed(ledger, second) == Figures(12, None, 1, 500, estimated=True)
    assert (broadcast(ledger, first).delivery, broadcast(ledger, second).delivery) == ("done", "delivering")
    assert broadcast(ledger, first).recipient_count == 10
    at = tracked(ledger, first)
    assert at.next_at - (at.until - tracking.WINDOW) == timedelta(minutes=5)
    assert count(ledger, alarms) == 0


def test_buyers_are_named_while_there_are_new_ones(ledger: Ledger, means: Means, luna: int, platform: Results) -> None:
    id_, hidden = sent(ledger, luna, "m1"), sent(ledger, luna, "m2")
    sent(ledger, luna, "m3")
    platform.says = [Told("m2", "list", purchases=1), Told("m1", "list", purchases=2), Told("m3", "list", purchases=0)]
    platform.bought = {"m1": [Buyer("f1", "Ann", 700), Buyer("f2")]}
    collect(means, luna)
    assert platform.named == ["m1", "m2"]
    assert (tracked(ledger, hidden).put_offs, believed(ledger, hidden)) == (0, Figures(purchases=1))
    assert believed(ledger, id_) == Figures(purchases=2, revenue_cents=700, estimated=True)
    make_due(ledger)
    collect(means, luna)
    assert platform.named == ["m1", "m2", "m2"], "all who bought the first are known"
    assert count(ledger, sales) == 2


def make_due(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(update(trackings).values(next_at=clock.now()))


def test_sales_under_the_id_of_the_statistics_are_the_broadcasts(
    ledger: Ledger, means: Means, luna: int, platform: Results
) -> None:
    """Whether a sale names the message by the id of its receipt or by that of the statistics is documented nowhere."""
    id_, at = sent(ledger, luna, "m1"), clock.now()

    def sell(fan: str, cents: int) -> None:
        with ledger.write() as connection:
            said: dict[str, Any] = {"message_id": "900", "fan": fan, "amount_cents": cents, "source": "webhook"}
            results.keep_sale(connection, luna, f"message:900:{fan}", "purchase", at, **said)

    sell("f1", 999)
    platform.says = [Told("m1", "list", purchases=1, revenue_cents=500, estimated=True, sold_as="900")]
    platform.bought = {"m1": [Buyer("f1")]}
    collect(means, luna)
    assert believed(ledger, id_) == Figures(purchases=1, revenue_cents=999), "one sale, and its price is known"
    sell("f2", 1001)
    assert believed(ledger, id_) == Figures(purchases=2, revenue_cents=2000)


def test_what_goes_wrong_with_it_is_told_once(ledger: Ledger, means: Means, luna: int, platform: Results) -> None:
    id_ = sent(ledger, luna, "m1")
    platform.says = [Told("m1", "list", "error")]
    for _ in range(2):
        collect(means, luna)
        make_due(ledger)
    assert broadcast(ledger, id_).delivery == "error"
    assert broadcast(ledger, id_).state == "sent"
    assert count(ledger, alarms) == 1


@pytest.mark.parametrize(
    ("error", "cools", "waits"),
    [
        (errors.Unreachable("no answer"), False, (1, 65)),
        (errors.Unreadable("another shape"), False, (1, 65)),
        (errors.Unauthorized("who are you", 401), False, (1, 65)),
        (errors.Throttled("slowly", 120), True, (1, 65)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_puts_it_off_and_stops_nobody(
    ledger: Ledger, means: Means, luna: int, platform: Results, error: Any, cools: bool, waits: tuple[int, int]
) -> None:
    id_ = sent(ledger, luna, "m1")
    other = sent(ledger, luna, "m2")
    platform.says, platform.fails = [Told("m1", "list", views=1)], error
    began = clock.now()
    collect(means, luna)
    assert believed(ledger, id_).views == 1, "what was told before the error counts"
    for row in (tracked(ledger, id_), tracked(ledger, other)):
        assert waits[0] <= (row.next_at - began).total_seconds() <= waits[1]
        assert (row.put_offs, row.words) == (1, error.words)
    account = creator(ledger, luna)
    assert account.stopped_at is None
    assert (account.cool_down_until is not None) is cools
    if not cools:
        make_due(ledger)
        collect(means, luna)
        assert tracked(ledger, id_).put_offs == 2, "ever longer"


@pytest.mark.parametrize(
    "values",
    [
        {"stopped_at": clock.now(), "stopped_reason": "credentials: no"},
        {"cool_down_until": clock.now() + timedelta(hours=1)},
        {"enabled": False},
    ],
    ids=lambda values: next(iter(values)),
)
def test_an_account_that_must_not_be_asked_is_not(
    ledger: Ledger, means: Means, platform: Results, values: dict[str, Any]
) -> None:
    luna = add_creator(ledger, platform="fanvue", **values)
    sent(ledger, luna, "m1")
    collect(means, luna)
    assert platform.asked == []


def test_a_missing_credential_puts_it_off(
    ledger: Ledger, means: Means, luna: int, platform: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = sent(ledger, luna, "m1")
    monkeypatch.delenv("LUNA_KEY")
    collect(means, luna)
    assert platform.asked == []
    assert "LUNA_KEY" in tracked(ledger, id_).words
    assert creator(ledger, luna).stopped_at is None


def test_it_takes_few_threads_and_none_of_those_that_send(
    ledger: Ledger, means: Means, luna: int, platform: Results
) -> None:
    others = [add_creator(ledger, name, platform="fanvue", credentials="env:LUNA_KEY") for name in ("v", "w", "x", "y")]
    for name, id_ in zip("abcde", (luna, *others), strict=True):
        sent(ledger, id_, name)
    answer, names = threading.Event(), []

    def wait() -> None:
        names.append(threading.current_thread().name)
        answer.wait(10)

    platform.during = wait
    for id_ in (luna, *others, luna):
        begin_collect(means, id_)
    until(lambda: len(names) == 4)
    assert set(names) == {"collect fanvue"}
    answer.set()
    until(lambda: len(platform.asked) == 5)
    means.collecting["fanvue"].wait(10)
    assert sorted(platform.asked) == [[name] for name in "abcde"], "each once, the fifth when a hand is free"


def test_what_is_asked_about_is_left_alone_by_others_meanwhile(
    ledger: Ledger, means: Means, luna: int, platform: Results
) -> None:
    id_ = sent(ledger, luna, "m1")
    platform.during = lambda: collect(means, luna)
    collect(means, luna)
    assert platform.asked == [["m1"]]
    make_due(ledger)
    platform.fails = cast("errors.PlatformError", KeyboardInterrupt())  # as if it were killed
    platform.during = lambda: None
    with pytest.raises(KeyboardInterrupt):
        collect(means, luna)
    with ledger.read() as session:
        assert tracking.due(session.connection(), luna, clock.now(), 10) == ()
        later = clock.now() + timedelta(minutes=11)
        assert [row.id for row in tracking.due(session.connection(), luna, later, 10)] == [id_]


def test_popular_messages_leave_half_of_the_rate_to_what_is_to_be_sent(
    ledger: Ledger, luna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fanvue takes 200 requests a minute, of which 180 are used at all; here a message has endless buyers."""
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    sent(ledger, luna, "m1")
    with StandIn(lambda _: Reply(200, {"data": []})) as standin:
        means = Means(ledger, Client(2), "worker test", 2, {"fanvue": standin.url})
        waited = list[float]()

        class Results:
            def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
                while True:
                    client.get(get(f"{account.url}/buyers", {}))
                    yield Told("m1", "list")

        fanvue = SimpleNamespace(name="fanvue", results=Results(), rates=PLATFORMS["fanvue"].rates)
        monkeypatch.setattr("worker.collect.PLATFORMS", {"fanvue": fanvue})

        def stop(seconds: float) -> bool:
            waited.append(seconds)
            return True

        monkeypatch.setattr(means.stopping, "wait", stop)
        monkeypatch.setattr("worker.means.observe", lambda *_: None)
        collect(means, luna)
        assert (len(standin.seen), len(waited)) == (90, 1), "then it waits for its turn, for longer than a send would"
        account = account_of(means, creator(ledger, luna))
        caller = means.caller(PLATFORMS["fanvue"], account)
        for _ in range(90):
            caller.get(get(f"{account.url}/lists", {}))
        assert len(standin.seen) == 180
        means.client.close()


def test_the_last_question_is_at_the_end_of_the_window(
    ledger: Ledger, means: Means, luna: int, platform: Results
) -> None:
    id_ = sent(ledger, luna, "m1")
    with ledger.write() as connection:
        over = {"until": clock.now() - timedelta(seconds=1), "next_at": clock.now() - timedelta(seconds=1)}
        connection.execute(update(trackings).values(over))
    collect(means, luna)
    collect(means, luna)
    assert platform.asked == [["m1"]]
    assert tracked(ledger, id_).next_at is None


def test_credits_are_gathered_and_written_now_and_then(ledger: Ledger, means: Means, luna: int) -> None:
    platform: Any = SimpleNamespace(name="onlyfansapi", results=Results())

    def standing() -> list[tuple[int, int | None]]:
        with ledger.read() as session:
            return [(row.used, row.balance) for row in session.execute(select(credits_))]

    def answers(**headers: str) -> None:
        observe(means, luna, platform, Answer(200, Headers(headers), b"{}", complete=True))

    answers()
    assert standing() == []
    answers(used="1", left="5000")
    assert standing() == [(1, 5000)]
    for left in range(4999, 4900, -1):
        answers(used="1", left=str(left))
    answers(used="3")
    assert standing() == [(1, 5000)], "at most once a minute"
    write_rest(means)
    write_rest(means)
    assert standing() == [(103, 4901)]


def test_figures_of_another_account_are_left_alone(ledger: Ledger, means: Means, luna: int, platform: Results) -> None:
    mia = add_creator(ledger, "mia", platform="fanvue")
    sent(ledger, mia, "m1")
    platform.says = [Told("m1", "list", views=1)]
    collect(means, luna)
    assert (platform.asked, count(ledger, figures)) == ([], 0)
