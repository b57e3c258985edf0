"""The exact request of each platform, as its own documents show it, through a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from carillon.platforms.client import Client, Guard, encoded
from carillon.platforms.contract import Account, Content, ListRef, Receipt, TagUsers
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.send import send
from standins import StandIn

SECRET = "sk_live_5ecret"


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def smart(*values: str) -> tuple[ListRef, ...]:
    return tuple(ListRef(kind="smart", value=value) for value in values)


def custom(*values: str) -> tuple[ListRef, ...]:
    return tuple(ListRef(kind="custom", value=value) for value in values)


BEARER = {"authorization": f"Bearer {SECRET}"}
FANVUE = {**BEARER, "x-fanvue-api-version": "2025-06-26"}
OFAUTH = {"apikey": SECRET, "x-connection-id": "conn_abc123"}
FANVUE_PATH, FRONTROW_PATH = "/chats/mass-messages", "/api/v1/chats/mass-messages"
OFAUTH_PATH, ONLYFANS_PATH = "/v2/access/mass-messages", "/api/acct_XXXX/mass-messaging"

# name: (platform, account, content, path, headers, body)
CASES: dict[str, tuple[str, str | None, Content, str, dict[str, str], dict[str, Any]]] = {
    "frontrow with exclusion": (
        "frontrow",
        None,
        Content(
            text="New PPV drop tonight at 8pm — first 100 fans get it free.",
            include=smart("subscribers"),
            exclude=smart("recent_tippers"),
        ),
        FRONTROW_PATH,
        BEARER,
        {
            "text": "New PPV drop tonight at 8pm — first 100 fans get it free.",
            "includeLists": [{"type": "smart", "id": "subscribers"}],
            "excludeLists": [{"type": "smart", "id": "recent_tippers"}],
        },
    ),
    "frontrow pay-to-view": (
        "frontrow",
        None,
        Content(
            text="Behind-the-scenes from yesterday's shoot.",
            media=("med_a1b2c3", "med_d4e5f6"),
            price_cents=999,
            include=smart("top_spenders"),
        ),
        FRONTROW_PATH,
        BEARER,
        {
            "text": "Behind-the-scenes from yesterday's shoot.",
            "media": ["med_a1b2c3", "med_d4e5f6"],
            "priceCents": 999,
            "includeLists": [{"type": "smart", "id": "top_spenders"}],
        },
    ),
    "frontrow mixed lists in the order of the file": (
        "frontrow",
        None,
        Content(media=("med_1",), include=(*custom("7f0c"), *smart("all_fans"), *custom("11"))),
        FRONTROW_PATH,
        BEARER,
        {
            "media": ["med_1"],
            "includeLists": [
                {"type": "custom", "id": "7f0c"},
                {"type": "smart", "id": "all_fans"},
                {"type": "custom", "id": "11"},
            ],
        },
    ),
    "fanvue to several lists": (
        "fanvue",
        None,
        Content(text="Hi 🌙", include=smart("subscribers", "expired_subscribers")),
        FANVUE_PATH,
        FANVUE,
        {"text": "Hi 🌙", "includedLists": {"smartListUuids": ["subscribers", "expired_subscribers"]}},
    ),
    "fanvue pay-to-view with exclusions and combined lists": (
        "fanvue",
        None,
        Content(
            text="Exclusive",
            media=("0b53-4a53",),
            price_cents=999,
            include=(*smart("subscribers"), *custom("7f0c9a52")),
            exclude=custom("e5c1f7a0"),
        ),
        FANVUE_PATH,
        FANVUE,
        {
            "text": "Exclusive",
            "mediaUuids": ["0b53-4a53"],
            "price": 999,
            "includedLists": {"smartListUuids": ["subscribers"], "customListUuids": ["7f0c9a52"]},
            "excludedLists": {"customListUuids": ["e5c1f7a0"]},
        },
    ),
    "fanvue agency": (
        "fanvue",
        "a/b c",
        Content(text="x", include=custom("u")),
        "/creators/a%2Fb%20c/chats/mass-messages",
        FANVUE,
        {"text": "x", "includedLists": {"customListUuids": ["u"]}},
    ),
    "ofauth to users": (
        "ofauth",
        "conn_abc123",
        Content(text="Hey everyone! New content dropping soon 🔥", users=("123", "456", "789", "1011", "1213")),
        OFAUTH_PATH,
        OFAUTH,
        {"text": "Hey everyone! New content dropping soon 🔥", "userIds": [123, 456, 789, 1011, 1213]},
    ),
    "ofauth to lists with exclusions": (
        "ofauth",
        "conn_abc123",
        Content(text="Exclusive offer! 🎁", include=custom("1", "2"), exclude=custom("3", "4")),
        OFAUTH_PATH,
        OFAUTH,
        {"text": "Exclusive offer! 🎁", "userLists": [1, 2], "excludeUserLists": [3, 4]},
    ),
    "ofauth to new subscribers": (
        "ofauth",
        "conn_abc123",
        Content(
            text="Welcome",
            include=custom("1"),
            subscribed_after=datetime(2024, 1, 1, 0, 0, 0, 999, tzinfo=UTC),
        ),
        OFAUTH_PATH,
        OFAUTH,
        {"text": "Welcome", "userLists": [1], "subscribedAfterDate": "2024-01-01T00:00:00Z"},
    ),
    "ofauth pay-per-view with previews": (
        "ofauth",
        "conn_abc123",
        Content(
            text="Exclusive content you don't want to miss! 🔒",
            media=("12345", "12346"),
            price_cents=1499,
            preview_media=1,
            include=custom("1"),
        ),
        OFAUTH_PATH,
        OFAUTH,
        {
            "text": "Exclusive content you don't want to miss! 🔒",
            "mediaItems": [12345, 12346],
            "price": 14.99,
            "previewMediaCount": 1,
            "userLists": [1],
        },
    ),
    "ofauth everything it offers": (
        "ofauth",
        "conn_abc123",
        Content(
            text="t",
            media=("9007199254740993", "007", "upload:1f", "https://cdn.example/clip.mp4"),
            preview_media=("9007199254740993", "007"),
            include=(*smart("fans"), *custom("5")),
            locked_text=False,
            markdown=False,
            tag_users=TagUsers(creators=("7", "x"), partners=(), guests=("8",)),
        ),
        OFAUTH_PATH,
        OFAUTH,
        {
            "text": "t",
            "mediaItems": [9007199254740993, "007", "upload:1f", "https://cdn.example/clip.mp4"],
            "previewMediaCount": 2,
            "userLists": ["fans", 5],
            "isLockedText": False,
            "isMarkdown": False,
            "releaseForms": {"users": [7, "x"], "guests": [8]},
        },
    ),
    "onlyfansapi pay-per-view": (
        "onlyfansapi",
        "acct_XXXX",
        Content(
            text="Exclusive content just for you 🔥",
            price_cents=1500,
            media=("ofapi_media_abc123",),
            include=smart("top_spenders_list_id"),
        ),
        ONLYFANS_PATH,
        BEARER,
        {
            "text": "Exclusive content just for you 🔥",
            "price": 15.00,
            "mediaFiles": ["ofapi_media_abc123"],
            "userLists": ["top_spenders_list_id"],
        },
    ),
    "onlyfansapi everything it offers": (
        "onlyfansapi",
        "acct_XXXX",
        Content(
            text="Hello!",
            include=(*smart("fans"), *custom("1234567890")),
            exclude=smart("tagged"),
            users=("1234567890",),
            locked_text=True,
            price_cents=1500,
            media=("ofapi_media_abc123", "1234567890", "3"),
            preview_media=2,
            giphy="WAGC3LeqJvXglm5H7a",
            save_for_later=False,
            tag_users=TagUsers(creators=("1", "2"), partners=("3",)),
        ),
        ONLYFANS_PATH,
        BEARER,
        {
            "text": "Hello!",
            "userLists": ["fans", "1234567890"],
            "excludedLists": ["tagged"],
            "userIds": ["1234567890"],
            "lockedText": True,
            "price": 15.0,
            "mediaFiles": ["ofapi_media_abc123", "1234567890", "3"],
            "previews": ["ofapi_media_abc123", "1234567890"],
            "giphyId": "WAGC3LeqJvXglm5H7a",
            "rfTag": "1,2",
            "rfPartner": "3",
            "saveForLater": False,
        },
    ),
    "onlyfansapi previews by id": (
        "onlyfansapi",
        "acct_XXXX",
        Content(text="p", include=smart("fans"), media=("1", "2"), preview_media=("2",), price_cents=300),
        ONLYFANS_PATH,
        BEARER,
        {"text": "p", "userLists": ["fans"], "mediaFiles": ["1", "2"], "previews": ["2"], "price": 3.0},
    ),
}

# OnlyFansAPI reference, "Send Mass Message", with `price` a number and files strings or integers.
_STRINGS = {"type": "array", "items": {"type": "string"}}
_FILES = {"type": "array", "items": {"type": ["string", "integer"]}}
ONLYFANS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text"],
    "properties": {
        "userLists": _STRINGS,
        "excludedLists": _STRINGS,
        "userIds": _STRINGS,
        "text": {"type": "string"},
        "lockedText": {"type": "boolean"},
        "price": {"type": "number"},
        "mediaFiles": _FILES,
        "previews": _FILES,
        "giphyId": {"type": "string"},
        "rfTag": {"type": "string"},
        "rfPartner": {"type": "string"},
        "rfGuest": {"type": "string"},
        "scheduledDate": {"type": "string"},
        "saveForLater": {"type": "boolean"},
    },
}

RECEIPTS = {
    "fanvue": Receipt("5c0f7d52", 3, status=201),
    "frontrow": Receipt("mm_9a3c1b04", 847, status=202),
    "ofauth": Receipt("12345", 150, status=200),
    "onlyfansapi": Receipt("123", None, status=200),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_sent(
    client: Client, case: tuple[str, str | None, Content, str, dict[str, str], dict[str, Any]]
) -> None:
    name, account, content, path, headers, body = case
    with StandIn() as platform:
        receipt = send(
            PLATFORMS[name],
            client,
            PLATFORMS[name].request(Account(platform.url, account, SECRET), content),
            SECRET,
            Guard(inf),
        )
    (seen,) = platform.seen
    assert (seen.method, seen.path, platform.faults) == ("POST", path, [])
    assert seen.json() == body
    assert receipt == RECEIPTS[name]
    ours = {"accept", "content-type", "user-agent", "host", "content-length"}
    assert {name: value for name, value in seen.headers.items() if name not in ours} == headers


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case[0] == "onlyfansapi"], ids=lambda case: case[2].text
)
def test_onlyfansapi_requests_fit_its_schema(case: Any) -> None:
    name, account, content, *_ = case
    request = PLATFORMS[name].request(Account("https://x", account, SECRET), content)
    Draft202012Validator(ONLYFANS_SCHEMA).validate(request.json)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_frozen_content_sends_the_same(name: str) -> None:
    account = Account("https://x", "acct", SECRET)
    for _, _, content, *_ in CASES.values():
        thawed = Content.model_validate_json(content.frozen())
        assert PLATFORMS[name].request(account, thawed) == PLATFORMS[name].request(account, content)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_name_that_was_not_looked_up_stops_everything(name: str) -> None:
    content = Content(text="x", include=(ListRef(kind="name", value="VIP"),))
    with pytest.raises(AssertionError, match="looked up"):
        PLATFORMS[name].request(Account("https://x", "acct", SECRET), content)


@pytest.mark.parametrize("name", PLATFORMS)
def test_no_secret_in_what_may_be_printed(name: str) -> None:
    account = Account("https://x", "acct", SECRET)
    request = PLATFORMS[name].request(account, Content(text="x", include=smart("fans")))
    assert SECRET in str(request.headers)
    assert SECRET not in f"{account!r}{request!r}{account}{request}"


@pytest.mark.parametrize("name", ["ofauth", "onlyfansapi"])
def test_every_price_is_exact_to_the_cent(name: str) -> None:
    account = Account("https://x", "acct", SECRET)
    for cents in range(300, 20_001):
        request = PLATFORMS[name].request(account, Content(text="x", media=("1",), price_cents=cents))
        dollars = encoded(request).partition(b'"price":')[2].partition(b",")[0].rstrip(b"}").decode()
        assert f"{float(dollars):.2f}" == f"{cents // 100}.{cents % 100:02}"
        assert len(dollars.partition(".")[2]) <= 2


def test_the_known_numbers() -> None:
    limits = {name: platform.limits for name, platform in PLATFORMS.items()}
    assert {name: str(limit.broadcasts) for name, limit in limits.items() if limit.broadcasts} == {"frontrow": "10/1h"}
    assert {name: limit.text for name, limit in limits.items() if limit.text} == {
        "fanvue": 5_000,
        "ofauth": 10_000,
    }
    assert [limits[name].price_cents for name in PLATFORMS] == [
        (200, None),
        (200, None),
        (300, 20_000),
        (300, 20_000),
    ]
    assert {name for name, limit in limits.items() if limit.needs_account} == {"ofauth", "onlyfansapi"}
    assert {name for name, limit in limits.items() if not limit.takes_account} == {"frontrow"}
    assert {name for name, limit in limits.items() if limit.needs_text} == {"onlyfansapi"}
