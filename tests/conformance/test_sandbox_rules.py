"""The sandbox takes what the platforms' documents show, and nothing that they refuse."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from console.sandbox import Sandbox
from sandbox_calls import PATHS, PLATFORMS, SIMPLE, call, headers_for, look, send

VIP = "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"
MEDIA = "3ed1a000-0000-4000-8000-00000000000a"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        for platform in PLATFORMS:
            running.limit(platform, 1_000, 1)
            running.rate(platform, None)
        yield running


SHOWN: list[tuple[str, dict[str, object], list[str], list[str]]] = [
    (
        "frontrow",
        {
            "text": "New PPV drop tonight at 8pm — first 100 fans get it free.",
            "includeLists": [{"type": "smart", "id": "subscribers"}],
            "excludeLists": [{"type": "smart", "id": "recent_tippers"}],
        },
        ["subscribers"],
        ["recent_tippers"],
    ),
    (
        "frontrow",
        {
            "text": "Behind-the-scenes from yesterday's shoot.",
            "media": ["med_a1b2c3", "med_d4e5f6"],
            "priceCents": 999,
            "includeLists": [{"type": "smart", "id": "top_spenders"}],
        },
        ["top_spenders"],
        [],
    ),
    (
        "fanvue",
        {
            "includedLists": {"smartListUuids": ["subscribers"], "customListUuids": [VIP]},
            "excludedLists": {"smartListUuids": ["muted"]},
            "text": "New set",
            "mediaUuids": [MEDIA],
            "price": 999,
        },
        ["subscribers", VIP],
        ["muted"],
    ),
    (
        "ofauth",
        {"text": "Exclusive offer! 🎁", "userLists": [1, 2], "excludeUserLists": [3, 4]},
        ["1", "2"],
        ["3", "4"],
    ),
    (
        "ofauth",
        {
            "text": "Exclusive content you don't want to miss! 🔒",
            "mediaItems": [12345, 12346],
            "price": 14.99,
            "previewMediaCount": 1,
            "userLists": [1],
        },
        ["1"],
        [],
    ),
    (
        "onlyfansapi",
        {
            "text": "Exclusive content just for you 🔥",
            "price": 15.00,
            "mediaFiles": ["1234567890"],
            "lockedText": True,
            "userLists": ["fans", "2"],
            "excludedLists": ["rebill_off"],
        },
        ["fans", "2"],
        ["rebill_off"],
    ),
]


@pytest.mark.parametrize(("platform", "body", "include", "exclude"), SHOWN)
def test_what_the_documents_show_is_taken_by_everybody_but_the_excluded(
    sandbox: Sandbox, platform: str, body: dict[str, object], include: list[str], exclude: list[str]
) -> None:
    assert send(sandbox, platform, body).status in (200, 201, 202)
    delivery = sandbox.deliveries()[-1]
    lists = sandbox.account(platform).lists
    wanted = {fan for name in include for fan in lists[name].members}
    unwanted = {fan for name in exclude for fan in lists[name].members}
    assert len(delivery.recipients) == len(set(delivery.recipients))
    assert set(delivery.recipients) == wanted - unwanted != set()
    assert (delivery.platform, delivery.account) == (platform, sandbox.accounts[platform])
    assert delivery.body == body


def test_single_users_and_late_subscribers(sandbox: Sandbox) -> None:
    send(sandbox, "ofauth", {"text": "Hey", "userIds": [123, 456, 789, 1011, 1213]})
    assert sandbox.deliveries()[-1].recipients == ("123", "456", "789", "1011", "1213")
    send(sandbox, "onlyfansapi", {"text": "Hey", "userIds": ["456", "123"], "excludedLists": ["4"]})
    assert sandbox.deliveries()[-1].recipients == ("123", "456")
    send(sandbox, "ofauth", {"text": "Hi", "userLists": [1], "subscribedAfterDate": "2025-01-01T00:00:00Z"})
    late = set(sandbox.deliveries()[-1].recipients)
    joined = {fan.id: fan.joined.year for fan in sandbox.account("ofauth").fans}
    assert late == {fan for fan in sandbox.account("ofauth").lists["1"].members if joined[fan] >= 2025} != set()
    send(sandbox, "ofauth", {"text": "Hi", "subscribedAfterDate": "2025-01-01T00:00:00Z"})
    assert set(sandbox.deliveries()[-1].recipients) == late


def test_the_answers_have_the_documented_shape(sandbox: Sandbox) -> None:
    replies = {platform: send(sandbox, platform) for platform in PLATFORMS}
    sent = {delivery.platform: delivery for delivery in sandbox.deliveries()[-4:]}
    fanvue, frontrow = replies["fanvue"].json(), replies["frontrow"].json()
    assert [replies[platform].status for platform in PLATFORMS] == [201, 202, 201, 200]
    assert set(fanvue) == {"id", "recipientCount", "createdAt"}
    assert set(frontrow) == {"id", "recipientCount", "queuedAt"}
    assert str(frontrow["id"]).startswith("mm_")
    for platform in ("fanvue", "frontrow"):
        assert replies[platform].json()["recipientCount"] == len(sent[platform].recipients)
        assert replies[platform].json()["id"] == sent[platform].message_id
    ofauth, onlyfansapi = replies["ofauth"].json(), replies["onlyfansapi"].json()
    assert ofauth["total"] == len(sent["ofauth"].recipients)
    assert str(ofauth["id"]) == sent["ofauth"].message_id
    assert set(onlyfansapi) == {"data", "_meta"}
    entry = onlyfansapi["data"]
    assert isinstance(entry, dict)
    assert set(entry) == set(ofauth)
    assert str(entry["id"]) == sent["onlyfansapi"].message_id


def test_a_message_kept_for_later_reaches_nobody_and_an_upload_works_once(sandbox: Sandbox) -> None:
    kept = {"text": "Later", "userLists": ["fans"], "saveForLater": True}
    assert send(sandbox, "onlyfansapi", kept).status == 200
    assert sandbox.deliveries()[-1].recipients == ()
    upload = {"text": "Once", "userLists": ["fans"], "mediaFiles": ["ofapi_media_abc123"]}
    assert [send(sandbox, "onlyfansapi", upload).status for _ in range(2)] == [200, 422]


def test_each_key_and_account_has_fans_of_its_own(sandbox: Sandbox) -> None:
    managed = "c0ffee00-0000-4000-8000-000000000002"
    headers = headers_for(sandbox, "fanvue")
    path = f"/creators/{managed}/chats/mass-messages"
    assert call(sandbox.urls["fanvue"], "POST", path, headers, SIMPLE["fanvue"]).status == 201
    theirs = sandbox.deliveries()[-1]
    second = headers_for(sandbox, "frontrow") | {"Authorization": "Bearer fr_demo_key_two"}
    assert call(sandbox.urls["frontrow"], "POST", PATHS["frontrow"], second, SIMPLE["frontrow"]).status == 202
    assert [delivery.account for delivery in sandbox.deliveries()[-2:]] == [managed, "usr_demo_two"]
    assert set(theirs.recipients).isdisjoint(fan.id for fan in sandbox.account("fanvue").fans)


def test_the_same_seed_makes_the_same_world() -> None:
    first, again, other = Sandbox(), Sandbox(), Sandbox(seed=2)
    for platform in PLATFORMS:
        assert first.account(platform).fans == again.account(platform).fans
        assert first.account(platform).fans != other.account(platform).fans


LISTS = {
    "fanvue": "includedLists",
    "frontrow": "includeLists",
    "ofauth": "userLists",
    "onlyfansapi": "userLists",
}
EMPTY: dict[str, Any] = {"fanvue": {"smartListUuids": []}, "frontrow": [], "ofauth": [], "onlyfansapi": []}
WRONG: list[tuple[str, dict[str, Any]]] = [
    *((platform, {"surprise": 1}) for platform in PLATFORMS),
    *((platform, {"text": 7}) for platform in PLATFORMS),
    *((platform, {"text": None}) for platform in PLATFORMS),
    *((platform, {"text": ""}) for platform in PLATFORMS),
    *((platform, {LISTS[platform]: EMPTY[platform]}) for platform in PLATFORMS),
    ("fanvue", {"includedLists": {}}),
    ("fanvue", {"includedLists": {"smartListUuids": ["SUBSCRIBERS"]}}),
    ("fanvue", {"includedLists": {"smartListUuids": ["nobody_knows"]}}),
    ("fanvue", {"includedLists": {"smartListUuids": [VIP]}}),
    ("fanvue", {"includedLists": {"customListUuids": ["subscribers"]}}),
    ("fanvue", {"includedLists": {"smartListTypes": ["subscribers"]}}),
    ("fanvue", {"excludedLists": {}}),
    ("fanvue", {"excludedLists": {"customListUuids": ["7f0c9a52-0000-4a53-a1b5-3f1f0e1f2a11"]}}),
    ("fanvue", {"text": "x" * 5_001}),
    ("fanvue", {"price": 999}),
    ("fanvue", {"price": 199, "mediaUuids": [MEDIA]}),
    ("fanvue", {"price": 9.99, "mediaUuids": [MEDIA]}),
    ("fanvue", {"price": "999", "mediaUuids": [MEDIA]}),
    ("fanvue", {"mediaUuids": []}),
    ("fanvue", {"mediaUuids": [MEDIA[:-1] + "9"]}),
    ("fanvue", {"mediaUuids": [MEDIA[:-1] + "c"]}),
    ("fanvue", {"scheduledAt": "2020-01-01T00:00:00Z"}),
    ("fanvue", {"scheduledAt": "2099-01-01T00:00:00"}),
    ("fanvue", {"scheduledAt": "tomorrow"}),
    ("fanvue", {"scheduledDate": "2099-01-01T00:00:00Z"}),
    ("frontrow", {"scheduledAt": "2099-01-01T00:00:00Z"}),
    ("ofauth", {"scheduledDate": "2020-01-01T00:00:00Z"}),
    ("ofauth", {"scheduledAt": "2099-01-01T00:00:00Z"}),
    ("frontrow", {"includeLists": [{"type": "smart", "id": "Subscribers"}]}),
    ("frontrow", {"includeLists": [{"type": "smart", "id": VIP}]}),
    ("frontrow", {"includeLists": [{"type": "custom", "id": "subscribers"}]}),
    ("frontrow", {"includeLists": [{"type": "name", "id": "VIP"}]}),
    ("frontrow", {"includeLists": ["subscribers"]}),
    ("frontrow", {"include_lists": [{"type": "smart", "id": "subscribers"}]}),
    ("frontrow", {"excludeLists": []}),
    ("frontrow", {"priceCents": 999}),
    ("frontrow", {"priceCents": 199, "media": ["med_a1b2c3"]}),
    ("frontrow", {"priceCents": 999.0, "media": ["med_a1b2c3"]}),
    ("frontrow", {"media": ["med_nowhere"]}),
    ("frontrow", {"media": []}),
    ("ofauth", {"userLists": [99]}),
    ("ofauth", {"userLists": ["FANS"]}),
    ("ofauth", {"userLists": [True]}),
    ("ofauth", {"userIds": [5]}),
    ("ofauth", {"text": "x" * 10_001}),
    ("ofauth", {"price": 14.99}),
    ("ofauth", {"price": 2.99, "mediaItems": [12345]}),
    ("ofauth", {"price": 200.01, "mediaItems": [12345]}),
    ("ofauth", {"price": 9.999, "mediaItems": [12345]}),
    ("ofauth", {"price": "14.99", "mediaItems": [12345]}),
    ("ofauth", {"mediaItems": [54321]}),
    ("ofauth", {"mediaItems": ["clip.mp4"]}),
    ("ofauth", {"mediaItems": [12347]}),
    ("ofauth", {"previewMediaCount": 1}),
    ("ofauth", {"isLockedText": 1}),
    ("ofauth", {"subscribedAfterDate": "2024-01-01T00:00:00"}),
    ("ofauth", {"releaseForms": {"creators": [1]}}),
    ("onlyfansapi", {"userLists": [2]}),
    ("onlyfansapi", {"userLists": ["Fans"]}),
    ("onlyfansapi", {"userIds": ["5"]}),
    ("onlyfansapi", {"excludeLists": ["2"]}),
    ("onlyfansapi", {"price": 15}),
    ("onlyfansapi", {"price": 2, "mediaFiles": ["12345"]}),
    ("onlyfansapi", {"price": 201, "mediaFiles": ["12345"]}),
    ("onlyfansapi", {"mediaFiles": ["54321"]}),
    ("onlyfansapi", {"mediaFiles": [12345]}),
    ("onlyfansapi", {"mediaFiles": ["12345"], "previews": [1]}),
    ("onlyfansapi", {"mediaFiles": ["12345"], "previews": ["54321"]}),
    ("onlyfansapi", {"scheduledDate": "2020-01-01T00:00:00.000Z"}),
    ("onlyfansapi", {"scheduledDate": "2099-01-01T00:00:00+02:00"}),
    ("onlyfansapi", {"scheduledDate": "2099-01-01T00:00:00Z", "saveForLater": True}),
]
BAD_BODY = {"fanvue": 400, "frontrow": 400, "ofauth": 400, "onlyfansapi": 422}


def of_this_shape(platform: str, body: dict[str, Any]) -> bool:
    if platform == "fanvue":
        return [type(words) for words in body.pop("errors")] == [str] and not body
    if platform == "frontrow":
        return set(body) == {"error"}
    if platform == "ofauth":
        return set(body) == {"error", "type", "requestId"} and body["type"] == "BAD_REQUEST"
    return body["error"] == "VALIDATION_ERROR" and isinstance(body["errors"], dict)


@pytest.mark.parametrize(("platform", "change"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_body_is_refused_in_the_platforms_own_words(
    sandbox: Sandbox, platform: str, change: dict[str, Any]
) -> None:
    before = len(sandbox.deliveries())
    reply = send(sandbox, platform, SIMPLE[platform] | change)
    assert reply.status == BAD_BODY[platform]
    assert of_this_shape(platform, reply.json())
    assert len(sandbox.deliveries()) == before


@pytest.mark.parametrize("platform", PLATFORMS)
def test_neither_text_nor_media_nor_json_nor_lists(sandbox: Sandbox, platform: str) -> None:
    silent: object = {key: value for key, value in SIMPLE[platform].items() if key != "text"}
    bodies: list[object] = [silent, {"text": "Hello"}, [], b"{", b"", b'{"text": "Hello"']
    for body in bodies:
        assert send(sandbox, platform, body).status == BAD_BODY[platform]
    headers = headers_for(sandbox, platform) | {"Content-Type": "text/plain"}
    reply = call(sandbox.urls[platform], "POST", PATHS[platform], headers, SIMPLE[platform])
    assert reply.status == BAD_BODY[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_paths_methods_and_keys(sandbox: Sandbox, platform: str) -> None:
    url, path, headers = sandbox.urls[platform], PATHS[platform], headers_for(sandbox, platform)
    assert call(url, "GET", path, headers).status == (404 if platform == "frontrow" else 200)
    for method, where in (
        ("GET", path + "/"),
        ("PUT", path),
        ("DELETE", path),
        ("POST", path + "/"),
        ("POST", "/x"),
    ):
        assert call(url, method, where, headers, SIMPLE[platform]).status == 404
    name = "apikey" if platform == "ofauth" else "Authorization"
    keyless = {key: value for key, value in headers.items() if key != name}
    for wrong in (keyless, headers | {name: "Bearer nobody"}, headers | {name: ""}):
        reply = call(url, "POST", path, wrong, SIMPLE[platform])
        assert (reply.status, "error" in reply.json()) == (401, True)


def test_headers_that_one_platform_alone_asks_for(sandbox: Sandbox) -> None:
    fanvue = headers_for(sandbox, "fanvue")
    for version in ({}, {"X-Fanvue-API-Version": "2024-01-01"}):
        headers = {k: v for k, v in fanvue.items() if k != "X-Fanvue-API-Version"} | version
        reply = call(sandbox.urls["fanvue"], "POST", PATHS["fanvue"], headers, SIMPLE["fanvue"])
        assert (reply.status, set(reply.json())) == (400, {"error", "message"})
    ofauth = headers_for(sandbox, "ofauth")
    for connection, kind in ({}, "SESSION_NOT_PROVIDED"), ({"x-connection-id": "conn_x"}, "SESSION_EXPIRED"):
        headers = {k: v for k, v in ofauth.items() if k != "x-connection-id"} | connection
        reply = call(sandbox.urls["ofauth"], "POST", PATHS["ofauth"], headers, SIMPLE["ofauth"])
        assert (reply.status, reply.json()["type"]) == (401, kind)
    path, headers = "/api/acct_nobody/mass-messaging", headers_for(sandbox, "onlyfansapi")
    reply = call(sandbox.urls["onlyfansapi"], "POST", path, headers, SIMPLE["onlyfansapi"])
    assert (reply.status, reply.json()["error"]) == (404, "account_not_found")


PAGED = {
    "fanvue": ("/chats/lists/custom?page={page}&size=2", "data", "uuid"),
    "frontrow": ("/api/v1/chats/lists/custom?page={page}&size=2", "data", "id"),
    "ofauth": ("/v2/access/users/lists?limit=2&offset={offset}", "list", "id"),
    "onlyfansapi": ("/api/acct_demo/user-lists?limit=10&offset={offset_ten}", "data", "id"),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_lists_come_page_by_page(sandbox: Sandbox, platform: str) -> None:
    path, rows, key = PAGED[platform]
    seen: list[str] = []
    for page in range(1, 20):
        at = path.format(page=page, offset=2 * (page - 1), offset_ten=10 * (page - 1))
        found = look(sandbox, platform, at).json()[rows]
        assert isinstance(found, list)
        seen += [str(row[key]) for row in found]
    kinds = ("custom",) if platform in ("fanvue", "frontrow") else ("smart", "custom")
    assert seen == [kept.id for kept in sandbox.account(platform).lists.values() if kept.kind in kinds]


LOOKS = [
    ("fanvue", "/chats/lists/smart", 200),
    ("fanvue", "/chats/lists/smart/subscribers?size=50", 200),
    ("fanvue", f"/chats/lists/custom/{VIP}", 200),
    ("fanvue", "/chats/lists/custom/subscribers", 404),
    ("fanvue", "/chats/lists/custom?size=51", 400),
    ("fanvue", "/chats/lists/custom?page=0", 400),
    ("fanvue", f"/media/{MEDIA}", 200),
    ("fanvue", "/media/none", 404),
    ("fanvue", "/creators/nobody/chats/lists/smart", 404),
    ("frontrow", "/api/v1/chats/lists/smart", 200),
    ("frontrow", f"/api/v1/chats/lists/custom/{VIP}/members?page=1&size=10", 200),
    ("frontrow", "/api/v1/chats/lists/custom/none/members", 404),
    ("frontrow", "/api/v1/media/med_a1b2c3", 404),
    ("frontrow", "/api/v1/me", 200),
    ("fanvue", "/users/me", 200),
    ("fanvue", "/creators?size=50", 200),
    ("fanvue", "/media?size=50", 200),
    ("fanvue", "/insights/earnings?size=51", 400),
    ("ofauth", "/v2/account/whoami", 200),
    ("ofauth", "/v2/account/connections?status=active", 200),
    ("ofauth", "/v2/access/mass-messages?limit=21", 400),
    ("ofauth", "/v2/access/mass-messages/1", 404),
    ("onlyfansapi", "/api/whoami", 200),
    ("onlyfansapi", "/api/accounts", 200),
    ("onlyfansapi", "/api/acct_demo/user-lists?view=queue", 200),
    ("onlyfansapi", "/api/acct_demo/user-lists?view=all", 422),
    ("onlyfansapi", "/api/acct_demo/media/vault", 200),
    ("frontrow", "/chats/lists/smart", 404),
    ("ofauth", "/v2/access/users/lists/2/users?limit=100", 200),
    ("ofauth", "/v2/access/users/lists/99/users", 404),
    ("ofauth", "/v2/access/users/lists?limit=101", 400),
    ("ofauth", "/v2/access/vault/media", 200),
    ("onlyfansapi", "/api/acct_demo/user-lists/2/users", 200),
    ("onlyfansapi", "/api/acct_demo/user-lists?limit=9", 422),
    ("onlyfansapi", "/api/acct_demo/user-lists/99/users", 404),
    ("onlyfansapi", "/api/acct_demo/media/uploads/ofapi_media_none/status", 404),
]


@pytest.mark.parametrize(("platform", "path", "status"), LOOKS)
def test_looks(sandbox: Sandbox, platform: str, path: str, status: int) -> None:
    assert look(sandbox, platform, path).status == status


def test_what_looks_show(sandbox: Sandbox) -> None:
    smart = json.loads(look(sandbox, "fanvue", "/chats/lists/smart").body)
    counts = {one["uuid"]: one["count"] for one in smart}
    assert counts["subscribers"] == len(sandbox.account("fanvue").lists["subscribers"].members)
    assert look(sandbox, "fanvue", f"/media/{MEDIA[:-1]}c").json()["status"] == "processing"
    members = look(sandbox, "ofauth", "/v2/access/users/lists/4/users").json()
    assert members == {"list": [], "hasMore": False}
