"""What OFAuth tells of messages that went out, in the shapes of its guide and of its types, which conflict."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carillon import clock
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account
from carillon.platforms.errors import PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.ofauth.adapter import OFAuth
from carillon.platforms.parts import Buyer, Sent, Told
from routes import asked, calls, routed
from standins import Reply, Seen, StandIn

SECRET = "of_5ecret_key"
OFAUTH = OFAuth()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUEUE, SENT = "/v2/access/mass-messages", "/v2/access/analytics/mass-messages/sent"
BUYERS = "/v2/access/analytics/mass-messages/{}/buyers"
EMPTY: dict[str, Any] = {"list": [], "hasMore": False}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "conn/1", SECRET)


def a(message_id: str, seconds: float = 0, text: str | None = "Hi", price: int | None = 1_499) -> Sent:
    return Sent(message_id, NOON + timedelta(seconds=seconds), text, price)


def told(client: Client, sent: list[Sent], **routes: Any) -> tuple[list[Told], list[str]]:
    paths = {"statistics": SENT, "purchased": SENT.replace("/sent", "/purchased"), "queue": QUEUE}
    with routed({f"GET {paths[name]}": said for name, said in routes.items()}) as platform:
        return list(OFAUTH.results.told(client, account(platform), sent)), calls(platform)


GUIDE = {
    "id": 12345,
    "text": "Hey everyone!",
    "sentCount": 150,
    "purchasedCount": 23,
    "totalAmount": 344.77,
    "createdAt": "2026-01-05T12:00:00Z",
}
TYPED = {
    "id": 12346,
    "date": "2026-01-05T12:00:00+00:00",
    "text": "<p>Hi</p>",
    "isFree": False,
    "viewedCount": 12,
    "sentCount": 150,
    "price": "14.99",
    "purchasedCount": 2,
    "template": "group",
}


def test_the_statistics_of_the_guide(client: Client) -> None:
    found, read = told(client, [a("12345")], statistics={"list": [GUIDE], "hasMore": False})
    assert found == [Told("12345", "statistics", recipients=150, purchases=23, revenue_cents=34_477)]
    query = "limit=10&startDate=2026-01-05T11:58:00Z&endDate=2026-01-05T12:02:00Z"
    assert read == [f"GET {SENT}?{query}"]


def test_the_statistics_of_the_types(client: Client) -> None:
    found, _ = told(client, [a("12346")], statistics={"items": [TYPED], "hasMore": False})
    expected = Told("12346", "statistics", None, 150, 12, 2, revenue_cents=2_998, estimated=True)
    assert found == [expected]


@pytest.mark.parametrize(
    ("more", "revenue", "estimated"),
    [
        ({"totalAmount": 0}, 0, False),
        ({"totalAmount": "344.77"}, 34_477, False),
        ({"totalAmount": 344.77000000000004}, 34_477, False),
        ({"totalAmount": "much"}, 2_998, True),
        ({"price": None}, 2_998, True),
        ({"price": "14.99", "purchasedCount": 0}, 0, False),
        ({"price": "14.99", "purchasedCount": None}, None, False),
        ({"price": None, "isFree": True, "purchasedCount": None}, 0, False),
    ],
)
def test_money_in_each_form(client: Client, more: dict[str, Any], revenue: int | None, estimated: bool) -> None:
    (found, *_), _ = told(client, [a("12346")], statistics={"list": [TYPED | more]})
    assert (found.revenue_cents, found.estimated) == (revenue, estimated)


@pytest.mark.parametrize(
    ("more", "delivery"),
    [
        ({"isCanceled": True}, "cancelled"),
        ({"hasError": True}, "error"),
        ({"isDone": True}, "done"),
        ({"isDone": False, "pending": 3}, "delivering"),
        ({"isDone": False, "pending": 0}, None),
        ({}, None),
    ],
)
def test_progress(client: Client, more: dict[str, Any], delivery: str | None) -> None:
    (found,), _ = told(client, [a("12346")], statistics={"list": [TYPED | more]})
    assert found.delivery == delivery


def test_another_id_but_the_same_words_price_and_time(client: Client) -> None:
    found, _ = told(client, [a("1", 60)], statistics={"list": [TYPED]})
    assert [(one.message_id, one.sold_as) for one in found] == [("1", "12346")]
    for other in (a("1", 121), a("1", text="Ho"), a("1", price=500)):
        found, _ = told(client, [other], statistics={"list": [TYPED]})
        assert found == []


def test_twins_are_nobodys(client: Client) -> None:
    """Two broadcasts with the same words at the same time, and one row: whose it is would be a guess."""
    found, _ = told(client, [a("1"), a("2", 30)], statistics={"list": [TYPED]})
    assert found == []
    found, _ = told(client, [a("1")], statistics={"list": [TYPED, TYPED | {"id": 7}]})
    assert found == []


def test_purchases_and_the_queue_fill_what_the_statistics_lack(client: Client) -> None:
    statistics = {"list": [{key: value for key, value in TYPED.items() if key != "purchasedCount"}]}
    bought = {"items": [TYPED | {"purchasedCount": 5}], "hasMore": False}
    queue = {"list": [{"id": 99, "date": "2026-01-05T12:00:00Z", "sentCount": 9, "isDone": True}], "hasMore": False}
    sent = [a("12346"), a("99", text="Other", price=None)]
    found, read = told(client, sent, statistics=statistics, purchased=bought, queue=queue)
    assert [(one.message_id, one.source, one.purchases, one.recipients) for one in found] == [
        ("12346", "statistics", None, 150),
        ("12346", "purchases", 5, 150),
        ("99", "queue", None, 9),
    ]
    assert found[2].delivery == "done"
    assert len(read) == 3


def test_neither_of_them_need_be_served(client: Client) -> None:
    found, read = told(client, [a("1")], statistics=EMPTY)
    assert (found, len(read)) == ([], 3)


def test_many_at_once_in_few_reads_and_old_ones_apart(client: Client) -> None:
    rows = [TYPED | {"id": number, "date": clock.rfc3339(NOON - timedelta(minutes=number))} for number in range(25)]

    def page(seen: Seen) -> Any:
        end, begin = asked(seen).get("endDate", "9"), asked(seen)["startDate"]
        within = [row for row in rows if begin <= str(row["date"]) <= end]
        return {"list": within[:10], "hasMore": len(within) > 10}

    sent = [a(str(number), -60 * number) for number in range(25)]
    found, read = told(client, [*sent, a("old", -86_400 * 10, text="old")], statistics=page)
    assert sorted(int(one.message_id) for one in found) == list(range(25))
    assert len([path for path in read if "/sent" in path]) == 4


def test_what_is_new_is_asked_for_to_the_end_of_time(client: Client) -> None:
    _, read = told(client, [Sent("1", clock.now(), "Hi", None)], statistics=EMPTY)
    assert "endDate" not in read[0]


def test_statistics_that_break_off_are_true_as_far_as_they_go(client: Client) -> None:
    rows = [{"id": 1, "date": "2026-01-05T11:00:00Z", "sentCount": 1}, {"id": 2, "date": "2026-01-05T12:00:00Z"}]
    found, _ = told(client, [a("1", price=None)], statistics={"list": rows, "hasMore": True})
    assert [one.recipients for one in found] == [1]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {}), Unauthorized),
        (Reply(429, {}), Throttled),
        (Reply(500, {}), Unreachable),
        (Reply(200, {"x": 1}), Unreadable),
    ],
)
def test_statistics_that_cannot_be_had(client: Client, reply: Reply, kind: type[PlatformError]) -> None:
    with pytest.raises(kind):
        told(client, [a("1")], statistics=reply)


def bought(client: Client, sent: Any, pages: Any, message: str = "12345") -> tuple[list[Buyer], list[str]]:
    with routed({f"GET {SENT}": sent, f"GET {BUYERS.format(message)}": pages}) as platform:
        return list(OFAUTH.results.buyers(client, account(platform), a("12345"))), calls(platform)[1:]


FAN = {"id": 7, "username": "u7", "name": "Fan 7", "isVerified": False}


@pytest.mark.parametrize(
    ("row", "buyer"),
    [
        (FAN, Buyer("7", "Fan 7", None)),
        (FAN | {"amount": 14.99}, Buyer("7", "Fan 7", 1_499)),
        (FAN | {"amount": "14.99", "name": None}, Buyer("7", "u7", 1_499)),
        ({"id": "7"}, Buyer("7")),
    ],
)
def test_each_form_of_a_buyer(client: Client, row: dict[str, Any], buyer: Buyer) -> None:
    found, read = bought(client, EMPTY, {"list": [row, "noise"], "hasMore": False})
    assert found == [buyer]
    assert read == [f"GET {BUYERS.format('12345')}?limit=20"]


@pytest.mark.parametrize("key", ["nextMarker", "marker"])
def test_buyers_by_marker(client: Client, key: str) -> None:
    pages = {None: ([1, 2], 50), "50": ([3, 4], 90), "90": ([5], None)}

    def page(seen: Seen) -> Any:
        rows, marker = pages[asked(seen).get("marker")]
        return {"list": [{"id": fan} for fan in rows], "hasMore": marker is not None, key: marker}

    found, _ = bought(client, EMPTY, page)
    assert [one.fan for one in found] == ["1", "2", "3", "4", "5"]


def test_buyers_by_offset_where_there_is_no_marker(client: Client) -> None:
    def page(seen: Seen) -> Any:
        start = int(asked(seen).get("offset", 0))
        return {"list": [{"id": start + at} for at in (1, 2)], "hasMore": start < 4}

    found, _ = bought(client, EMPTY, page)
    assert [one.fan for one in found] == ["1", "2", "3", "4", "5", "6"]


def test_buyers_stand_under_the_id_of_the_statistics(client: Client) -> None:
    found, _ = bought(client, {"list": [TYPED]}, {"list": [FAN], "hasMore": False}, message="12346")
    assert [one.fan for one in found] == ["7"]


def test_it_has_no_credits() -> None:
    answer = Answer(200, Headers({"x-ofapi-credits-used": "1"}), b'{"_meta": {"_credits": {"used": 1}}}', complete=True)
    assert OFAUTH.results.credits(answer) is None
