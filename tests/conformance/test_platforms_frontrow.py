"""FrontRow beside sending, over real HTTP: who is on a list, and plain words for all that it does not offer."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account, ListRef
from carillon.platforms.errors import PlatformError, Unauthorized, Unreachable, Unreadable
from carillon.platforms.frontrow.adapter import FrontRow
from carillon.platforms.parts import Member, Rates, Reference, Sent, Source
from standins import Reply, StandIn

SECRET = "fr_live_5ecret"
FRONTROW = FrontRow()
VIP = ListRef(kind="custom", value="7f0c/1")
ACCOUNT = Account(FRONTROW.url, None, SECRET)


class Kept:
    kept: Mapping[str, object] = MappingProxyType({})

    def keep(self, **reached: object) -> None:
        raise AssertionError(reached)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def test_its_general_rates_are_those_of_a_key() -> None:
    assert FRONTROW.rates == Rates(reads=60, writes=30, burst=None, by="key")


FANS: list[tuple[dict[str, Any], Member]] = [
    ({"id": "usr_1", "handle": "ana", "name": "Ana", "new": 1}, Member("usr_1", "ana", "Ana")),
    ({"uuid": "usr_2", "username": "bo", "displayName": "Bo"}, Member("usr_2", "bo", "Bo")),
    ({"id": 3, "handle": None}, Member("3")),
]


@pytest.mark.parametrize("envelope", [None, "data", "members", "items", "users", "list"])
def test_members_of_a_custom_list(client: Client, envelope: str | None) -> None:
    shown = [told for told, _ in FANS]
    pages = [Reply(200, page if envelope is None else {envelope: page}) for page in (shown, [])]
    with StandIn(lambda _: pages.pop(0)) as platform:
        found = list(FRONTROW.audience.members(client, Account(platform.url, None, SECRET), VIP))
    assert found == [member for _, member in FANS]
    assert [seen.path for seen in platform.seen] == [
        f"/api/v1/chats/lists/custom/7f0c%2F1/members?page={page}&size=20" for page in (1, 2)
    ]
    assert {seen.headers["authorization"] for seen in platform.seen} == {f"Bearer {SECRET}"}
    assert platform.faults == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"error": f"bad key {SECRET}"}), Unauthorized),
        (Reply(404, {"error": "List not found"}), Unreadable),
        (Reply(500, {}), Unreachable),
        (Reply(200, {"data": {"count": 3}}), Unreadable),
    ],
)
def test_members_that_cannot_be_read(client: Client, reply: Reply, kind: type[PlatformError]) -> None:
    with StandIn(lambda _: reply) as platform, pytest.raises(kind) as error:
        list(FRONTROW.audience.members(client, Account(platform.url, None, SECRET), VIP))
    assert SECRET not in str(error.value)


def test_what_it_does_not_offer(client: Client) -> None:
    """No request is made; what a person asked for is answered in words."""

    def read(offset: int, length: int) -> Iterator[bytes]:
        raise AssertionError(offset, length)

    audience, library, results = FRONTROW.audience, FRONTROW.library, FRONTROW.results
    clip = Source("clip.mp4", 9, "video/mp4", read)
    with StandIn() as platform:
        account = Account(platform.url, None, SECRET)
        for ask, words in (
            (
                lambda: list(audience.members(client, account, ListRef(kind="smart", value="subscribers"))),
                "subscribers",
            ),
            (lambda: list(library.media(client, account)), "does not show which media"),
            (lambda: library.upload(client, account, clip, Kept()), "clip.mp4"),
            (lambda: audience.created({"id": "x"}), "does not let lists be made"),
        ):
            with pytest.raises(Unreadable, match=words):
                ask()
        sent = Sent("mm_1", datetime(2026, 1, 5, tzinfo=UTC), "Hi", None)
        assert list(results.told(client, account, [sent])) == []
        assert list(results.buyers(client, account, sent)) == []
        assert library.upload_url(client, account, "https://cdn.example/a.jpg", Kept()) is None
        assert library.uploaded(client, account, Reference("med_1", "ready"), Kept()) == Reference("med_1", "ready")
    assert platform.seen == []
    assert audience.create(ACCOUNT, "VIP") is None
    assert audience.add(ACCOUNT, "7f0c", ["usr_1"]) is None
    assert (FRONTROW.calendar, FRONTROW.recall) == (None, None)
