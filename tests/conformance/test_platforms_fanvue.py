"""Fanvue beside sending, over real HTTP: lists and their members, media, its scheduler, recalls and results."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carillon import clock
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, AudienceList, Content, ListRef, Request, Shown
from carillon.platforms.errors import PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.fanvue.adapter import Fanvue
from carillon.platforms.parts import Member, Rates, Sent, Told
from standins import Reply, Seen, StandIn

SECRET = "sk_live_5ecret"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FANVUE = Fanvue()
SMART = ListRef(kind="smart", value="subscribers")
VIP = ListRef(kind="custom", value="7f0c/1")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def own(platform: StandIn) -> Account:
    return Account(platform.url, None, SECRET)


def asked(seen: Seen) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(seen.path).query).items()}


def always(body: Any) -> StandIn:
    return StandIn(lambda _: Reply(200, body))


def written(request: Request | None) -> tuple[str, str, Mapping[str, object] | None]:
    """And that it says who is asking, and how."""
    assert request is not None
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["X-Fanvue-API-Version"] == "2025-06-26"
    assert ("Content-Type" in request.headers) == (request.json is not None)
    return request.method, request.url.removeprefix("https://api.fanvue.com"), request.json


OWN = Account(FANVUE.url, None, SECRET)
MANAGED = Account(FANVUE.url, "c/1", SECRET)


def test_its_general_rate_is_that_of_each_creator() -> None:
    assert FANVUE.rates == Rates(reads=200, writes=None, burst=None, by="account")


# Lists

MEMBER = {"uuid": "f1", "displayName": "Ana", "handle": "ana", "isCreator": False, "new": {"x": 1}}


@pytest.mark.parametrize(
    ("account", "ref", "path"),
    [
        (None, SMART, "/chats/lists/smart/subscribers?page=1&size=50"),
        (None, VIP, "/chats/lists/custom/7f0c%2F1?page=1&size=50"),
        ("c/1", VIP, "/creators/c%2F1/chats/lists/custom/7f0c%2F1?page=1&size=50"),
    ],
)
def test_members(client: Client, account: str | None, ref: ListRef, path: str) -> None:
    page = {"data": [MEMBER, {"uuid": "f2"}, {"uuid": "f3", "handle": None}], "pagination": {"hasMore": False}}
    with always(page) as platform:
        found = list(FANVUE.audience.members(client, Account(platform.url, account, SECRET), ref))
    assert found == [Member("f1", "ana", "Ana"), Member("f2"), Member("f3")]
    (seen,) = platform.seen
    assert (seen.method, seen.path, platform.faults) == ("GET", path, [])


def test_making_a_list_and_filling_it() -> None:
    made = FANVUE.audience.create(OWN, "VIP")
    assert written(made) == ("POST", "/chats/lists/custom", {"name": "VIP"})
    added = FANVUE.audience.add(OWN, "7f0c/1", ["f1", "f2"])
    assert written(added) == ("POST", "/chats/lists/custom/7f0c%2F1/members", {"userUuids": ["f1", "f2"]})
    assert FANVUE.audience.fans_at_once == 100


def test_an_agency_makes_and_fills_none() -> None:
    assert FANVUE.audience.create(MANAGED, "VIP") is None
    assert FANVUE.audience.add(MANAGED, "7f0c", ["f1"]) is None


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"uuid": "7f0c", "name": "VIP", "createdAt": "2026-01-05T12:00:00Z"}, "VIP"),
        ({"id": "7f0c"}, "7f0c"),
        ({"data": {"uuid": "7f0c", "name": None}}, "7f0c"),
    ],
)
def test_a_list_that_was_made(body: dict[str, Any], name: str) -> None:
    assert FANVUE.audience.created(body) == AudienceList("custom", "7f0c", name, None)


@pytest.mark.parametrize("body", [{}, {"name": "VIP"}, {"data": {}}])
def test_a_list_that_is_not_named(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="did not say which"):
        FANVUE.audience.created(body)


# Media


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (
            {"mediaType": "image", "name": "Beach", "status": "ready", "createdAt": "2026-01-05T12:00:00.000Z"},
            ("image", "Beach", "ready", NOON),
        ),
        ({"mediaType": "video", "filename": "a.mp4", "status": "FINALISED"}, ("video", "a.mp4", "ready", None)),
        ({"status": "created", "name": None}, (None, None, "processing", None)),
        ({"status": "error", "createdAt": "soon"}, (None, None, "broken", None)),
        ({"status": 7, "url": "https://signed", "purchasedBy": []}, (None, None, "unknown", None)),
        ({}, (None, None, "unknown", None)),
    ],
)
def test_a_medium(client: Client, item: dict[str, Any], shown: tuple[Any, ...]) -> None:
    with always({"data": [{"uuid": "m1", **item}], "pagination": {"hasMore": False}}) as platform:
        (found,) = FANVUE.library.media(client, own(platform))
    assert (found.kind, found.name, found.state, found.created_at) == shown
    assert found.id == "m1"
    assert [seen.path for seen in platform.seen] == ["/media?page=1&size=50"]


# Its scheduler

WHOLE = Content(
    include=(SMART, ListRef(kind="custom", value="u1")),
    exclude=(ListRef(kind="custom", value="u2"),),
    text="Hi",
    media=("m1", "m2"),
    price_cents=999,
)
BARE = Content(include=(SMART,), text="Hi")
PHOTO = Content(include=(VIP,), media=("m1",))


def test_a_message_is_placed_as_it_is_sent_with_its_time() -> None:
    calendar = FANVUE.calendar
    assert calendar is not None
    for account in (OWN, MANAGED):
        method, path, body = written(calendar.place(account, WHOLE, NOON + timedelta(microseconds=7)))
        sent = FANVUE.request(account, WHOLE)
        assert (method, path, body) == (
            "POST",
            sent.url.removeprefix(FANVUE.url),
            {**(sent.json or {}), "scheduledAt": "2026-01-05T12:00:00Z"},
        )


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (
            WHOLE,
            {
                "includedLists": {"smartListUuids": ["subscribers"], "customListUuids": ["u1"]},
                "excludedLists": {"customListUuids": ["u2"]},
                "text": "Hi",
                "mediaUuids": ["m1", "m2"],
                "price": 999,
            },
        ),
        (
            BARE,
            {
                "includedLists": {"smartListUuids": ["subscribers"]},
                "excludedLists": {"smartListUuids": [], "customListUuids": []},
                "text": "Hi",
                "mediaUuids": [],
                "price": None,
            },
        ),
        (
            PHOTO,
            {
                "includedLists": {"customListUuids": ["7f0c/1"]},
                "excludedLists": {"smartListUuids": [], "customListUuids": []},
                "text": "",
                "mediaUuids": ["m1"],
                "price": None,
            },
        ),
    ],
)
def test_a_change_says_all_so_that_nothing_old_stays(content: Content, body: dict[str, Any]) -> None:
    calendar = FANVUE.calendar
    assert calendar is not None
    change = calendar.replace(MANAGED, "mm/1", content, NOON)
    assert written(change) == (
        "PATCH",
        "/creators/c%2F1/chats/mass-messages/mm%2F1",
        {**body, "scheduledAt": "2026-01-05T12:00:00Z"},
    )


def test_a_change_over_the_wire(client: Client) -> None:
    """Null and empty arrays arrive."""
    calendar = FANVUE.calendar
    assert calendar is not None
    with StandIn(lambda _: Reply(204)) as platform:
        change = calendar.replace(own(platform), "mm-1", BARE, NOON)
        assert change is not None
        assert client.write(change).status == 204
    (seen,) = platform.seen
    assert seen.method == "PATCH"
    assert seen.json() == change.json
    assert seen.headers["content-type"] == "application/json"


def test_withdrawing(client: Client) -> None:
    recall = FANVUE.recall
    assert recall is not None
    assert written(recall.withdraw(MANAGED, "mm/1")) == ("DELETE", "/creators/c%2F1/chats/mass-messages/mm%2F1", None)
    with StandIn(lambda _: Reply(204)) as platform:
        assert client.write(recall.withdraw(own(platform), "mm-1")).status == 204
    (seen,) = platform.seen
    assert (seen.method, seen.path, seen.body, platform.faults) == ("DELETE", "/chats/mass-messages/mm-1", b"", [])


def test_what_may_be_withdrawn() -> None:
    recall = FANVUE.recall
    assert recall is not None
    for delivery in ("accepted", "delivering", "done", "error"):
        assert recall.recallable(Shown("mm-1", delivery=delivery), NOON, NOON + 1_000 * HOUR) is None
    assert recall.recallable(Shown("mm-1", delivery="cancelled"), NOON, NOON) == "it was withdrawn already"


def item(number: int, minutes_ago: int = 0, **more: Any) -> dict[str, Any]:
    made = clock.rfc3339(NOON - timedelta(minutes=minutes_ago))
    return {"uuid": f"mm-{number}", "text": "Hi", "status": "SENT", "createdAt": made} | more


def paging(items: list[dict[str, Any]], size: int = 2) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        assert asked(seen).get("includeDeleted", "true") == "true"
        start = (int(asked(seen)["page"]) - 1) * size
        more = start + size < len(items)
        return Reply(200, {"data": items[start : start + size], "pagination": {"hasMore": more}})

    return answer


def looked(client: Client, items: list[dict[str, Any]], since: datetime, number: int = 1) -> tuple[Shown | None, int]:
    calendar = FANVUE.calendar
    assert calendar is not None
    with StandIn(paging(items)) as platform:
        return calendar.look(client, own(platform), f"mm-{number}", since), len(platform.seen)


LATER = clock.rfc3339(NOON + HOUR)
SCHEDULED = {"status": "SCHEDULED", "publishedAt": None, "scheduledAt": LATER}


@pytest.mark.parametrize(
    ("told", "delivery", "scheduled_at"),
    [
        (SCHEDULED, "accepted", NOON + HOUR),
        (SCHEDULED | {"createdAt": None}, "accepted", NOON + HOUR),
        (SCHEDULED | {"status": "scheduled"}, "accepted", NOON + HOUR),
        (SCHEDULED | {"scheduledAt": "2026-01-05T14:00:00+01:00"}, "accepted", NOON + HOUR),
        (SCHEDULED | {"status": None}, "accepted", NOON + HOUR),
        ({"status": "SENDING", "scheduledAt": LATER}, "delivering", None),
        ({"status": "SENT", "scheduledAt": LATER, "publishedAt": LATER}, "done", None),
        ({"status": "UNSENT", "scheduledAt": LATER}, "cancelled", None),
        ({"status": "FAILED", "scheduledAt": LATER}, "error", None),
        ({"status": None, "scheduledAt": LATER, "publishedAt": LATER}, "accepted", None),
    ],
)
def test_what_was_placed(client: Client, told: dict[str, Any], delivery: str, scheduled_at: datetime | None) -> None:
    found, _ = looked(client, [item(9), item(1, **told)], NOON - HOUR)
    assert found is not None
    assert (found.id, found.delivery, found.scheduled_at, found.text) == ("mm-1", delivery, scheduled_at, "Hi")


def test_no_further_than_it_is_found(client: Client) -> None:
    items = [item(number, minutes_ago=number) for number in range(20)]
    assert looked(client, items, NOON - HOUR, 5)[1] == 3


def test_no_further_than_it_can_be(client: Client) -> None:
    """A day more than it is old: its clock may be another."""
    days = 24 * 60
    items = [item(number, minutes_ago=number * days) for number in range(20)]
    assert looked(client, items, NOON - HOUR, 99) == (None, 2)
    assert looked(client, items[::-1], NOON - HOUR, 99) == (None, 10)  # oldest first: to the end
    undated = [one | {"createdAt": None} for one in items]
    assert looked(client, undated, NOON - HOUR, 99) == (None, 10)


def test_one_that_seems_older_than_it_is_is_found(client: Client) -> None:
    found, _ = looked(client, [item(9), item(1, minutes_ago=600)], NOON - HOUR)
    assert found is not None


SAME = {"data": [item(9), item(8)]}


@pytest.mark.parametrize(
    "body",
    [SAME, SAME | {"hasMore": True}, {"data": [item(9), {"text": "Hi"}]}, {"data": ["noise"]}, {"data": "x"}, {}],
    ids=str,
)
def test_a_list_that_may_hide_it_is_no_answer(client: Client, body: Any) -> None:
    calendar = FANVUE.calendar
    assert calendar is not None
    with always(body) as platform, pytest.raises(Unreadable):
        calendar.look(client, own(platform), "mm-1", NOON)


def test_minutes_must_be_left_to_place_it() -> None:
    calendar = FANVUE.calendar
    assert calendar is not None
    assert timedelta(minutes=1) <= calendar.least_ahead <= timedelta(minutes=5)


# Results

STATISTICS = {"recipientCount": 847, "viewCount": 12, "purchaseCount": 3, "totalRevenue": 2_997}


def sent(*numbers: int, at: datetime = NOON) -> list[Sent]:
    return [Sent(f"mm-{number}", at, "Hi", 999) for number in numbers]


def told(client: Client, answer: Callable[[Seen], Reply], asked_for: list[Sent]) -> list[Told]:
    with StandIn(answer) as platform:
        return list(FANVUE.results.told(client, own(platform), asked_for))


def serving(items: list[dict[str, Any]], earnings: Reply | Callable[[Seen], Reply]) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        if not seen.path.startswith("/insights/earnings?"):
            return paging(items)(seen)
        return earnings if isinstance(earnings, Reply) else earnings(seen)

    return answer


NO_INSIGHTS = Reply(403, {"error": "scope read:insights is missing"})


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        (STATISTICS, (847, 12, 3, 2_997)),
        ({key: float(value) for key, value in STATISTICS.items()}, (847, 12, 3, 2_997)),
        ({"stats": STATISTICS, "new": 1}, (847, 12, 3, 2_997)),
        ({"statistics": {"recipients": 1, "views": 2, "purchases": 3, "revenue": 4}}, (1, 2, 3, 4)),
        ({"recipientCount": 0, "viewCount": 0, "purchaseCount": 0, "totalRevenue": 0}, (0, 0, 0, 0)),
        ({"recipientCount": None, "viewCount": "many", "purchaseCount": -1}, (None, None, None, None)),
        ({}, (None, None, None, None)),
        (STATISTICS | SCHEDULED, (None, None, None, None)),
        (STATISTICS | {"status": "UNSENT", "viewCount": 0}, (847, None, 3, 2_997)),
    ],
)
def test_statistics_of_the_list(client: Client, change: dict[str, Any], figures: tuple[int | None, ...]) -> None:
    (found,) = told(client, serving([item(1, **change)], NO_INSIGHTS), sent(1))
    assert (found.recipients, found.views, found.purchases, found.revenue_cents) == figures
    assert (found.message_id, found.source, found.estimated) == ("mm-1", "mass_messages", False)


def test_what_became_of_its_delivery(client: Client) -> None:
    words = {"SENT": "done", "SENDING": "delivering", "UNSENT": "cancelled", "FAILED": "error", "MODERATED": "error"}
    items = [item(number, status=word) for number, word in enumerate(words)]
    found = told(client, serving(items, NO_INSIGHTS), sent(*range(len(words))))
    assert [one.delivery for one in found] == list(words.values())


@pytest.mark.parametrize(("asked_for", "reads"), [((5, 0, 3), 3), ((5, 0, 3, 99), 10)])
def test_one_walk_for_all_that_are_asked_about(client: Client, asked_for: tuple[int, ...], reads: int) -> None:
    """No further than the last of them."""
    items = [item(number, minutes_ago=number) for number in range(20)]
    with StandIn(serving(items, NO_INSIGHTS)) as platform:
        found = list(FANVUE.results.told(client, own(platform), sent(*asked_for)))
    assert [one.message_id for one in found] == ["mm-0", "mm-3", "mm-5"]
    assert len([seen for seen in platform.seen if "mass-messages" in seen.path]) == reads


def test_nothing_is_read_for_nothing(client: Client) -> None:
    with always({}) as platform:
        assert list(FANVUE.results.told(client, own(platform), [])) == []
    assert platform.seen == []


def row(message: str | None, gross: Any, **more: Any) -> dict[str, Any]:
    return {"date": "2026-01-05", "gross": gross, "net": 1, "currency": "USD", "source": "message"} | {
        "user": None,
        "messageUuid": message,
        **more,
    }


@pytest.mark.parametrize(
    ("rows", "figures"),
    [
        ([row("mm-1", 999), row("mm-1", 999.0, currency=None), row("other", 5), row(None, 5)], [(2, 1_998)]),
        ([row("mm-1", 999), row("mm-1", -999, source="refund"), row("mm-1", 999)], [(2, 999)]),
        ([row("mm-1", 999), row("mm-1", 500, source="tip")], [(1, 999)]),
        ([row("mm-1", 999), row("mm-1", 999, currency="EUR")], []),
        ([row("mm-1", 999), row("mm-1", "9.99")], []),
        ([row("other", 999)], []),
        ([{"date": "2026-01-05", "gross": 999, "net": 800, "source": "message"}], []),
        ([], []),
    ],
)
def test_earnings_that_name_a_message(client: Client, rows: list[dict[str, Any]], figures: list[Any]) -> None:
    found = told(client, serving([item(1)], Reply(200, {"data": rows, "nextCursor": None})), sent(1))
    assert [(one.purchases, one.revenue_cents) for one in found if one.source == "earnings"] == figures


def test_earnings_are_read_from_that_day_on_to_the_end(client: Client) -> None:
    queries: list[dict[str, str]] = []

    def earnings(seen: Seen) -> Reply:
        queries.append(asked(seen))
        start = int(queries[-1].get("cursor", "at/0").removeprefix("at/"))
        after = f"at/{start + 2}" if start + 2 < 7 else None
        return Reply(200, {"data": [row("mm-1", 100)] * (2 if after else 1), "nextCursor": after})

    found = told(client, serving([item(1)], earnings), sent(1, at=NOON + timedelta(hours=3)) + sent(2))
    assert [one.revenue_cents for one in found if one.source == "earnings"] == [700]
    since = {"startDate": "2026-01-05T00:00:00Z", "size": "50"}
    assert queries == [since, *(since | {"cursor": f"at/{at}"} for at in (2, 4, 6))]


def test_one_page_tells_that_earnings_name_no_message(client: Client) -> None:
    def earnings(_: Seen) -> Reply:
        return Reply(200, {"data": [{"date": "2026-01-05", "gross": 999}], "nextCursor": "more"})

    with StandIn(serving([item(1)], earnings)) as platform:
        assert len(list(FANVUE.results.told(client, own(platform), sent(1)))) == 1
    assert len([seen for seen in platform.seen if "earnings" in seen.path]) == 1


def test_too_many_earnings_tell_nothing(client: Client) -> None:
    """What is told of a part of them would be too little."""
    numbers = itertools.count()

    def earnings(_: Seen) -> Reply:
        return Reply(200, {"data": [row("mm-1", 100)], "nextCursor": str(next(numbers))})

    found = told(client, serving([item(1)], earnings), sent(1))
    assert [one.source for one in found] == ["mass_messages"]
    assert next(numbers) == 100


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": f"bad {SECRET}"}), Unauthorized),
        (Reply(429, {}, {"Retry-After": "7"}), Throttled),
        (Reply(500, {}), Unreachable),
        (Reply(403, {}), None),
        (Reply(404, {}), None),
        (Reply(200, {"data": "x"}), None),
    ],
)
def test_earnings_that_cannot_be_read(client: Client, reply: Reply, kind: type[PlatformError] | None) -> None:
    """What the account may not see is nothing; what may be seen the next time is said so. The list was told already."""
    found = []
    with StandIn(serving([item(1, **STATISTICS)], reply)) as platform:
        telling = FANVUE.results.told(client, own(platform), sent(1))
        found.append(next(telling))
        if kind is None:
            assert list(telling) == []
        else:
            with pytest.raises(kind):
                list(telling)
    assert found[0].revenue_cents == 2_997


def test_nobody_who_bought_is_named_and_no_credits_are_counted(client: Client) -> None:
    with always({}) as platform:
        (message,) = sent(1)
        assert list(FANVUE.results.buyers(client, own(platform), message)) == []
        answer = client.get(FANVUE.request(own(platform), BARE))
        assert FANVUE.results.credits(answer) is None
