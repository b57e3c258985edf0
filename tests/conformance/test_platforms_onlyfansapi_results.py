"""What OnlyFansAPI tells of messages that went out, in the shapes of its reference and of its samples."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carillon import clock
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account
from carillon.platforms.errors import PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI
from carillon.platforms.parts import Buyer, Credits, Sent, Told
from routes import asked, calls, routed
from standins import Reply, Seen, StandIn

SECRET = "ofapi_5ecret_key"
API = OnlyFansAPI()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUEUE = "/api/acct_1/mass-messaging"
ENGAGEMENT = "/api/acct_1/engagement/messages"
PATHS = {
    "queue": QUEUE,
    "engagement": f"{ENGAGEMENT}/mass-messages",
    "overview": f"{QUEUE}/overview",
    "single": f"{QUEUE}/12",
    "top": f"{ENGAGEMENT}/top-message",
    "buyers": f"{ENGAGEMENT}/12/buyers",
    "others": f"{ENGAGEMENT}/99/buyers",
}
ITEM: dict[str, Any] = {
    "id": 12,
    "date": "2026-01-05T12:00:00+00:00",
    "text": "<p>Hi</p>",
    "rawText": "Hi",
    "isFree": False,
    "viewedCount": 40,
    "sentCount": 150,
    "isCanceled": False,
    "template": "group",
}
PAID = Sent("12", NOON, "Hi", 1_499)
FREE = Sent("12", NOON, "Hi", None)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "acct_1", SECRET)


def told(client: Client, sent: list[Sent], **routes: Any) -> tuple[list[Told], list[str]]:
    with routed({f"GET {PATHS[name]}": said for name, said in routes.items()}) as platform:
        return list(API.results.told(client, account(platform), sent)), calls(platform)


def page(*items: Any, more: bool = False) -> dict[str, Any]:
    return {"data": {"hasMore": more, "items": list(items)}, "_meta": {}}


def top(**said: Any) -> dict[str, Any]:
    row = {"id": 12, "date": ITEM["date"], "text": "Hi", "price": "14.99", "purchasedCount": 2}
    return {"data": {"purchases": row | {"totalRevenueGenerated": "29.98"} | said}, "_meta": {}}


def test_engagement_with_purchases_and_the_exact_sum(client: Client) -> None:
    rows = page(ITEM | {"price": "14.99", "purchasedCount": 2})
    found, read = told(client, [PAID], engagement=rows, top=top(totalRevenueGenerated="28.50"))
    assert found == [
        Told("12", "engagement", None, 150, 40, 2, revenue_cents=2_998, estimated=True),
        Told("12", "top message", None, None, None, 2, revenue_cents=2_850),
    ]
    window = "startDate=2026-01-05+11%3A58%3A00&endDate=2026-01-05+12%3A02%3A00"
    assert read == [
        f"GET {PATHS['engagement']}?limit=10&{window}",
        f"GET {PATHS['top']}?startDate=2026-01-05+12%3A00%3A00&endDate=2026-01-05+12%3A00%3A01",
    ]


def test_a_free_one_needs_one_read(client: Client) -> None:
    found, read = told(client, [FREE], engagement=page(ITEM | {"isFree": True}))
    assert found == [Told("12", "engagement", None, 150, 40, revenue_cents=0)]
    assert len(read) == 1


def test_what_nobody_bought_has_no_top(client: Client) -> None:
    found, read = told(client, [PAID], engagement=page(ITEM | {"purchasedCount": 0}))
    assert [(one.purchases, one.revenue_cents, one.estimated) for one in found] == [(0, 0, False)]
    assert len(read) == 1


def test_purchases_of_the_single_message_where_engagement_has_none(client: Client) -> None:
    single = {"data": {"success": True, "queue": ITEM | {"price": "5.00", "purchasedCount": 3}}}
    found, read = told(client, [PAID], engagement=page(ITEM), single=single)
    assert [(one.source, one.purchases, one.revenue_cents, one.estimated) for one in found] == [
        ("engagement", None, None, False),
        ("message", 3, 1_500, True),
    ]
    assert read[1:] == [f"GET {PATHS['single']}", f"GET {PATHS['top']}?{read[2].partition('?')[2]}"]


@pytest.mark.parametrize("engagement", [page(), Reply(404, {"error": "x"}), Reply(403, {"error": "x"})])
def test_the_overview_where_engagement_lacks_it(client: Client, engagement: Any) -> None:
    found, _ = told(client, [FREE], engagement=engagement, overview=page(ITEM))
    assert [(one.source, one.recipients, one.views) for one in found] == [("overview", 150, 40)]


def test_the_single_message_where_neither_has_it(client: Client) -> None:
    found, _ = told(client, [FREE], engagement=page(), overview=page(), single={"data": {"queue": ITEM}})
    assert [(one.source, one.recipients) for one in found] == [("message", 150)]


@pytest.mark.parametrize("single", [{"data": {"queue": ITEM | {"id": 13}}}, Reply(404, {"error": "x"})])
def test_nothing_where_nobody_knows_it(client: Client, single: Any) -> None:
    found, _ = told(client, [FREE], single=single)
    assert found == []


def test_progress_of_what_is_new_is_the_queues(client: Client) -> None:
    new = Sent("12", clock.now() - timedelta(hours=23), "Hi", None)
    queued = {"id": 12, "isDone": False, "pending": 10, "total": 150}
    found, read = told(client, [new], queue={"data": [{"id": 11}, queued]}, engagement=page(), overview=page())
    assert found == [Told("12", "queue", "delivering", 150)]
    assert read[0] == f"GET {QUEUE}"


def test_a_queue_that_cannot_be_read_does_not_hide_the_figures(client: Client) -> None:
    new = Sent("12", clock.now(), "Hi", None)
    cached = {"data": [], "_meta": {"_cache": {"is_cached": True}}}
    for queue in (cached, Reply(404, {"error": "x"})):
        found, _ = told(client, [new], queue=queue, engagement=page(ITEM))
        assert [one.source for one in found] == ["engagement"]


@pytest.mark.parametrize(
    ("body", "revenue"),
    [
        (top(), 2_998),
        (top(totalRevenueGenerated=29.98), 2_998),
        (top(totalRevenueGenerated="$1,029.98"), 102_998),
        ({"data": {"purchases": ITEM | {"totalRevenueGenerated": "29.98"}}}, 2_998),
        (top(id=99), 2_998),
        (top(id=99, text="Other"), None),
        (top(id=99, date="2026-01-05T13:00:00Z"), None),
        (top(purchasedCount=1), None),
        ({"data": {"purchases": None}}, None),
        ({"data": []}, None),
        (Reply(404, {"error": "x"}), None),
        (Reply(403, {"error": "x"}), None),
    ],
)
def test_the_exact_sum_in_each_form(client: Client, body: Any, revenue: int | None) -> None:
    """Of another message, or of fewer purchases than are known, it is not the sum of this one."""
    rows = page(ITEM | {"price": "14.99", "purchasedCount": 2})
    found, _ = told(client, [PAID], engagement=rows, top=body)
    exact = [one.revenue_cents for one in found if one.source == "top message"]
    assert exact == ([] if revenue is None else [revenue])


def test_a_top_that_is_not_served_is_asked_for_once(client: Client) -> None:
    rows = page(*(ITEM | {"id": number, "purchasedCount": 2} for number in range(3)))
    _, read = told(client, [Sent(str(number), NOON, "Hi", 500) for number in range(3)], engagement=rows)
    assert len([path for path in read if "top-message" in path]) == 1


def statistics(seen: Seen, named: bool) -> Any:
    rows = [ITEM | {"id": number, "date": clock.rfc3339(NOON - timedelta(minutes=number))} for number in range(25)]
    if cursor := asked(seen).get("cursor"):
        start = int(cursor)
    else:
        end = asked(seen).get("endDate", "9").replace(" ", "T")
        start = next(at for at, row in enumerate(rows) if str(row["date"]) <= end + "Z")
    more = start + 10 < 25
    there = f"http://{seen.headers['host']}{PATHS['engagement']}?limit=10&cursor={start + 10}"
    following = {"_pagination": {"next_page": there if more else None}} if named else {}
    return page(*rows[start : start + 10], more=more) | following


@pytest.mark.parametrize("named", [True, False])
def test_many_at_once_in_few_reads(client: Client, named: bool) -> None:
    """By the page that the answer names, or by an earlier end."""
    sent = [Sent(str(number), NOON - timedelta(minutes=number), "Hi", None) for number in range(25)]
    found, read = told(client, sent, engagement=lambda seen: statistics(seen, named))
    assert sorted(int(one.message_id) for one in found) == list(range(25))
    assert len(read) == 3
    assert ("cursor" in read[1]) is named


def test_old_ones_are_asked_for_apart(client: Client) -> None:
    far = Sent("13", NOON - timedelta(days=9), "Ho", None)
    _, read = told(client, [PAID, far], engagement=page(ITEM, ITEM | {"id": 13}), single=page())
    starts = [path for path in read if "engagement/messages/mass" in path]
    assert ["2025-12-27" in path for path in starts] == [True, False]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": SECRET}), Unauthorized),
        (Reply(429, {"error": "slow"}), Throttled),
        (Reply(500, {"message": "Server Error"}), Unreachable),
        (Reply(200, {"data": {"success": True}}), Unreadable),
    ],
)
def test_statistics_that_cannot_be_had(client: Client, reply: Reply, kind: type[PlatformError]) -> None:
    with pytest.raises(kind) as error:
        told(client, [PAID], engagement=reply)
    assert SECRET not in str(error.value)


def bought(client: Client, **routes: Any) -> tuple[list[Buyer], list[str]]:
    with routed({f"GET {PATHS[name]}": said for name, said in routes.items()}) as platform:
        return list(API.results.buyers(client, account(platform), PAID)), calls(platform)


FAN = {"id": 7, "username": "u7", "name": "Fan", "displayName": "Fan 7"}


def test_buyers_by_marker_under_the_id_of_the_statistics(client: Client) -> None:
    def listed(seen: Seen) -> Any:
        last = "marker" in asked(seen)
        return {"data": {"list": [{"id": 8}] if last else [FAN], "hasMore": not last, "marker": None if last else 5}}

    found, read = bought(client, engagement=page(ITEM | {"id": 99, "price": "14.99"}), others=listed)
    assert found == [Buyer("7", "Fan 7"), Buyer("8")]
    assert read[1:] == [
        f"GET {PATHS['others']}?limit=10&skip_users_dups=1&offset=0",
        f"GET {PATHS['others']}?limit=10&skip_users_dups=1&marker=5",
    ]


def test_buyers_under_its_own_id_by_offset(client: Client) -> None:
    def listed(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return {"data": {"list": [{"id": start + 1}], "hasMore": start < 2}}

    found, _ = bought(client, buyers=listed)
    assert [one.fan for one in found] == ["1", "2", "3"]


META = {"_meta": {"_credits": {"used": 1, "balance": 967, "note": "Always"}}}


@pytest.mark.parametrize(
    ("headers", "body", "credits_"),
    [
        ({"X-OFAPI-Credits-Used": "1", "x-ofapi-credits-balance": "967"}, b"{", Credits(1, 967)),
        ({"x-ofapi-credits-balance": "0"}, b"", Credits(None, 0)),
        ({}, META, Credits(1, 967)),
        ({"x-ofapi-credits-used": "many"}, META, Credits(1, 967)),
        ({}, {"_meta": {"_credits": {"balance": 5}}}, Credits(None, 5)),
        ({}, {"_meta": {"_credits": None}}, None),
        ({}, {"data": []}, None),
        ({}, b"<h1>_credits", None),
    ],
)
def test_credits(headers: dict[str, str], body: Any, credits_: Credits | None) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert API.results.credits(Answer(200, Headers(headers), raw, complete=True)) == credits_
