"""Whoever follows what is placed is killed before and after each request and each transaction; the next one goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from calendars import Calendar, lost
from carillon import clock
from carillon.ledger import decisions, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note
from carillon.ledger.tables import broadcasts, slots
from carillon.platforms.client import Client
from ledger_rows import CONTENT, add_broadcast, add_creator, broadcast
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.follow import follow
from worker.means import Means
from worker.reconcile import reconcile

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEW = CONTENT.replace("hello", "hello again")
Answer = Callable[[Seen, Reply], Reply]


class Killed(BaseException):
    pass


class Points:
    """Counts what it passes, and dies at the `deadly` one."""

    def __init__(self) -> None:
        self.passed, self.deadly = 0, -1

    def pass_by(self) -> None:
        self.passed += 1
        if self.passed == self.deadly:
            raise Killed

    def string(self, means: Means, monkeypatch: pytest.MonkeyPatch) -> None:
        write, exchange = means.ledger.write, means.client._exchange

        @contextmanager
        def writes() -> Iterator[Connection]:
            with write() as connection:
                yield connection
                self.pass_by()
            self.pass_by()

        def exchanges(*said: Any) -> Any:
            self.pass_by()
            answer = exchange(*said)
            self.pass_by()
            return answer

        monkeypatch.setattr(means.ledger, "write", writes)
        monkeypatch.setattr(means.client, "_exchange", exchanges)


def renaming(calendar: Calendar, then: Answer) -> Answer:
    def answer(seen: Seen, reply: Reply) -> Reply:
        if seen.method == "PATCH" and "m1" in calendar.messages:
            calendar.messages["m7"] = {**calendar.messages.pop("m1"), "uuid": "m7"}
        return then(seen, reply)

    return answer


def said(_: Seen, reply: Reply) -> Reply:
    return reply


def set_(ledger: Ledger, id_: int, **values: Any) -> None:
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == id_).values(values))


def wish(ledger: Ledger, id_: int, what: str) -> None:
    row = broadcast(ledger, id_)
    if what == "cancel":
        decisions.cancel(ledger, id_, "person:ada", None)
        return
    goes_at = row.goes_at + (HOUR if what == "move" else timedelta(0))
    columns = {"content": NEW, "goes_at": goes_at, "expires_at": goes_at + HOUR}
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}
    with ledger.write() as connection:
        note = Note(ledger.now(connection), "scheduler test", "edited")
        placing.wish(connection, row, placing.REPLACE, {"columns": told, "why": "edited"}, note)


def step(means: Means, id_: int) -> None:
    """What orders to workers would do next."""
    state = broadcast(means.ledger, id_).state
    if state == "placed":
        set_(means.ledger, id_, hand_off_at=clock.now() - HOUR)
        follow(means, id_)
    elif state == "unknown":
        set_(means.ledger, id_, hand_off_at=None)
        reconcile(means, id_)
    elif state == "planned":
        set_(means.ledger, id_, state="queued")
        deliver(means, id_)


def ends(ledger: Ledger, calendar: Calendar, id_: int, what: str) -> None:
    row = broadcast(ledger, id_)
    alive = [one["text"] for one in calendar.alive]
    if what == "cancel":
        assert (row.state, alive) == ("cancelled", [])
    else:
        assert (row.state, row.wish, row.content, alive) == ("placed", None, NEW, ["hello again"])
    with ledger.read() as session:
        of_account = select(func.count()).select_from(slots).where(slots.c.creator_id == row.creator_id)
        assert session.scalar(of_account) == len(alive)
    assert calendar.most_alive == 1


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("edit", "renamed and lost"),
        *(
            pytest.param(what, how, marks=pytest.mark.chaos)
            for what, how in (
                ("cancel", "lost"),
                ("move", "lost"),
                ("edit", "answered"),
                ("edit", "lost"),
                ("edit", "renamed"),
            )
        ),
    ],
)
def test_killed_anywhere_the_next_one_ends_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, what: str, how: str
) -> None:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    for name in ("SETTLE", "APART"):
        monkeypatch.setattr(f"worker.settle.{name}", timedelta(0))
    then = lost if how.endswith("lost") else said
    points, client = Points(), Client(2)
    with StandIn() as platform:
        means = Means(ledger, client, "worker test", 2, {"fanvue": platform.url})
        points.string(means, monkeypatch)
        for deadly in count(1):
            platform.answer = calendar = Calendar()
            id_ = placed(means, deadly)
            calendar.answer = renaming(calendar, then) if how.startswith("renamed") else then
            wish(ledger, id_, what)
            died = dies(points, deadly, means, id_)
            for _ in range(4):
                step(means, id_)
            ends(ledger, calendar, id_, what)
            if not died:
                break
    client.close()
    assert deadly > 8


def placed(means: Means, number: int) -> int:
    """Each has an account to itself."""
    luna = add_creator(means.ledger, platform="fanvue", wake_at=None, account=f"luna {number}")
    goes_at = clock.now() + DAY
    id_ = add_broadcast(means.ledger, luna, platform="fanvue", goes_at=goes_at, expires_at=goes_at + HOUR)
    deliver(means, id_)
    return id_


def dies(points: Points, deadly: int, means: Means, id_: int) -> bool:
    points.passed, points.deadly = 0, deadly
    try:
        step(means, id_)
    except Killed:
        return True
    finally:
        points.deadly = -1
    return False
