"""What stored webhooks do: sales, news, alarms; and the one that proves that a held broadcast was sent."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from carillon import clock
from carillon.ledger import hooks, tracking
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, broadcasts, events, slots
from carillon.ledger.tables_media import hooks as hook_rows
from carillon.ledger.tables_media import uploads
from carillon.ledger.tables_results import figures, sales, trackings
from carillon.platforms.contract import Content
from carillon.platforms.roster import PLATFORMS
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from worker.confirm import Candidate, Several, confirmed
from worker.hints import take_all

WHO = "dashboard test"
HELD: dict[str, Any] = {"state": "held", "reason": "unknown_outcome: no answer came"}
PAID = Content(text="hello", media=("m",), price_cents=999).frozen()
MONTH = timedelta(days=30)


def purchase(message: str | None = "mm_1", cents: int | None = 999, sale: str = "pur_1", **data: Any) -> dict[str, Any]:
    source = {"id": "msg_9", "massMessageId": message}
    said = {"id": sale, "amountCents": cents, "kind": "message", "source": source}
    return {"event": "purchase.received", "data": {"purchase": said, "purchaser": {"id": "fan_1"}, **data}}


def take(ledger: Ledger, creator_id: int, *bodies: Mapping[str, Any]) -> int:
    with ledger.write() as connection:
        for body in bodies:
            hooks.store(
                connection, creator(ledger, creator_id), None, json.dumps(body).encode(), ledger.now(connection)
            )
    return take_all(ledger, WHO)


def rows(ledger: Ledger, table: Any) -> Sequence[Any]:
    with ledger.read() as session:
        return session.execute(select(table).order_by(*table.primary_key)).all()


def tried(ledger: Ledger, creator_id: int, started_at: datetime | None = None, **values: Any) -> int:
    """A broadcast with an attempt and its slot, by default one of 9.99 dollars."""
    id_ = add_broadcast(ledger, creator_id, **{"attempts": 1, "content": PAID, **values})
    started_at = started_at or clock.now() - timedelta(minutes=5)
    row = {
        "broadcast_id": id_,
        "number": 1,
        "token": f"token {id_}",
        "host": "elsewhere",
        "pid": 1,
        "process_birth": "1",
        "started_at": started_at,
        "lease_until": started_at + timedelta(seconds=30),
        "timeout_seconds": 20,
        "request_digest": "d",
    }
    with ledger.write() as connection:
        made = connection.scalar(insert(attempts).values(row).returning(attempts.c.id))
        slot = {"attempt_id": made, "creator_id": creator_id, "taken_at": started_at, "ended_at": started_at}
        connection.execute(insert(slots).values(slot))
    return id_


def tracked(ledger: Ledger, id_: int) -> None:
    """Asked about once, and not again for long."""
    with ledger.write() as connection:
        tracking.begin(connection, clock.now() + tracking.RIPE, 10)
        connection.execute(update(trackings).values(next_at=clock.now() + timedelta(days=1)))


def hurried(ledger: Ledger) -> list[int]:
    return [row.broadcast_id for row in rows(ledger, trackings) if row.next_at <= clock.now()]


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, wake_at=None)


def test_a_purchase_is_credited_to_the_broadcast_of_its_message(ledger: Ledger, luna: int) -> None:
    id_ = tried(ledger, luna, state="sent", platform_message_id="mm_1", sent_at=clock.now())
    add_broadcast(ledger, add_creator(ledger, "mia"), state="sent", platform_message_id="mm_1")
    tracked(ledger, id_)
    assert take(ledger, luna, purchase(purchasedAt="2026-11-01T10:00:00Z")) == 1
    [sale] = rows(ledger, sales)
    assert (sale.broadcast_id, sale.sale, sale.kind, sale.fan, sale.amount_cents, sale.source) == (
        id_,
        "pur_1",
        "purchase",
        "fan_1",
        999,
        "webhook",
    )
    assert sale.at.isoformat() == "2026-11-01T10:00:00+00:00"
    assert hurried(ledger) == [id_]
    assert rows(ledger, hook_rows)[0].words == f"purchase.received: purchase of broadcast {id_}"


def test_the_same_sale_told_in_two_webhooks_counts_once(ledger: Ledger, luna: int) -> None:
    assert take(ledger, luna, purchase(), purchase(told="again")) == 2
    assert len(rows(ledger, sales)) == 1


def test_a_sale_of_what_is_not_known_yet_is_credited_later(ledger: Ledger, luna: int) -> None:
    take(ledger, luna, purchase(), {"event": "tip.received", "data": {"tip": {"id": "tip_1", "amountCents": 500}}})
    assert [(row.broadcast_id, row.message_id, row.kind) for row in rows(ledger, sales)] == [
        (None, "mm_1", "purchase"),
        (None, None, "tip"),
    ]
    id_ = tried(ledger, luna, state="sent", platform_message_id="mm_1", sent_at=clock.now())
    tracked(ledger, id_)
    assert [row.broadcast_id for row in rows(ledger, sales)] == [id_, None]


def test_a_purchase_without_an_id_of_its_own_is_kept_once(ledger: Ledger) -> None:
    """Fanvue's flat events; told again, the body is the same."""
    bea = add_creator(ledger, "bea", platform="fanvue")
    body = {"routeUuid": "r1", "price": 500, "sender": {"uuid": "f1"}, "recipientUuid": "c1", "timestamp": None}
    take(ledger, bea, body)
    take(ledger, bea, body)
    [sale] = rows(ledger, sales)
    assert sale.sale.startswith("webhook:")
    assert (sale.message_id, sale.amount_cents) == ("r1", 500)


def test_what_is_sold_before_its_queue_is_known_is_kept_under_the_queues_id(ledger: Ledger) -> None:
    """OnlyFansAPI answers a send with the queue's id, and a fan's message has another one."""
    bea = add_creator(ledger, "bea", platform="onlyfansapi", account_id="acct_1")
    payload = {"id": 5, "queueId": 77, "message_id": 9001, "user": {"id": 3}, "replacePairs": {"{AMOUNT}": "$27.38"}}
    take(ledger, bea, {"event": "messages.ppv.unlocked", "account_id": "acct_1", "payload": payload})
    [sale] = rows(ledger, sales)
    assert (sale.message_id, sale.fan, sale.amount_cents, sale.broadcast_id) == ("77", "3", 2738, None)


@pytest.mark.parametrize(
    ("state", "owner", "asked"), [("processing", None, 1), ("processing", "w", 0), ("ready", None, 0)]
)
def test_media_that_are_processed_are_asked_about(ledger: Ledger, state: str, owner: str | None, asked: int) -> None:
    bea = add_creator(ledger, "bea", platform="onlyfansapi", account_id="acct_1")
    later = clock.now() + timedelta(hours=1)
    times = dict.fromkeys(("next_at", "wanted_by", "needed_until"), later)
    row = {"source": "s", "name": "n", "single_use": False, "progress": "{}", "tries": 0, **times}
    with ledger.write() as connection:
        connection.execute(insert(uploads).values(creator_id=bea, state=state, owner=owner, **row))
    take(ledger, bea, {"event": "media_uploads.completed", "account_id": "acct_1", "payload": {"id": 1}})
    assert sum(row.next_at < later for row in rows(ledger, uploads)) == asked


def candidate(number: int, state: str = "held", price: int | None = 999) -> Candidate:
    content = Content(text="hello", price_cents=price)
    return Candidate(number, 1, state, content, number, clock.now())


CASES: list[tuple[list[Candidate], int | None, Candidate | Several | None]] = [
    ([], 999, None),
    ([candidate(1)], 999, candidate(1)),
    ([candidate(1)], None, candidate(1)),
    ([candidate(1)], 998, None),
    ([candidate(1, price=None)], 999, None),
    ([candidate(1, price=None)], None, None),
    ([candidate(1), candidate(2)], 999, Several([1, 2])),
    ([candidate(1), candidate(2, price=500)], 999, candidate(1)),
    ([candidate(1), candidate(2, price=500)], None, Several([1, 2])),
    ([candidate(1), candidate(2, "sent")], 999, Several([1, 2])),
    ([candidate(1), candidate(2, "sending")], 999, None),
    ([candidate(1), candidate(2), candidate(3, "unknown")], 999, None),
    ([candidate(1, "sent")], 999, None),
    ([candidate(1, "sending")], 999, None),
]


@pytest.mark.parametrize(("able", "cents", "expected"), CASES)
def test_which_held_one_a_purchase_proves(
    able: list[Candidate], cents: int | None, expected: Candidate | Several | None
) -> None:
    found = confirmed(able, cents)
    if isinstance(expected, Candidate):
        assert isinstance(found, Candidate)
        assert found.broadcast_id == expected.broadcast_id
    else:
        assert found == expected


def test_a_held_broadcast_that_sells_was_sent(ledger: Ledger, luna: int) -> None:
    """On FrontRow nobody else could tell. Its slot stays used."""
    id_ = tried(ledger, luna, **HELD)
    take(ledger, luna, purchase())
    assert len(rows(ledger, slots)) == 1
    row = broadcast(ledger, id_)
    assert (row.state, row.platform_message_id, row.delivery, row.reason, row.version) == (
        "sent",
        "mm_1",
        "accepted",
        None,
        2,
    )
    [event] = [(it.source, it.target, it.why, it.who) for it in rows(ledger, events)]
    assert event == ("held", "sent", "a purchase names its message, mm_1: the platform had taken it", WHO)
    assert [it.verdict for it in rows(ledger, attempts)] == ["accepted"]
    assert [it.broadcast_id for it in rows(ledger, sales)] == [id_]


def test_what_is_known_or_anothers_is_not_in_doubt(ledger: Ledger, luna: int) -> None:
    known = tried(ledger, luna, campaign="known", state="sent", platform_message_id="mm_0")
    others = tried(ledger, add_creator(ledger, "mia"), **HELD)
    id_ = tried(ledger, luna, **HELD)
    take(ledger, luna, purchase())
    found = {each: broadcast(ledger, each) for each in (known, others, id_)}
    assert [(row.state, row.platform_message_id) for row in found.values()] == [
        ("sent", "mm_0"),
        ("held", None),
        ("sent", "mm_1"),
    ]


LATER = "2030-01-01T00:00:00Z"
OTHERWISE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "held for another reason": ({**HELD, "reason": "edited_after_send: twice"}, purchase()),
    "tried only after the purchase": ({**HELD, "started_at": clock.now() + MONTH}, purchase()),
    "after it, whatever the platform's clock says": (
        {**HELD, "started_at": clock.now() + MONTH},
        purchase(purchasedAt=LATER),
    ),
    "sold before it was tried": (HELD, purchase(purchasedAt="2020-01-01T00:00:00Z")),
    "at another price": (HELD, purchase(cents=500)),
    "free": ({**HELD, "content": Content(text="hello").frozen()}, purchase()),
    "no message named": (HELD, purchase(message=None)),
    "a tip": (HELD, {"event": "tip.received", "data": {"tip": {"id": "t", "amountCents": 999}}}),
    "a message that arrived": (HELD, {"event": "message.received", "data": {"message": {"id": "mm_1"}}}),
    "unknown": ({"state": "unknown"}, purchase()),
    "failed": ({"state": "failed"}, purchase()),
    "cancelled": ({"state": "cancelled"}, purchase()),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_nothing_else_ends_a_state(ledger: Ledger, luna: int, name: str) -> None:
    values, body = OTHERWISE[name]
    id_ = tried(ledger, luna, **values)
    assert take(ledger, luna, body) == 1
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).version) == (values["state"], 1)
    assert rows(ledger, events) == rows(ledger, alarms) == []


def test_a_message_that_sold_before_it_was_tried_proves_nothing(ledger: Ledger, luna: int) -> None:
    """Somebody sent that one by hand, and it goes on selling."""
    take(ledger, luna, purchase(purchasedAt=clock.rfc3339(clock.now() - timedelta(hours=1))))
    id_ = tried(ledger, luna, **HELD)
    take(ledger, luna, purchase(sale="pur_2"))
    assert broadcast(ledger, id_).state == "held"
    take(ledger, luna, purchase("mm_2", sale="pur_3"))
    assert (broadcast(ledger, id_).state, broadcast(ledger, id_).platform_message_id) == ("sent", "mm_2")


def test_a_message_that_is_anothers_proves_nothing(ledger: Ledger, luna: int) -> None:
    held = tried(ledger, luna, **HELD)
    known = tried(ledger, luna, campaign="other", state="sent", platform_message_id="mm_1")
    take(ledger, luna, purchase())
    assert broadcast(ledger, held).state == "held"
    assert [it.broadcast_id for it in rows(ledger, sales)] == [known]


def test_a_platform_that_can_be_asked_is_asked(ledger: Ledger) -> None:
    bea = add_creator(ledger, "bea", platform="fanvue")
    id_ = tried(ledger, bea, platform="fanvue", **HELD)
    body = {"routeUuid": "r1", "price": 999, "sender": {"uuid": "f1"}, "recipientUuid": "c1"}
    take(ledger, bea, body)
    assert broadcast(ledger, id_).state == "held"


def test_where_it_may_be_two_a_person_is_told_once(ledger: Ledger, luna: int) -> None:
    ids = [tried(ledger, luna, campaign=name, **HELD) for name in ("one", "two")]
    take(ledger, luna, purchase(), purchase(sale="pur_2"))
    assert [broadcast(ledger, id_).state for id_ in ids] == ["held", "held"]
    [alarm] = rows(ledger, alarms)
    assert alarm.message == (
        f"a purchase of creator luna names the message mm_1, which may be broadcast {ids[0]} or {ids[1]}: "
        "see `carillon show`, then `carillon resolve ID --sent --message-id mm_1`"
    )
    assert alarm.cleared_at is not None


def test_news_of_an_unknown_message_wake_the_look_ups(ledger: Ledger) -> None:
    """They do no more than that."""
    bea = add_creator(ledger, "bea", platform="onlyfansapi", account_id="acct_1")
    later = clock.now() + timedelta(seconds=15)
    unknown = tried(ledger, bea, platform="onlyfansapi", state="unknown", hand_off_at=later)
    others = tried(ledger, add_creator(ledger, "mia"), state="unknown", hand_off_at=later)
    take(ledger, bea, {"event": "chat_queue.updated", "account_id": "acct_1", "payload": {"id": 77, "total": 12}})
    assert broadcast(ledger, unknown).hand_off_at <= clock.now()
    assert (broadcast(ledger, unknown).state, broadcast(ledger, unknown).version) == ("unknown", 1)
    assert broadcast(ledger, others).hand_off_at == later


def test_progress_is_kept_and_asked_about(ledger: Ledger) -> None:
    bea = add_creator(ledger, "bea", platform="onlyfansapi", account_id="acct_1")
    id_ = tried(ledger, bea, platform="onlyfansapi", state="sent", platform_message_id="77", sent_at=clock.now())
    tracked(ledger, id_)
    payload = {"id": 77, "total": 12, "pending": 0, "isDone": True}
    take(ledger, bea, {"event": "chat_queue.finished", "account_id": "acct_1", "payload": payload})
    assert hurried(ledger) == [id_]
    assert [(it.broadcast_id, it.source, it.recipients) for it in rows(ledger, figures)] == [(id_, "webhook", 12)]
    assert (broadcast(ledger, id_).delivery, broadcast(ledger, id_).recipient_count) == ("done", 12)


@pytest.mark.parametrize(
    ("platform", "body", "alarmed"),
    [
        ("ofauth", {"type": "connection.expired", "data": {"connection": {"id": "c"}}}, True),
        ("ofauth", {"type": "connection.disconnected", "data": {"connection": {"id": "c"}}}, True),
        ("ofauth", {"type": "connection.created", "data": {"connection": {"id": "c"}}}, False),
        ("onlyfansapi", {"event": "accounts.session_expired", "account_id": "c", "payload": {}}, True),
        ("onlyfansapi", {"event": "accounts.otp_code_required", "account_id": "c", "payload": {}}, True),
        ("onlyfansapi", {"event": "accounts.reconnected", "account_id": "c", "payload": {}}, False),
    ],
)
def test_an_account_that_is_lost_is_told_and_another_is_looked_at(
    ledger: Ledger, platform: str, body: dict[str, Any], alarmed: bool
) -> None:
    bea = add_creator(ledger, "bea", platform=platform, account_id="c", wake_at=None)
    take(ledger, bea, body)
    told = [row.message for row in rows(ledger, alarms)]
    event = body.get("type") or body["event"]
    assert told == ([f"{platform} says of creator bea: {event}; connect it again there"] if alarmed else [])
    assert (creator(ledger, bea).wake_at is None) is alarmed
    assert creator(ledger, bea).stopped_at is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_of_no_concern_is_done_with(ledger: Ledger, platform: str) -> None:
    bea = add_creator(ledger, "bea", platform=platform)
    assert take(ledger, bea, {"event": "new.thing", "type": "new.thing", "data": {"x": [None]}}) == 1
    assert [(row.words, row.done_at is None) for row in rows(ledger, hook_rows)] == [("of no concern", False)]
    assert rows(ledger, sales) == rows(ledger, alarms) == rows(ledger, events) == []


def test_one_that_is_not_understood_is_not_in_the_way_of_others(
    ledger: Ledger, luna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it tried again for ever."""
    understood = type(PLATFORMS["frontrow"].webhooks).hints

    def hints(self: Any, body: Mapping[str, Any]) -> Any:
        if body.get("odd"):
            raise TypeError("odd")
        return understood(self, body)

    monkeypatch.setattr(type(PLATFORMS["frontrow"].webhooks), "hints", hints)
    assert take(ledger, luna, {"odd": True}, purchase(sale="n\u0000l"), purchase(sale="pur_2")) == 3
    first = rows(ledger, hook_rows)[0]
    assert (first.words, first.body) == ("not understood: TypeError", '{"odd": true}')
    assert "pur_2" in [row.sale for row in rows(ledger, sales)]
    assert take_all(ledger, WHO) == 0


def test_two_who_take_at_once_do_it_once(ledger: Ledger, luna: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(ledger, luna, **HELD)

    def at_leisure(_connection: Connection, _id: int, _words: str, _now: datetime) -> None:
        """As if the process died before it was done."""

    with monkeypatch.context() as patch:
        patch.setattr(hooks, "done", at_leisure)
        assert take(ledger, luna, purchase()) == 1
    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(lambda _: take_all(ledger, WHO), range(4)))
    assert taken == 1
    assert (len(rows(ledger, sales)), len(rows(ledger, events))) == (1, 1)
    with ledger.read() as session:
        assert session.scalar(select(broadcasts.c.version)) == 2
