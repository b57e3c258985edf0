"""Looking at lists and media: the exact reads, every envelope, pages that end and pages that do not."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account, AudienceList
from carillon.platforms.errors import PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.roster import PLATFORMS
from standins import Reply, Seen, StandIn

SECRET = "sk_live_5ecret"
PAGED = {"fanvue": 50, "frontrow": 20, "ofauth": 100, "onlyfansapi": 50}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def lists(client: Client, name: str, platform: StandIn, account: str | None = "a/1") -> list[AudienceList]:
    id_ = None if name == "frontrow" else account
    return list(PLATFORMS[name].lists(client, Account(platform.url, id_, SECRET)))


def serving(pages: Callable[[int, int], Any], smart: Any = ()) -> Callable[[Seen], Reply]:
    """`pages` gets the number of the page or the offset, and the size that was asked for."""

    def answer(seen: Seen) -> Reply:
        query = {key: int(value[0]) for key, value in parse_qs(urlsplit(seen.path).query).items() if value[0].isdigit()}
        if "/smart" in seen.path:
            return Reply(200, list(smart))
        return Reply(200, pages(query.get("page", query.get("offset", 0)), query.get("size", query.get("limit", 0))))

    return answer


READS = {
    "fanvue": ["/creators/a%2F1/chats/lists/smart", "/creators/a%2F1/chats/lists/custom?page=1&size=50"],
    "frontrow": ["/api/v1/chats/lists/smart", "/api/v1/chats/lists/custom?page=1&size=20"],
    "ofauth": ["/v2/access/users/lists?limit=100&offset=0"],
    "onlyfansapi": ["/api/a%2F1/user-lists?view=queue&limit=50&offset=0"],
}
KEYS = {
    "fanvue": {"authorization": f"Bearer {SECRET}", "x-fanvue-api-version": "2025-06-26"},
    "frontrow": {"authorization": f"Bearer {SECRET}"},
    "ofauth": {"apikey": SECRET, "x-connection-id": "a/1"},
    "onlyfansapi": {"authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_is_read(client: Client, name: str) -> None:
    with StandIn(serving(lambda *_: [])) as platform:
        assert lists(client, name, platform) == []
    assert [seen.path for seen in platform.seen] == READS[name]
    assert {seen.method for seen in platform.seen} == {"GET"}
    assert platform.faults == []
    for seen in platform.seen:
        sent = {key: value for key, value in seen.headers.items() if key in KEYS[name]}
        assert sent == KEYS[name]


@pytest.mark.parametrize("name", ["fanvue", "frontrow"])
def test_smart_and_custom_lists(client: Client, name: str) -> None:
    smart = [{"uuid": "subscribers", "name": "Subscribers", "count": 12}]
    custom = {"data": [{"uuid": "7f0c", "name": "VIP", "membersCount": 3}], "pagination": {"hasMore": False}}
    with StandIn(serving(lambda *_: custom, smart)) as platform:
        assert lists(client, name, platform, None) == [
            AudienceList("smart", "subscribers", "Subscribers", 12),
            AudienceList("custom", "7f0c", "VIP", 3),
        ]


@pytest.mark.parametrize("name", ["ofauth", "onlyfansapi"])
def test_onlyfans_lists_are_smart_by_word_and_custom_by_number(client: Client, name: str) -> None:
    items = [{"id": "fans", "name": "Fans", "usersCount": 9}, {"id": 1234567890, "name": "VIP"}]
    with StandIn(serving(lambda *_: items)) as platform:
        assert lists(client, name, platform) == [
            AudienceList("smart", "fans", "Fans", 9),
            AudienceList("custom", "1234567890", "VIP", None),
        ]


ITEMS = [{"id": "1", "name": "A"}]
ENVELOPES: list[Any] = [
    ITEMS,
    {"data": ITEMS},
    {"lists": ITEMS},
    {"items": ITEMS},
    {"list": ITEMS, "hasMore": False},
    {"data": {"list": ITEMS, "hasMore": False}, "_meta": {}},
    {"data": None, "lists": ITEMS, "new": 1},
    [*ITEMS, "noise", None, {"name": "no id"}],
]


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("envelope", ENVELOPES, ids=str)
def test_every_envelope(client: Client, name: str, envelope: Any) -> None:
    with StandIn(serving(lambda *_: envelope)) as platform:
        (found,) = lists(client, name, platform)
    assert (found.kind, found.id, found.name, found.count) == ("custom", "1", "A", None)


@pytest.mark.parametrize(
    ("item", "count"),
    [
        ({"count": 5}, 5),
        ({"membersCount": 0}, 0),
        ({"memberCount": 7}, 7),
        ({"usersCount": 8}, 8),
        ({"size": 9}, 9),
        ({"count": "many", "size": 2}, 2),
        ({"count": -1}, None),
        ({"members": [1, 2]}, None),
        ({}, None),
    ],
)
def test_every_name_of_a_count(client: Client, item: dict[str, Any], count: int | None) -> None:
    with StandIn(serving(lambda *_: [{"uuid": "u", **item}])) as platform:
        (found,) = lists(client, "frontrow", platform)
    assert (found.name, found.count) == ("u", count)


def numbered(start: int, count: int) -> list[dict[str, Any]]:
    return [{"id": start + at, "name": f"n{start + at}"} for at in range(count)]


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("extra", [0, 1])
def test_pages_are_read_to_the_end(client: Client, name: str, extra: int) -> None:
    """Two full pages, then a short or an empty one."""
    size = PAGED[name]
    everything = numbered(1, 2 * size + extra)

    def page(at: int, asked: int) -> list[dict[str, Any]]:
        assert asked == size
        start = (at - 1) * size if name in ("fanvue", "frontrow") else at
        return everything[start : start + size]

    with StandIn(serving(page)) as platform:
        found = lists(client, name, platform)
        assert [one.id for one in found] == [str(one["id"]) for one in everything]
        assert len([seen for seen in platform.seen if "/smart" not in seen.path]) == 3


@pytest.mark.parametrize("name", PLATFORMS)
def test_has_more_is_believed_over_the_size_of_the_page(client: Client, name: str) -> None:
    """A platform that gives fewer than asked, and says that there are more."""

    def page(at: int, _: int) -> dict[str, Any]:
        start = (at - 1) * 2 if name in ("fanvue", "frontrow") else at
        return {"data": numbered(1, 5)[start : start + 2], "pagination": {"hasMore": start + 2 < 5}}

    with StandIn(serving(page)) as platform:
        assert [one.id for one in lists(client, name, platform)] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_repeated_page_ends_it(client: Client, name: str) -> None:
    same = numbered(1, PAGED[name])
    with StandIn(serving(lambda *_: {"data": same, "hasMore": True})) as platform:
        assert len(lists(client, name, platform)) == len(same)
        assert len([seen for seen in platform.seen if "/smart" not in seen.path]) == 2


@pytest.mark.parametrize("name", PLATFORMS)
def test_pages_without_end_are_no_answer(client: Client, name: str) -> None:
    with StandIn(serving(lambda at, _: {"data": numbered(at, 1), "hasMore": True})) as platform:
        with pytest.raises(Unreadable, match="do not end"):
            lists(client, name, platform)
        assert len(platform.seen) <= 201


FAILED: dict[str, tuple[Reply, type[PlatformError]]] = {
    "401": (Reply(401, {"error": f"bad key {SECRET}"}), Unauthorized),
    "429": (Reply(429, "slow", {"Retry-After": "7"}), Throttled),
    "403": (Reply(403, {"message": "scope"}), Unreadable),
    "404": (Reply(404, {"message": "none"}), Unreadable),
    "410": (Reply(410, {"message": "gone"}), Unreadable),
    "302": (Reply(302, {}, {"Location": "http://127.0.0.1:1/"}), Unreadable),
    "408": (Reply(408, {}), Unreachable),
    "500": (Reply(500, {"message": "Server Error"}), Unreachable),
    "503": (Reply(503, "<h1>", {"Content-Type": "text/html"}), Unreachable),
    "html": (Reply(200, "<h1>", {"Content-Type": "text/html"}), Unreadable),
    "no json": (Reply(200, "{", {"Content-Type": "application/json"}), Unreadable),
    "null": (Reply(200, "null", {"Content-Type": "application/json"}), Unreadable),
    "no lists": (Reply(200, {"data": "x"}), Unreadable),
    "lists without ids": (Reply(200, [{"name": "x"}]), Unreadable),
    "wrapped 401": (Reply(500, {"onlyfans_response": {"status": 401}}), Unauthorized),
    "wrapped 500": (Reply(404, {"onlyfans_response": {"status": 500}}), Unreachable),
    "wrapped 404": (Reply(500, {"onlyfans_response": {"status": 404}}), Unreadable),
}


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_reads_that_fail(client: Client, name: str, case: tuple[Reply, type[PlatformError]]) -> None:
    reply, kind = case
    with StandIn(lambda _: reply) as platform, pytest.raises(PlatformError) as error:
        lists(client, name, platform)
    assert type(error.value) is kind
    assert SECRET not in f"{error.value} {error.value!r}"
    if isinstance(error.value, Throttled):
        assert error.value.retry_after == 7


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"uuid": "m", "status": "ready"}, "ready"),
        ({"uuid": "m", "status": "created"}, "processing"),
        ({"uuid": "m", "status": "processing"}, "processing"),
        ({"uuid": "m", "status": "error"}, "broken"),
        ({"uuid": "m", "status": "FINALISED"}, "ready"),
        ({"uuid": "m", "status": ["ready"]}, "unknown"),
        ({"uuid": "m"}, "unknown"),
        ([], "unknown"),
    ],
)
@pytest.mark.parametrize(("account", "path"), [(None, "/media/m%2F1"), ("c", "/creators/c/media/m%2F1")])
def test_media_on_fanvue(client: Client, body: Any, state: str, account: str | None, path: str) -> None:
    with StandIn(lambda _: Reply(200, body)) as platform:
        assert PLATFORMS["fanvue"].media(client, Account(platform.url, account, SECRET), "m/1") == state
    (seen,) = platform.seen
    assert (seen.method, seen.path, platform.faults) == ("GET", path, [])


@pytest.mark.parametrize("name", ["frontrow", "ofauth", "onlyfansapi"])
def test_media_elsewhere_is_not_asked_for(client: Client, name: str) -> None:
    with StandIn() as platform:
        assert PLATFORMS[name].media(client, Account(platform.url, "a", SECRET), "m") == "unknown"
    assert platform.seen == []
