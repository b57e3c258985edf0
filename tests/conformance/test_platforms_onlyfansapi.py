"""OnlyFansAPI beside sending: its lists and its scheduler, in each shape that its documents know."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account, AudienceList, Content, ListRef, Shown, TagUsers
from carillon.platforms.errors import PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI
from carillon.platforms.onlyfansapi.calendar import OnlyFansAPICalendar, OnlyFansAPIRecall
from carillon.platforms.parts import Member, Rates
from carillon.platforms.writing import written
from routes import Said, asked, calls, routed
from standins import Reply, Seen, StandIn

SECRET = "ofapi_5ecret_key"
API = OnlyFansAPI()
CALENDAR, RECALL = OnlyFansAPICalendar(), OnlyFansAPIRecall()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
AHEAD = datetime(2099, 12, 31, 23, 59, tzinfo=UTC)
VIP = ListRef(kind="custom", value="7")
AT = "/api/a%2F1"
USERS = f"GET {AT}/user-lists/7/users"
QUEUE = f"{AT}/mass-messaging"
META = {"_credits": {"used": 1, "balance": 9}, "_cache": {"is_cached": False}}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "a/1", SECRET)


AWAY = Account("https://app.onlyfansapi.com", "a/1", SECRET)
HERE = "https://app.onlyfansapi.com/api/a%2F1"


def fans(start: int, count: int) -> list[dict[str, Any]]:
    return [{"id": fan, "username": f"u{fan}", "displayName": f"Fan {fan}"} for fan in range(start, start + count)]


def members(client: Client, platform: StandIn, ref: ListRef = VIP) -> Iterator[Member]:
    return API.audience.members(client, account(platform), ref)


def ids(client: Client, routes: Any) -> list[str]:
    with routed({USERS: routes}) as platform:
        return [one.id for one in members(client, platform)]


def test_the_rate_and_the_key(client: Client) -> None:
    assert API.rates == Rates(reads=1_000, writes=None, burst=None, by="key")
    with routed({f"GET {AT}/user-lists/fans/users": {"data": {"list": fans(5, 1), "hasMore": False}}}) as platform:
        found = list(members(client, platform, ListRef(kind="smart", value="fans")))
    assert found == [Member("5", "u5", "Fan 5")]
    (seen,) = platform.seen
    assert seen.path == f"{AT}/user-lists/fans/users?limit=50&offset=0"
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert platform.faults == []


ENDS: dict[str, Any] = {
    "hasMore": lambda rows, more, _: {"data": {"list": rows, "hasMore": more}, "_meta": META},
    "nextOffset": lambda rows, more, end: {"data": {"list": rows, "hasMore": more, "nextOffset": end}},
    "a bare array": lambda rows, _, __: {"data": rows, "_meta": META},
    "next_page null": lambda rows, more, _: {"data": rows, "_pagination": {"next_page": "x" if more else None}},
    "next_page null in _meta": lambda rows, more, _: {
        "data": {"list": rows},
        "_meta": {"_pagination": {"next_page": "x" if more else None}},
    },
    "not wrapped": lambda rows, more, _: {"list": rows, "hasMore": more},
}


@pytest.mark.parametrize("shape", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("size", [50, 20])
def test_members_to_the_end(client: Client, shape: Any, size: int) -> None:
    everything = fans(1, 105)

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return shape(everything[start : start + size], start + size < 105, start + size)

    assert ids(client, page) == [str(number) for number in range(1, 106)]


@pytest.mark.parametrize("place", [lambda page: {"_pagination": page}, lambda page: {"_meta": {"_pagination": page}}])
def test_a_next_page_is_followed_where_the_last_one_was(client: Client, place: Any) -> None:
    def page(seen: Seen) -> Any:
        number = int(asked(seen).get("cursor", 1))
        host = f"http://{seen.headers['host']}"
        there = f"{host}{AT}/user-lists/7/users?limit=50&cursor={number + 1}" if number < 3 else None
        return {"data": {"list": fans(number * 10, 2)}} | place({"next_page": there})

    assert ids(client, page) == ["10", "11", "20", "21", "30", "31"]


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example/api/a%2F1/user-lists/7/users?offset=50",
        "http://127.0.0.1:1/api/a%2F1/user-lists/7/users?offset=50",
        "{host}/api/other/user-lists/7/users?offset=50",
        "{host}@evil.example/api/a%2F1/user-lists/7/users",
        "//evil.example/",
        "7",
    ],
)
def test_a_next_page_elsewhere_is_not(client: Client, there: str) -> None:
    """The key goes to no other host, and to no other account; the list is read on by its offset."""

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        told = there.format(host=f"http://{seen.headers['host']}") if start == 0 else None
        return {"data": {"list": fans(start, 2)}, "_pagination": {"next_page": told}}

    with routed({USERS: page}) as platform:
        assert [one.id for one in members(client, platform)] == ["0", "1", "2", "3"]
    assert [asked(seen)["offset"] for seen in platform.seen] == ["0", "2"]


@pytest.mark.parametrize("place", [lambda page: {"_pagination": page}, lambda page: {"_meta": {"_pagination": page}}])
def test_lists_go_on_while_a_next_page_is_named(client: Client, place: Any) -> None:
    """Also if a page is shorter than what was asked for."""

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        rows = [{"id": start + at, "name": "x"} for at in (1, 2)]
        return {"data": rows} | place({"next_page": "more" if start < 4 else None})

    with routed({f"GET {AT}/user-lists": page}) as platform:
        assert [one.id for one in API.lists(client, account(platform))] == ["1", "2", "3", "4", "5", "6"]


def test_members_are_read_as_they_are_wanted(client: Client) -> None:
    with routed({USERS: lambda seen: {"data": fans(int(asked(seen)["offset"]), 50)}}) as platform:
        assert len(list(itertools.islice(members(client, platform), 75))) == 75
        assert len(platform.seen) == 2


FAILED: dict[str, tuple[Reply, type[PlatformError]]] = {
    "401": (Reply(401, {"error": f"key {SECRET}"}), Unauthorized),
    "429": (Reply(429, {"error": "ONLYFANS_COM_RATE_LIMIT_ERROR"}), Throttled),
    "wrapped 429": (Reply(500, {"error": "x", "onlyfans_response": {"status": 429}}), Throttled),
    "a built-in list that is not there": (Reply(404, {"error": "ONLYFANS_COM_ERROR"}), Unreadable),
    "edge": (Reply(524, "<h1>", {"Content-Type": "text/html"}), Unreachable),
    "no members": (Reply(200, {"data": {"success": True}}), Unreadable),
}


@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_members_that_cannot_be_had(client: Client, case: tuple[Reply, type[PlatformError]]) -> None:
    with routed({}, nothing=case[0]) as platform, pytest.raises(case[1]) as error:
        list(members(client, platform))
    assert SECRET not in str(error.value)


def test_a_list_is_made_and_filled(client: Client) -> None:
    made: Said = {"data": {"id": 1234567890, "type": "custom", "name": "VIP", "usersCount": 0}, "_meta": META}
    added: Said = {"data": {"1234567890": [1, 2]}, "_meta": META}
    routes = {f"POST {AT}/user-lists": made, f"POST {AT}/user-lists/1234567890/users": added}
    with routed(routes) as platform:
        create = API.audience.create(account(platform), "VIP")
        add = API.audience.add(account(platform), "1234567890", ["1", "2"])
        assert create is not None
        assert add is not None
        assert API.audience.created(written(client.write(create), SECRET)) == AudienceList(
            "custom", "1234567890", "VIP", 0
        )
        written(client.write(add), SECRET)
    assert [seen.json() for seen in platform.seen] == [{"name": "VIP"}, {"ids": ["1", "2"]}]
    assert (platform.faults, API.audience.fans_at_once) == ([], 100)


PAID = Content(text="Hi", include=(VIP,), media=("12345", "9"), price_cents=1_499, preview_media=1)
SAID: dict[str, Any] = {
    "text": "Hi",
    "userLists": ["7"],
    "mediaFiles": ["12345", "9"],
    "previews": ["12345"],
    "price": 14.99,
    "scheduledDate": "2099-12-31T23:59:00Z",
}


def test_a_broadcast_is_placed() -> None:
    request = CALENDAR.place(AWAY, PAID, AHEAD)
    assert (request.method, request.url, request.json) == ("POST", f"{HERE}/mass-messaging", SAID)


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (PAID, SAID | {"lockedText": False}),
        (
            Content(text="Hi", include=(VIP,), media=("12345",)),
            {
                "text": "Hi",
                "userLists": ["7"],
                "mediaFiles": ["12345"],
                "lockedText": False,
                "price": 0,
                "scheduledDate": "2099-12-31T23:59:00Z",
            },
        ),
        (
            Content(text="Hi", users=("1",), giphy="g"),
            {
                "text": "Hi",
                "userIds": ["1"],
                "giphyId": "g",
                "lockedText": False,
                "scheduledDate": "2099-12-31T23:59:00Z",
            },
        ),
    ],
)
def test_an_edit_says_everything_anew(content: Content, body: dict[str, Any]) -> None:
    request = CALENDAR.replace(AWAY, "12/3", content, AHEAD)
    assert request is not None
    assert (request.method, request.url) == ("PUT", f"{HERE}/mass-messaging/12%2F3")
    assert request.json == body


@pytest.mark.parametrize(
    "content",
    [
        Content(text="Hi", include=(VIP,), exclude=(VIP,)),
        Content(text="Hi", include=(VIP,), tag_users=TagUsers(creators=("1",))),
        Content(text="Hi", include=(VIP,), save_for_later=False),
        Content(text="Hi", include=(VIP,), media=("1",), preview_media=("2",)),
        Content(text="Hi", include=(VIP,), media=("ofapi_media_abc",)),
    ],
)
def test_what_an_update_cannot_say_is_deleted_and_made_anew(content: Content) -> None:
    assert CALENDAR.replace(AWAY, "12", content, AHEAD) is None


def test_a_withdrawal() -> None:
    request = RECALL.withdraw(AWAY, "12/3")
    assert (request.method, request.url, request.json) == ("DELETE", f"{HERE}/mass-messaging/12%2F3", None)


QUEUED = {"id": 12, "date": "2099-12-31T23:59:00+00:00", "isDone": False, "total": -1, "canUnsend": True}
SINGLE = {"id": 12, "date": "2099-12-31T23:59:00+00:00", "text": "<p>Hi</p>", "price": "5.00", "sentCount": 0}
GONE = Reply(404, {"error": "ONLYFANS_COM_ERROR", "onlyfans_response": {"status": 404}})
OVERVIEW = f"GET {QUEUE}/overview"


def look(client: Client, queue: Any, single: Any, overview: Any = GONE) -> tuple[Shown | None, list[str]]:
    routes = {f"GET {QUEUE}": queue, f"GET {QUEUE}/12": single, OVERVIEW: overview}
    with routed(routes) as platform:
        return CALENDAR.look(client, account(platform), "12", NOON), calls(platform)


def test_what_is_scheduled_is_seen_whole(client: Client) -> None:
    found, read = look(client, {"data": [{"id": 11}, QUEUED]}, {"data": {"success": True, "queue": SINGLE}})
    assert found == Shown("12", AHEAD, text="<p>Hi</p>", price_cents=500, scheduled_at=AHEAD, can_unsend=True)
    assert read == [f"GET {QUEUE}", f"GET {QUEUE}/12"]


@pytest.mark.parametrize("single", [GONE, Reply(403, {}), Reply(500, {}), {"data": {"queue": {"id": 13}}}])
def test_without_the_single_message_the_queue_says_what_it_knows(client: Client, single: Any) -> None:
    found, _ = look(client, {"data": [QUEUED]}, single)
    assert found == Shown("12", AHEAD, scheduled_at=AHEAD, can_unsend=True)


@pytest.mark.parametrize(
    ("change", "delivery"),
    [({"isDone": True}, "done"), ({"isCanceled": True}, "cancelled"), ({"hasError": True}, "error")],
)
def test_what_has_become_of_it(client: Client, change: dict[str, Any], delivery: str) -> None:
    found, _ = look(client, {"data": [QUEUED | {"date": "2026-01-05T12:00:00+00:00"} | change]}, GONE)
    assert found is not None
    assert (found.delivery, found.scheduled_at, found.created_at) == (delivery, None, NOON)


def test_what_the_queue_has_no_more(client: Client) -> None:
    went = SINGLE | {"date": "2026-01-05T12:00:00+00:00"}
    found, _ = look(client, {"data": []}, {"data": {"queue": went}})
    assert found is not None
    assert (found.created_at, found.scheduled_at) == (NOON, None)
    found, _ = look(client, {"data": []}, GONE, {"data": {"items": [went], "hasMore": False}})
    assert found is not None
    assert found.text == "<p>Hi</p>"


@pytest.mark.parametrize(
    "gone", [GONE, Reply(404, {"message": "Not found"}), Reply(500, {"onlyfans_response": {"status": 404}})]
)
@pytest.mark.parametrize("overview", [GONE, {"data": {"items": [], "hasMore": False}}])
def test_what_is_gone(client: Client, gone: Reply, overview: Any) -> None:
    found, read = look(client, {"data": []}, gone, overview)
    assert found is None
    assert read[-1] == f"{OVERVIEW}?limit=10&startDate=2026-01-05+12%3A00%3A00"


@pytest.mark.parametrize(
    ("queue", "single", "kind"),
    [
        ({"data": []}, Reply(404, {"error": "account_not_found"}), Unreadable),
        ({"data": []}, Reply(404, {"error": {"code": "account_not_found"}}), Unreadable),
        ({"data": []}, Reply(404, "<h1>", {"Content-Type": "text/html"}), Unreadable),
        ({"data": []}, Reply(404, {"onlyfans_response": {"status": 502}}), Unreachable),
        ({"data": []}, {"data": {"queue": {"id": 13}}}, Unreadable),
        ({"data": []}, Reply(500, {"message": "Server Error"}), Unreachable),
        ({"data": [], "_meta": {"_cache": {"is_cached": True}}}, GONE, Unreadable),
        (Reply(401, {}), GONE, Unauthorized),
    ],
)
def test_whether_it_is_gone_cannot_be_said(client: Client, queue: Any, single: Any, kind: type[PlatformError]) -> None:
    with pytest.raises(kind):
        look(client, queue, single)


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (Shown("1", can_unsend=True, unsend_seconds=1_000_000), None),
        (Shown("1", can_unsend=True, unsend_seconds=0), None),
        (Shown("1", can_unsend=True, unsend_seconds=59), "2026-01-05T12:00:59Z"),
        (Shown("1", can_unsend=False, unsend_seconds=1_000_000), "cannot be taken back"),
        (Shown("1"), "does not say"),
    ],
)
def test_whether_it_can_be_taken_back(shown: Shown, why: str | None) -> None:
    said = RECALL.recallable(shown, NOON, NOON + timedelta(seconds=60))
    assert said is None if why is None else why in (said or "")
