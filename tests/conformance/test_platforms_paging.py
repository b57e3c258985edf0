"""Long lists of Fanvue and FrontRow, page by page: each documented end, bounded memory, and pages that do not end."""

import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carillon.platforms.answers import Answer, Headers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, ListRef
from carillon.platforms.errors import Unreadable
from carillon.platforms.parts import Member
from carillon.platforms.roster import PLATFORMS
from standins import Reply, Seen, StandIn

SECRET = "sk_live_5ecret"
SIZES = {"fanvue": 50, "frontrow": 20}
VIP = ListRef(kind="custom", value="7f0c")

Pages = Callable[[dict[str, str]], Any]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def asked(seen: Seen) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(seen.path).query).items()}


def serving(pages: Pages) -> StandIn:
    return StandIn(lambda seen: Reply(200, pages(asked(seen))))


def members(client: Client, name: str, platform: StandIn) -> Iterator[Member]:
    return PLATFORMS[name].audience.members(client, Account(platform.url, None, SECRET), VIP)


def ids(client: Client, name: str, pages: Pages) -> list[str]:
    with serving(pages) as platform:
        return [one.id for one in members(client, name, platform)]


def fans(start: int, count: int) -> list[dict[str, Any]]:
    return [{"uuid": f"fan-{start + at}", "displayName": f"Fan {start + at}"} for at in range(count)]


def part(everything: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    page, size = int(query["page"]), int(query["size"])
    return everything[(page - 1) * size : page * size]


TWELVE = fans(1, 12)
NAMES = [one["uuid"] for one in TWELVE]


def has_more(query: dict[str, str]) -> Any:
    shown = part(TWELVE, query | {"size": "5"})
    return {"data": shown, "pagination": {"page": 1, "size": len(shown), "hasMore": int(query["page"]) < 3}}


def by_cursor(query: dict[str, str]) -> Any:
    start = int(query.get("cursor", "at 0").removeprefix("at "))
    assert "page" not in query or start == 0
    after = f"at {start + 5}" if start + 5 < 12 else None
    return {"data": TWELVE[start : start + 5], "nextCursor": after, "total": None}


def by_number(query: dict[str, str]) -> Any:
    start = int(query.get("cursor", 0))
    return {"data": TWELVE[start : start + 5], "nextCursor": start + 5 if start + 5 < 12 else None}


ENDS: dict[str, Pages] = {
    "hasMore": has_more,
    "hasMore on top": lambda query: {"data": has_more(query)["data"], "hasMore": int(query["page"]) < 3},
    "nextCursor": by_cursor,
    "a cursor that is a number": by_number,
    "an empty page": lambda query: part(TWELVE, query | {"size": "5"}),
    "an empty page in an envelope": lambda query: {"members": part(TWELVE, query | {"size": "5"}), "total": 12},
    "the same page again": lambda _: {"items": TWELVE},
    "all at once": lambda _: {"users": TWELVE, "hasMore": False},
    "rows pushed onto the next page": lambda query: TWELVE[max(0, (int(query["page"]) - 1) * 5 - 2) :][:7],
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("pages", ENDS.values(), ids=ENDS)
def test_every_end(client: Client, name: str, pages: Pages) -> None:
    assert ids(client, name, pages) == NAMES


@pytest.mark.parametrize("name", SIZES)
def test_an_empty_page_that_says_more_is_passed_over(client: Client, name: str) -> None:
    """The platform leaves out whom the creator may not write to: that may be all of a page."""
    shown = {"1": TWELVE[:5], "2": [], "3": TWELVE[5:]}
    found = ids(client, name, lambda query: {"data": shown[query["page"]], "hasMore": query["page"] != "3"})
    assert found == NAMES


ENDLESS: dict[str, Pages] = {
    "the same page": lambda _: {"data": TWELVE, "hasMore": True},
    "the same cursor": lambda _: {"data": TWELVE, "nextCursor": "x"},
    "nothing, and more of it": lambda _: {"data": [], "hasMore": True},
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
def test_pages_that_say_more_for_ever(client: Client, name: str, pages: Pages) -> None:
    with serving(pages) as platform:
        with pytest.raises(Unreadable, match="list of members repeats itself"):
            list(members(client, name, platform))
        assert len(platform.seen) < 20


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("body", [{"data": "x"}, {}, [{"name": "no id"}], ["noise"]], ids=str)
def test_what_is_no_list_of_members(client: Client, name: str, body: Any) -> None:
    with serving(lambda _: body) as platform, pytest.raises(Unreadable, match="members"):
        list(members(client, name, platform))


@pytest.mark.parametrize("name", SIZES)
def test_the_next_page_is_asked_for_when_it_is_wanted(client: Client, name: str) -> None:
    everything, size = fans(1, 200), SIZES[name]
    with serving(lambda query: {"data": part(everything, query)}) as platform:
        found = members(client, name, platform)
        assert len(platform.seen) == 0
        assert [one.id for one in itertools.islice(found, size)] == [one["uuid"] for one in everything[:size]]
        assert len(platform.seen) == 1
        next(found)
        assert [asked(seen) for seen in platform.seen] == [{"page": str(page), "size": str(size)} for page in (1, 2)]


def answer(body: Any) -> Answer:
    return Answer(200, Headers({}), json.dumps(body).encode(), complete=True)


@pytest.mark.parametrize("name", SIZES)
def test_ten_thousand_members_in_bounded_memory(client: Client, name: str) -> None:
    count, size = 10_000, SIZES[name]

    class Told:
        """Answers without a list of what was asked, which would grow itself."""

        reads = 0

        def get(self, request: Any) -> Any:
            self.reads += 1
            query = asked(Seen("GET", request.url, {}, b"", 0))
            start = (int(query["page"]) - 1) * size
            return answer({"data": fans(start, max(0, min(size, count - start))), "hasMore": start + size < count})

    told = Told()
    found = PLATFORMS[name].audience.members(told, Account("http://x", None, SECRET), VIP)  # type: ignore[arg-type]
    next(found)
    tracemalloc.start()
    assert sum(1 for _ in found) == count - 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.reads == count // size
    assert peak < 300_000
