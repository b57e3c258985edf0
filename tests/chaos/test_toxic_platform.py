"""Toxic connections between a worker and its platform: what the judge accepted, and what the ledger makes of it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from carillon.platforms.contract import Content, ListRef
from chaos.arrivals import Arrivals, documented
from chaos.by_hand import Scheduler, attempts_made, moves, open_alarms, queue, rows, slots_used, states, worker
from chaos.rigged import Rigged
from chaos.toxic import Proxy, to_platform
from ledger_rows import add_broadcast, add_creator
from running import until
from servers import fresh_database
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.means import Means

TIMEOUT = 0.5
FANS = Content(include=(ListRef(kind="smart", value="all_fans"),), text="hello").frozen()


@dataclass(frozen=True)
class Fault:
    """`accepted` by the judge, `state` in the end of a broadcast on FrontRow, which cannot be asked what it took.

    `traps` is how many of the proxy's traps have to spring, so that no case passes because its fault never happened.
    """

    name: str
    set_up: Callable[[Proxy, Arrivals], None]
    accepted: int
    state: str
    slots: int
    traps: int = 0


def answering(proxy: Proxy, judge: Arrivals, harm: Callable[[], None], reply: Reply | None = None) -> None:
    """Accept, and do harm to the answer."""

    def answer(seen: Seen, message_id: str) -> Reply:
        harm()
        return reply or documented(seen, message_id)

    judge.answer = answer


def saying(reply: Reply) -> Callable[[Proxy, Arrivals], None]:
    return lambda proxy, judge: answering(proxy, judge, lambda: None, reply)


def cut_answer(after: int) -> Callable[[Proxy, Arrivals], None]:
    return lambda proxy, judge: answering(proxy, judge, lambda: proxy.trap("cut", "down", after=after))


def slow(latency: float) -> Callable[[Proxy, Arrivals], None]:
    def set_up(proxy: Proxy, judge: Arrivals) -> None:
        def dawdle() -> float:
            proxy.latency = latency
            return 0.0

        judge.on_the_way = dawdle

    return set_up


def dawdling(seconds: float) -> Callable[[Proxy, Arrivals], None]:
    return lambda _, judge: setattr(judge, "on_the_way", lambda: seconds)


HTML = Reply(200, "<html>Welcome to the hotel</html>", {"Content-Type": "text/html"})
NO_ID = Reply(202, {"recipientCount": 3})

FAULTS = [
    Fault("refused from the start", lambda proxy, _: proxy.go_away(), 0, "planned", 0),
    Fault("request lost", lambda proxy, _: proxy.trap("swallow", word=b"POST "), 0, "held", 1, 1),
    Fault("request cut at its first byte", lambda proxy, _: proxy.trap("cut", word=b"POST "), 0, "held", 1, 1),
    Fault("request cut in its headers", lambda proxy, _: proxy.trap("cut", word=b"POST ", after=60), 0, "held", 1, 1),
    Fault("request cut in its body", lambda proxy, _: proxy.trap("cut", word=b"\r\n\r\n{", after=9), 0, "held", 1, 1),
    Fault("half-open", lambda proxy, _: proxy.trap("swallow", word=b"POST ", after=60), 0, "held", 1, 1),
    Fault("answer lost", lambda proxy, _: proxy.trap("lose the answer", word=b"POST "), 1, "held", 1, 1),
    Fault(
        "answer swallowed", lambda proxy, judge: answering(proxy, judge, lambda: proxy.swallow("down")), 1, "held", 1
    ),
    Fault("answer cut in its status line", cut_answer(10), 1, "held", 1, 1),
    Fault("answer cut in its headers", cut_answer(26), 1, "held", 1, 1),
    Fault("answer cut in its body", cut_answer(100), 1, "sent", 1, 1),
    Fault("accepted without an id", saying(NO_ID), 1, "sent", 1),
    Fault("a captive portal", saying(HTML), 1, "held", 1),
    *(Fault(f"a {status}", saying(Reply(status, {"error": "?"})), 1, "held", 1) for status in (409, 500)),
    Fault("slow both ways", slow(0.2), 1, "sent", 1),
    Fault("too slow to answer in time", slow(TIMEOUT * 1.5), 1, "held", 1),
    Fault(
        "accepted after the time-out",
        lambda _, judge: setattr(judge, "on_the_way", lambda: TIMEOUT * 1.5),
        1,
        "held",
        1,
    ),
]


@pytest.fixture
def judge() -> Arrivals:
    return Arrivals()


@pytest.fixture
def proxied(judge: Arrivals, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the judge, and the platform's URL through it."""
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    with StandIn(judge) as standin:
        proxy, url = to_platform(standin.url)
        with proxy:
            yield proxy, url


@pytest.fixture
def ledger(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Ledger]:
    """On SQLite alone: what is at stake here is the platform's side."""
    shutil.copyfile(migrated_sqlite, tmp_path / "carillon.db")
    with closing(Ledger(f"sqlite:///{tmp_path / 'carillon.db'}")) as ledger:
        yield ledger


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, wake_at=None)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_send_on_a_toxic_connection_is_made_once_and_never_again_by_itself(
    fault: Fault, ledger: Ledger, luna: int, proxied: tuple[Proxy, str], judge: Arrivals
) -> None:
    """F40 (no byte left), F45, F46, F50 (the connection rested, and is cut as we write); and what a look-up cannot
    settle is held with an alarm, its slot used."""
    proxy, url = proxied
    fault.set_up(proxy, judge)
    id_ = add_broadcast(ledger, luna)
    with closing(Client(TIMEOUT)) as client:
        means = Means(ledger, client, "worker test", TIMEOUT, {"frontrow": url})
        deliver(means, id_)
        until(lambda: len(judge.accepted) == fault.accepted)
        proxy.heal()
        for _ in range(2):  # the beats, and stale orders
            Scheduler(ledger, queue(None)).turn()
            deliver(means, id_)
    assert states(ledger) == [fault.state]
    assert proxy.sprung == fault.traps
    assert len(judge.accepted) == fault.accepted
    assert slots_used(ledger) == fault.slots
    assert open_alarms(ledger) == ([f"held:{id_}"] if fault.state == "held" else [])
    assert attempts_made(ledger) == (0 if fault.state == "planned" else 1)


def test_a_platform_that_refuses_connections_gets_it_once_it_is_back(
    ledger: Ledger, luna: int, proxied: tuple[Proxy, str], judge: Arrivals
) -> None:
    """F40: with the preflight's answer still fresh, it is the send itself that meets a closed port; slot given back."""
    proxy, url = proxied
    judge.reads = lambda _: Reply(200, {"lists": [{"id": "subscribers", "name": "Subscribers", "count": 3}]})
    add_broadcast(ledger, luna, "first")
    add_broadcast(ledger, luna, "second")
    first, second = [row.id for row in rows(ledger)]
    with worker(ledger.url.render_as_string(hide_password=False), {"frontrow": url}) as broker:
        scheduler = Scheduler(ledger, broker)
        scheduler.order(first)
        until(lambda: states(ledger)[0] == "sent")
        proxy.go_away()
        scheduler.order(second)
        until(lambda: states(ledger)[1] == "planned")
        assert (attempts_made(ledger), slots_used(ledger)) == (2, 1)
        proxy.listen()
        scheduler.turn_until(lambda: states(ledger) == ["sent", "sent"], 30)
    assert len(judge.accepted) == 2
    assert moves(ledger).count(("sending", "planned")) >= 1


@pytest.fixture
def rigged(postgresql: str, migrated_postgresql: str) -> Iterator[tuple[Rigged, str]]:
    """A PostgreSQL whose clock can be stepped, so that minutes need not be waited for."""
    with fresh_database(postgresql, migrated_postgresql) as url, closing(Rigged(url)) as one:
        yield one, url


def on_fanvue(url: str, ledger: Ledger) -> int:
    creator = add_creator(ledger, wake_at=None, platform="fanvue")
    return add_broadcast(ledger, creator, platform="fanvue", content=FANS, expires_after=7200)


@pytest.mark.parametrize(
    ("harm", "accepted_at_first", "steps"),
    [
        ("answer lost", 1, []),  # F41: it is there
        ("answer lost, and shown late", 1, [61.0, 91.0]),  # F42
        ("request lost", 0, [61.0, 95.0, 130.0]),  # absent twice, after the settle time
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_looked_up_is_sent_exactly_once(
    harm: str,
    accepted_at_first: int,
    steps: list[float],
    rigged: tuple[Rigged, str],
    proxied: tuple[Proxy, str],
    judge: Arrivals,
) -> None:
    """F41, F42; and a request that surely never came is sent anew."""
    (rig, database_url), (proxy, url) = rigged, proxied
    late = "late" in harm
    judge.shown_after = 3600.0 if late else 0.0
    proxy.trap("swallow" if harm == "request lost" else "lose the answer", word=b"POST ")
    with closing(Ledger(database_url)) as ledger, worker(database_url, {"fanvue": url}) as broker:
        scheduler = Scheduler(ledger, broker)
        scheduler.order(on_fanvue(url, ledger), platform="fanvue")
        until(lambda: attempts_made(ledger) == 1 and states(ledger) != ["sending"])
        assert len(judge.accepted) == accepted_at_first
        for step in steps:
            assert states(ledger) == ["unknown"] or not late
            rig.step_clock(step)
            judge.shown_after = 3600.0 if late and step < 90 else 0.0
            looked = _looked(ledger)
            scheduler.turn_until(lambda: _looked(ledger) > looked or states(ledger) != ["unknown"])  # noqa: B023
        rig.step_clock((steps or [0.0])[-1] + 10)
        scheduler.turn_until(lambda: states(ledger) == ["sent"])
        assert len(judge.accepted) == 1
        assert slots_used(ledger) == 1


def test_a_look_up_that_never_works_ends_with_a_person(
    rigged: tuple[Rigged, str], proxied: tuple[Proxy, str], judge: Arrivals
) -> None:
    """F43: within five minutes, and nothing is sent again."""
    (rig, database_url), (proxy, url) = rigged, proxied
    proxy.trap("lose the answer", word=b"POST ")
    with closing(Ledger(database_url)) as ledger, worker(database_url, {"fanvue": url}) as broker:
        scheduler = Scheduler(ledger, broker)
        id_ = on_fanvue(url, ledger)
        scheduler.order(id_, platform="fanvue")
        until(lambda: judge.accepted)
        proxy.trap("cut", word=b"GET /chats/mass-messages", times=1000)
        until(lambda: states(ledger) == ["unknown"])
        for minute in range(1, 5):
            rig.step_clock(60.0 * minute)
            scheduler.turn()
        rig.step_clock(295.0)
        scheduler.turn_until(lambda: states(ledger) == ["held"])
        scheduler.turn()
        assert f"held:{id_}" in open_alarms(ledger)
        assert "could not be asked" in str(rows(ledger)[0].reason)
    assert len(judge.accepted) == 1


def _looked(ledger: Ledger) -> int:
    from sqlalchemy import func, select

    from carillon.ledger.tables import lookups

    with ledger.read() as session:
        count: Any = session.scalar(select(func.count()).select_from(lookups))
        return int(count)
