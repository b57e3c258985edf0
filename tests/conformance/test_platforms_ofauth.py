"""OFAuth beside sending: its lists, its scheduler, what it tells of messages, in each shape that its documents know."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account, AudienceList, Content, ListRef, Shown, TagUsers
from carillon.platforms.errors import PlatformError, Refused, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.ofauth.adapter import OFAuth
from carillon.platforms.ofauth.calendar import OFAuthCalendar, OFAuthRecall
from carillon.platforms.parts import Member, Rates
from carillon.platforms.writing import written
from routes import asked, calls, routed
from standins import Reply, Seen, StandIn

SECRET = "of_5ecret_key"
OFAUTH = OFAuth()
CALENDAR, RECALL = OFAuthCalendar(), OFAuthRecall()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
AHEAD = datetime(2099, 12, 31, 23, 59, tzinfo=UTC)
VIP = ListRef(kind="custom", value="7")
QUEUE, SENT = "/v2/access/mass-messages", "/v2/access/analytics/mass-messages/sent"
EMPTY: dict[str, Any] = {"list": [], "hasMore": False}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "conn/1", SECRET)


AWAY = Account("https://api.ofauth.com", "conn_1", SECRET)


def fans(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {"id": start + at, "username": f"u{start + at}", "name": f"Fan {start + at}", "new": {}} for at in range(count)
    ]


def members(client: Client, platform: StandIn, ref: ListRef = VIP) -> Iterator[Member]:
    return OFAUTH.audience.members(client, account(platform), ref)


def ids(client: Client, routes: Any) -> list[str]:
    with routed({"GET /v2/access/users/lists/7/users": routes}) as platform:
        return [one.id for one in members(client, platform)]


def test_the_rate_and_the_keys(client: Client) -> None:
    assert OFAUTH.rates == Rates(reads=60, writes=None, burst=90, by="account")
    with routed({"GET /v2/access/users/lists/fans/users": EMPTY}) as platform:
        assert list(members(client, platform, ListRef(kind="smart", value="fans"))) == []
    (seen,) = platform.seen
    assert seen.path == "/v2/access/users/lists/fans/users?limit=100&offset=0"
    assert (seen.headers["apikey"], seen.headers["x-connection-id"]) == (SECRET, "conn/1")
    assert platform.faults == []


ENDS: dict[str, Any] = {
    "hasMore": lambda rows, more, _: {"list": rows, "hasMore": more},
    "hasMore and nextOffset": lambda rows, more, end: {"list": rows, "hasMore": more, "nextOffset": end},
    "nextOffset null": lambda rows, more, end: {"list": rows, "hasMore": more, "nextOffset": end if more else None},
    "bare arrays": lambda rows, _, __: rows,
    "items": lambda rows, more, _: {"items": rows, "hasMore": more, "new": 1},
    "within data": lambda rows, more, _: {"data": {"list": rows, "hasMore": more}},
}


@pytest.mark.parametrize("shape", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("size", [100, 40])
def test_members_to_the_end(client: Client, shape: Any, size: int) -> None:
    """Also if the platform gives fewer to a page than were asked for."""
    everything = fans(1, 205)

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return shape(everything[start : start + size], start + size < 205, start + size)

    assert ids(client, page) == [str(number) for number in range(1, 206)]


def test_a_next_offset_is_followed(client: Client) -> None:
    """A page may lack those who left meanwhile."""
    pages = {0: fans(1, 2), 100: fans(101, 1), 200: []}

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return {"list": pages[start], "hasMore": start < 200, "nextOffset": start + 100}

    assert ids(client, page) == ["1", "2", "101"]


def test_lists_follow_a_next_offset_too(client: Client) -> None:
    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return {"list": [{"id": start + 1, "name": "x"}], "hasMore": start < 200, "nextOffset": start + 100}

    with routed({"GET /v2/access/users/lists": page}) as platform:
        assert [one.id for one in OFAUTH.lists(client, account(platform))] == ["1", "101", "201"]


def test_members_are_read_as_they_are_wanted(client: Client) -> None:
    with routed({"GET /v2/access/users/lists/7/users": lambda seen: fans(int(asked(seen)["offset"]), 100)}) as platform:
        first = list(itertools.islice(members(client, platform), 150))
        assert len(platform.seen) == 2
    assert first[0] == Member("0", "u0", "Fan 0")


@pytest.mark.parametrize(
    ("row", "member"),
    [
        ({"id": 2**60}, Member(str(2**60))),
        ({"id": "5", "username": "x", "displayName": "D", "name": "N"}, Member("5", "x", "D")),
        ({"id": 5, "username": 7.5, "name": None}, Member("5")),
    ],
)
def test_each_form_of_a_member(client: Client, row: dict[str, Any], member: Member) -> None:
    with routed({"GET /v2/access/users/lists/7/users": {"list": [row, "noise", {"name": "no id"}]}}) as platform:
        assert list(members(client, platform)) == [member]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": SECRET, "type": "SESSION_EXPIRED"}), Unauthorized),
        (Reply(429, {"type": "RATE_LIMIT_EXCEEDED"}), Throttled),
        (Reply(404, {"type": "RESOURCE_NOT_FOUND"}), Unreadable),
        (Reply(500, {}), Unreachable),
        (Reply(200, {"list": [{"name": "x"}]}), Unreadable),
        (Reply(200, {"list": "x"}), Unreadable),
    ],
)
def test_members_that_cannot_be_had(client: Client, reply: Reply, kind: type[PlatformError]) -> None:
    with routed({}, nothing=reply) as platform, pytest.raises(kind) as error:
        list(members(client, platform))
    assert SECRET not in str(error.value)


def test_members_without_end_that_repeat_themselves(client: Client) -> None:
    with pytest.raises(Unreadable, match="repeats itself"):
        ids(client, {"list": fans(1, 100), "hasMore": True})


def test_a_list_is_made(client: Client) -> None:
    with routed(
        {"POST /v2/access/users/lists": {"id": 8, "type": "custom", "name": "VIP", "usersCount": 0}}
    ) as platform:
        request = OFAUTH.audience.create(account(platform), "VIP")
        assert request is not None
        found = OFAUTH.audience.created(written(client.write(request), SECRET))
    assert found == AudienceList("custom", "8", "VIP", 0)
    assert platform.seen[0].json() == {"name": "VIP"}
    assert platform.faults == []


@pytest.mark.parametrize("body", [{"id": "8"}, {"data": {"id": 8}}, {"list": {"id": 8}, "new": 1}])
def test_each_answer_to_a_new_list(body: dict[str, Any]) -> None:
    assert OFAUTH.audience.created(body) == AudienceList("custom", "8", "8", None)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"data": []}, {"success": True}])
def test_an_answer_that_names_no_list(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        OFAUTH.audience.created(body)


@pytest.mark.parametrize("answer", [Reply(200, {}), Reply(200, {"list": {}, "userState": {}}), Reply(204, b"")])
def test_fans_are_added_one_by_one(client: Client, answer: Reply) -> None:
    with routed({"POST /v2/access/users/lists/7/users/a%2F1": answer}) as platform:
        request = OFAUTH.audience.add(account(platform), "7", ["a/1"])
        assert request is not None
        written(client.write(request), SECRET)
    assert OFAUTH.audience.fans_at_once == 1
    assert platform.seen[0].body == b""


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "no", "type": "BAD_REQUEST"}), Refused),
        (Reply(403, {"error": "scope"}), Refused),
        (Reply(413, "<h1>", {"Content-Type": "text/html"}), Refused),
        (Reply(302, {}, {"Location": "http://127.0.0.1:1/"}), Refused),
        (Reply(401, {"error": "key"}), Unauthorized),
        (Reply(429, "slow", {"Retry-After": "7"}), Throttled),
        (Reply(409, {"error": "now"}), Unreachable),
        (Reply(502, "<h1>", {"Content-Type": "text/html"}), Unreachable),
        (Reply(200, "<h1>", {"Content-Type": "text/html"}), Unreachable),
    ],
)
def test_a_write_that_is_not_taken(client: Client, reply: Reply, kind: type[PlatformError]) -> None:
    with routed({}, nothing=reply) as platform, pytest.raises(PlatformError) as error:
        written(client.write(RECALL.withdraw(account(platform), "7")), SECRET)
    assert type(error.value) is kind


PAID = Content(
    text="Hi", include=(VIP,), media=("12345", "https://cdn.example/a.mp4"), price_cents=1_499, preview_media=1
)
DEFAULTS: dict[str, Any] = {"text": "", "isLockedText": False, "isMarkdown": True}
PAID_BODY: dict[str, Any] = {
    "text": "Hi",
    "mediaItems": [12345, "https://cdn.example/a.mp4"],
    "price": 14.99,
    "previewMediaCount": 1,
    "userLists": [7],
    "scheduledDate": "2099-12-31T23:59:00Z",
}


def test_a_broadcast_is_placed() -> None:
    at = AHEAD.replace(microsecond=5).astimezone(UTC)
    request = CALENDAR.place(AWAY, PAID, at)
    assert (request.method, request.url) == ("POST", "https://api.ofauth.com/v2/access/mass-messages")
    assert request.json == PAID_BODY
    assert OFAUTH.receipt({"id": 12345, "date": "2099-12-31T23:59:00Z", "scheduledDate": "x"}).message_id == "12345"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (PAID, PAID_BODY),
        (
            PAID.model_copy(update={"price_cents": None, "preview_media": None}),
            PAID_BODY | {"price": 0, "previewMediaCount": 0},
        ),
        (Content(text="Hi", users=("1",)), {"text": "Hi", "userIds": [1], "scheduledDate": "2099-12-31T23:59:00Z"}),
        (
            Content(
                media=("9",), exclude=(VIP,), tag_users=TagUsers(creators=("5",)), markdown=False, locked_text=True
            ),
            {
                "mediaItems": [9],
                "price": 0,
                "previewMediaCount": 0,
                "excludeUserLists": [7],
                "releaseForms": {"users": [5]},
                "isMarkdown": False,
                "isLockedText": True,
                "scheduledDate": "2099-12-31T23:59:00Z",
            },
        ),
    ],
)
def test_an_edit_says_everything_anew(content: Content, body: dict[str, Any]) -> None:
    """Also a price that is gone, beside media; without media nothing says that what may still be there is free."""
    request = CALENDAR.replace(AWAY, "12/3", content, AHEAD)
    assert request is not None
    assert (request.method, request.url) == ("PUT", "https://api.ofauth.com/v2/access/mass-messages/12%2F3")
    assert request.json == DEFAULTS | body
    assert request.headers["Content-Type"] == "application/json"


def test_what_one_send_has_used_up_is_not_told_again() -> None:
    content = Content(text="Hi", include=(VIP,), media=("12345", "upload:0a1b"))
    assert CALENDAR.place(AWAY, content, AHEAD).json == {
        "text": "Hi",
        "mediaItems": [12345, "upload:0a1b"],
        "userLists": [7],
        "scheduledDate": "2099-12-31T23:59:00Z",
    }
    assert CALENDAR.replace(AWAY, "12", content, AHEAD) is None


def test_a_withdrawal() -> None:
    request = RECALL.withdraw(AWAY, "12/3")
    assert (request.method, request.url) == ("DELETE", "https://api.ofauth.com/v2/access/mass-messages/12%2F3")
    assert (request.json, request.raw) == (None, None)


def look(
    client: Client, queue: dict[str, list[Any]] | None, sent: Any, single: Reply
) -> tuple[Shown | None, list[str]]:
    def listed(seen: Seen) -> Any:
        kinds = queue if queue is not None else {}
        return {"list": kinds.get(asked(seen)["type"], []), "hasMore": False}

    routes: dict[str, Any] = {f"GET {SENT}": sent, f"GET {QUEUE}/12": single}
    if queue is not None:
        routes[f"GET {QUEUE}"] = listed
    with routed(routes) as platform:
        found = CALENDAR.look(client, account(platform), "12", NOON)
        return found, calls(platform)


GONE = Reply(404, {"error": "none", "type": "RESOURCE_NOT_FOUND", "requestId": "r"})
WAITING = {"id": 12, "date": "2099-12-31T23:59:00+00:00", "text": "Hi", "price": "14.99", "isDone": False}
WENT = {"id": 12, "date": "2026-01-05T12:00:00Z", "text": "Hi", "sentCount": 3, "isDone": True}


def test_what_is_scheduled_is_seen(client: Client) -> None:
    found, read = look(client, {"scheduled": [{"id": 11}, WAITING]}, EMPTY, GONE)
    assert found == Shown("12", AHEAD, text="Hi", price_cents=1_499, scheduled_at=AHEAD)
    assert read == [f"GET {QUEUE}?limit=20&offset=0&type=scheduled"]


def test_what_is_late_is_still_scheduled(client: Client) -> None:
    found, _ = look(client, {"scheduled": [WAITING | {"date": "2026-01-05T12:00:00Z"}]}, EMPTY, GONE)
    assert found is not None
    assert found.scheduled_at == NOON


def test_what_has_gone_out_is_seen(client: Client) -> None:
    found, _ = look(client, {"sent": [WENT]}, EMPTY, GONE)
    assert found == Shown("12", NOON, text="Hi", delivery="done")


def test_what_was_withdrawn_is_seen(client: Client) -> None:
    found, _ = look(client, {"unsent": [WAITING]}, EMPTY, GONE)
    assert found is not None
    assert (found.delivery, found.scheduled_at) == ("cancelled", None)


def test_what_only_the_statistics_have(client: Client) -> None:
    found, _ = look(client, {}, {"items": [WENT], "hasMore": False}, GONE)
    assert found is not None
    assert found.created_at == NOON


@pytest.mark.parametrize("told", [{"id": 12}, {"id": "12"}, {"id": 99, "queueId": 12, "isFromQueue": True}])
def test_a_single_message_where_no_queue_is_served(client: Client, told: dict[str, Any]) -> None:
    found, read = look(client, None, EMPTY, Reply(200, {**told, "text": "Hi", "canUnsendQueue": True, "media": [{}]}))
    assert found == Shown("12", text="Hi", media_count=1, can_unsend=True)
    assert read[-1] == f"GET {QUEUE}/12"


@pytest.mark.parametrize("queue", [None, {}])
def test_what_is_gone(client: Client, queue: dict[str, Any] | None) -> None:
    found, read = look(client, queue, EMPTY, GONE)
    assert found is None
    assert len(read) == 5


@pytest.mark.parametrize(
    ("single", "kind"),
    [
        (Reply(404, {"error": "x", "type": "ROUTE_NOT_FOUND"}), Unreadable),
        (Reply(404, "<h1>", {"Content-Type": "text/html"}), Unreadable),
        (Reply(403, {"error": "x"}), Unreadable),
        (Reply(401, {"error": "x"}), Unauthorized),
        (Reply(429, {"error": "x"}), Throttled),
        (Reply(503, {"error": "x"}), Unreachable),
        (Reply(200, {"id": 99, "text": "Hi"}), Unreadable),
        (Reply(200, []), Unreadable),
    ],
)
def test_whether_it_is_gone_cannot_be_said(client: Client, single: Reply, kind: type[PlatformError]) -> None:
    with pytest.raises(kind):
        look(client, None, EMPTY, single)


def test_statistics_that_fail_are_not_a_message_that_is_gone(client: Client) -> None:
    with pytest.raises(Unreachable):
        look(client, {}, Reply(500, {}), GONE)


RECALLS = [
    (Shown("1", can_unsend=True), None),
    (Shown("1", can_unsend=True, unsend_seconds=0), None),
    (Shown("1", can_unsend=True, unsend_seconds=61), None),
    (Shown("1", can_unsend=None, unsend_seconds=61), None),
    (Shown("1", can_unsend=True, unsend_seconds=59), None),
    (Shown("1", unsend_seconds=59), "2026-01-05T12:00:59Z"),
    (Shown("1", can_unsend=False), "cannot be taken back"),
    (Shown("1"), "does not say"),
    (Shown("1", can_unsend=True, delivery="cancelled"), "already"),
]


@pytest.mark.parametrize(("shown", "why"), RECALLS)
def test_whether_it_can_be_taken_back(shown: Shown, why: str | None) -> None:
    said = RECALL.recallable(shown, NOON, NOON + timedelta(seconds=60))
    assert said is None if why is None else why in (said or "")
