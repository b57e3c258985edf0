"""Taking back what was sent, against a platform in Fanvue's shapes; on both databases."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from calendars import Calendar, lost
from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import events
from carillon.ledger.tables_results import figures
from carillon.platforms.client import Client
from carillon.platforms.fanvue.calendar import FanvueRecall
from ledger_rows import add_broadcast, add_creator, broadcast
from standins import Reply, StandIn
from worker.means import Means
from worker.recall import RecallError, unsend

WHY = "by_person: recalled: a slip"


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def means(ledger: Ledger, calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    with StandIn(calendar) as platform:
        yield Means(ledger, client, "person:ada", 2, {"fanvue": platform.url, "frontrow": platform.url})
    client.close()


def sent(ledger: Ledger, calendar: Calendar, platform: str = "fanvue", purchases: int | None = 2, **values: Any) -> int:
    luna = add_creator(ledger, platform=platform, wake_at=None)
    calendar.messages["m1"] = {"uuid": "m1", "text": "hello", "createdAt": None, "scheduledAt": None}
    calendar.send("m1", clock.now(), purchases or 0)
    calendar.messages["m1"]["purchaseCount"] = purchases
    row = {"state": "sent", "sent_at": clock.now(), "platform_message_id": "m1", "attempts": 1, **values}
    return add_broadcast(ledger, luna, platform=platform, **row)


def test_it_is_taken_back_and_what_was_bought_is_told(ledger: Ledger, means: Means, calendar: Calendar) -> None:
    id_ = sent(ledger, calendar)
    assert unsend(means, id_, WHY) == 2
    row = broadcast(ledger, id_)
    assert (row.state, row.delivery, row.reason) == ("unsent", "cancelled", WHY)
    assert (calendar.writes, calendar.alive) == (["DELETE"], [])
    with ledger.read() as session:
        event = session.execute(select(events)).one()
    assert (event.source, event.target, event.why, event.who) == ("sent", "unsent", WHY, "person:ada")


@pytest.mark.parametrize(("shown", "kept", "bought"), [(None, 4, 4), (None, None, None), (5, 4, 5), (0, None, 0)])
def test_who_had_bought_it_is_what_is_known(
    ledger: Ledger, means: Means, calendar: Calendar, shown: int | None, kept: int | None, bought: int | None
) -> None:
    id_ = sent(ledger, calendar, purchases=shown)
    if kept is not None:
        with ledger.write() as connection:
            told = {"broadcast_id": id_, "source": "list", "at": clock.now(), "purchases": kept, "estimated": False}
            connection.execute(insert(figures).values(told))
    assert unsend(means, id_, WHY) == bought


def test_an_answer_that_was_lost_is_looked_up(ledger: Ledger, means: Means, calendar: Calendar) -> None:
    calendar.answer = lost
    id_ = sent(ledger, calendar)
    assert unsend(means, id_, WHY) == 2
    assert broadcast(ledger, id_).state == "unsent"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(500, {"message": "x"}), "does not show that it is done"),
        (Reply(400, {"message": "too late"}), "too late"),
    ],
)
def test_what_is_not_taken_back_stays_sent(
    ledger: Ledger, means: Means, calendar: Calendar, answer: Reply, words: str
) -> None:
    calendar.refuses["DELETE"] = answer
    id_ = sent(ledger, calendar)
    with pytest.raises(RecallError, match=words):
        unsend(means, id_, WHY)
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).version) == ("sent", 1)


def test_what_is_gone_already_is_unsent(ledger: Ledger, means: Means, calendar: Calendar) -> None:
    id_ = sent(ledger, calendar)
    calendar.remove("m1")
    unsend(means, id_, WHY)
    assert (broadcast(ledger, id_).state, calendar.writes) == ("unsent", [])


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (None, "unsent"),
        (Reply(404, {"message": "gone"}), "unsent"),
        (Reply(400, {"message": "too late"}), "sent"),
        (Reply(500, {"message": "x"}), "sent"),
    ],
)
def test_what_is_only_shown_no_more_is_taken_back_all_the_same(
    ledger: Ledger, means: Means, calendar: Calendar, answer: Reply | None, state: str
) -> None:
    calendar.refuses["GET"] = Reply(200, {"data": [], "pagination": {"page": 1, "size": 50, "hasMore": False}})
    if answer:
        calendar.refuses["DELETE"] = answer
    id_ = sent(ledger, calendar)
    with nullcontext() if state == "unsent" else pytest.raises(RecallError, match="is still sent"):
        unsend(means, id_, WHY)
    assert (broadcast(ledger, id_).state, calendar.writes) == (state, ["DELETE"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"platform": "frontrow"}, "frontrow takes nothing back"),
        ({"platform_message_id": None}, "gave no id"),
        ({"state": "failed"}, "is failed; only sent or placed"),
        ({"state": "unsent"}, "is unsent"),
    ],
)
def test_what_cannot_be_taken_back_says_why(
    ledger: Ledger, means: Means, calendar: Calendar, values: dict[str, Any], words: str
) -> None:
    id_ = sent(ledger, calendar, **values)
    with pytest.raises(RecallError, match=words):
        unsend(means, id_, WHY)
    assert calendar.asked == []


def test_a_window_that_is_over_is_named(
    ledger: Ledger, means: Means, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FanvueRecall, "recallable", lambda *_: "it could be taken back for 60 s")
    id_ = sent(ledger, calendar)
    with pytest.raises(RecallError, match=f"broadcast {id_} is still sent: it could be taken back for 60 s"):
        unsend(means, id_, WHY)
    assert (broadcast(ledger, id_).state, calendar.writes) == ("sent", [])


def test_a_platform_that_cannot_be_asked_says_so(ledger: Ledger, means: Means, calendar: Calendar) -> None:
    calendar.refuses["GET"] = Reply(503, {"message": "away"})
    id_ = sent(ledger, calendar, sent_at=clock.now() - timedelta(hours=1))
    with pytest.raises(RecallError, match="cannot be asked"):
        unsend(means, id_, WHY)
    assert broadcast(ledger, id_).state == "sent"
