"""Lists that are made and filled at the sandbox, request rates, and who a key belongs to."""

from collections.abc import Iterator
from typing import Any

import pytest

from console.sandbox import Rate, Sandbox
from sandbox_calls import PLATFORMS, Reply, call, headers_for, look, send, write

NEW = {
    "fanvue": "/chats/lists/custom",
    "ofauth": "/v2/access/users/lists",
    "onlyfansapi": "/api/acct_demo/user-lists",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def made(sandbox: Sandbox, platform: str, name: str = "New ones") -> str:
    body: Any = write(sandbox, platform, "POST", NEW[platform], {"name": name}).json()
    found = body["data"]["id"] if platform == "onlyfansapi" else body.get("uuid", body.get("id"))
    return str(found)


@pytest.mark.parametrize("platform", NEW)
def test_a_list_that_was_made_is_there_and_takes_broadcasts(sandbox: Sandbox, platform: str) -> None:
    list_id = made(sandbox, platform)
    assert sandbox.account(platform).lists[list_id].name == "New ones"
    assert sandbox.account(platform).lists[list_id].members == ()
    bodies = {
        "fanvue": {"text": "Hi", "includedLists": {"customListUuids": [list_id]}},
        "ofauth": {"text": "Hi", "userLists": [list_id]},
        "onlyfansapi": {"text": "Hi", "userLists": [list_id]},
    }
    assert send(sandbox, platform, bodies[platform]).status < 300
    for wrong in ({}, {"name": ""}, {"name": 7}, {"name": "x", "more": 1}):
        assert write(sandbox, platform, "POST", NEW[platform], wrong).status in (400, 422)


def test_fanvue_takes_a_name_once_and_a_hundred_fans_at_once(sandbox: Sandbox) -> None:
    list_id = made(sandbox, "fanvue")
    assert write(sandbox, "fanvue", "POST", NEW["fanvue"], {"name": "New ones"}).status == 409
    managed = f"/creators/c0ffee00-0000-4000-8000-000000000002{NEW['fanvue']}"
    assert write(sandbox, "fanvue", "POST", managed, {"name": "Theirs"}).status == 404
    fans = [fan.id for fan in sandbox.account("fanvue").fans]
    path = f"{NEW['fanvue']}/{list_id}/members"
    assert write(sandbox, "fanvue", "POST", path, {"userUuids": fans[:3]}).json() == {"added": 3, "skipped": 0}
    nobody = "00000000-0000-4000-8000-000000000000"
    reply = write(sandbox, "fanvue", "POST", path, {"userUuids": [*fans[1:5], nobody]})
    assert (reply.status, reply.json()) == (201, {"added": 2, "skipped": 3})
    assert sandbox.account("fanvue").lists[list_id].members == tuple(fans[:5])
    for wrong in (["usr_1"], [], [nobody] * 101):
        assert write(sandbox, "fanvue", "POST", path, {"userUuids": wrong}).status == 400
    assert write(sandbox, "fanvue", "POST", f"{NEW['fanvue']}/nolist/members", {"userUuids": fans}).status == 404


def test_ofauth_takes_one_fan_at_a_time_and_onlyfansapi_names_those_it_took(sandbox: Sandbox) -> None:
    list_id = made(sandbox, "ofauth")
    path = f"{NEW['ofauth']}/{list_id}/users"
    replies = [write(sandbox, "ofauth", "POST", f"{path}/{fan}") for fan in ("123", "456", "456", "5")]
    assert [reply.status for reply in replies] == [200, 200, 200, 404]
    assert replies[2].json()["list"]["usersCount"] == 2  # type: ignore[index]
    assert write(sandbox, "ofauth", "POST", f"{NEW['ofauth']}/fans/users/123").status == 400
    list_id = made(sandbox, "onlyfansapi")
    path = f"{NEW['onlyfansapi']}/{list_id}/users"
    added = write(sandbox, "onlyfansapi", "POST", path, {"ids": ["123", "5", "456"]})
    assert added.json()["data"] == {list_id: ["123", "456"]}
    assert sandbox.account("onlyfansapi").lists[list_id].members == ("123", "456")
    assert write(sandbox, "onlyfansapi", "POST", path, {"ids": [123]}).status == 422


MEMBERS = {
    "fanvue": ("/chats/lists/smart/subscribers?page={page}&size=7", "data", "uuid"),
    "frontrow": (
        "/api/v1/chats/lists/custom/7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11/members?page={page}&size=7",
        "data",
        "id",
    ),
    "ofauth": ("/v2/access/users/lists/1/users?limit=7&offset={offset}", "list", "id"),
    "onlyfansapi": ("/api/acct_demo/user-lists/fans/users?limit=10&offset={ten}", "data", "id"),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_members_come_page_by_page_to_the_end(sandbox: Sandbox, platform: str) -> None:
    path, key, name = MEMBERS[platform]
    seen: list[str] = []
    for page in range(12):
        body: Any = look(sandbox, platform, path.format(page=page + 1, offset=page * 7, ten=page * 10)).json()[key]
        seen += [str(row[name]) for row in (body["list"] if isinstance(body, dict) else body)]
    kept = {"fanvue": "subscribers", "frontrow": "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11", "ofauth": "1"}
    assert tuple(seen) == sandbox.account(platform).lists[kept.get(platform, "fans")].members


def test_onlyfansapi_says_where_the_next_page_is_and_which_lists_its_queue_takes(sandbox: Sandbox) -> None:
    first: Any = look(sandbox, "onlyfansapi", "/api/acct_demo/user-lists?view=queue&limit=10").json()
    assert not {"following", "muted"} & {row["id"] for row in first["data"]}
    assert first["_pagination"] == {"next_page": None}
    whole: Any = look(sandbox, "onlyfansapi", "/api/acct_demo/user-lists?limit=10").json()
    onward = whole["_pagination"]["next_page"]
    assert onward.startswith(sandbox.urls["onlyfansapi"])
    rest: Any = look(sandbox, "onlyfansapi", onward.removeprefix(sandbox.urls["onlyfansapi"])).json()
    assert len(whole["data"] + rest["data"]) == len(sandbox.account("onlyfansapi").lists)


def test_which_accounts_a_key_opens_and_whether_they_are_linked(sandbox: Sandbox) -> None:
    sandbox.link("ofauth", "conn_demo_two", False)
    sandbox.link("onlyfansapi", "acct_demo_two", False)
    rows: Any = look(sandbox, "ofauth", "/v2/account/connections").json()["list"]
    assert {row["id"]: row["status"] for row in rows} == {"conn_demo": "active", "conn_demo_two": "expired"}
    rows = look(sandbox, "onlyfansapi", "/api/accounts").json()["data"]
    assert {row["id"]: row["is_authenticated"] for row in rows} == {"acct_demo": True, "acct_demo_two": False}
    gone = look(sandbox, "onlyfansapi", "/api/acct_demo_two/user-lists")
    assert (gone.status, gone.json()["error"]) == (401, "ONLYFANS_SESSION_EXPIRED")
    managed: Any = look(sandbox, "fanvue", "/creators").json()["data"]
    assert [row["uuid"] for row in managed] == ["c0ffee00-0000-4000-8000-000000000002"]


LOOKS = {
    "fanvue": "/chats/lists/smart",
    "frontrow": "/api/v1/chats/lists/smart",
    "ofauth": "/v2/access/users/lists",
    "onlyfansapi": "/api/acct_demo/user-lists",
}
TELLS = {
    "fanvue": ("x-ratelimit-limit", "x-ratelimit-remaining"),
    "ofauth": ("x-ratelimit-limit", "x-ratelimit-remaining"),
    "onlyfansapi": ("x-rate-limit-limit-minute", "x-rate-limit-remaining-minute"),
}


def asked(sandbox: Sandbox, platform: str, times: int) -> list[Reply]:
    return [look(sandbox, platform, LOOKS[platform]) for _ in range(times)]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_who_asks_too_often_is_told_when_to_come_again(sandbox: Sandbox, platform: str) -> None:
    sandbox.rate(platform, Rate(60, burst=3))
    replies = asked(sandbox, platform, 5)
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert replies[3].headers["retry-after"] == "1"
    if platform in TELLS:
        limit, left = TELLS[platform]
        told = [(reply.headers[limit], reply.headers[left]) for reply in replies]
        assert told == [("60", "2"), ("60", "1"), ("60", "0"), ("60", "0"), ("60", "0")]
    (row,) = call(sandbox.control_url, "GET", "/rates", {}).rows()
    assert (row["kind"], row["calls"], row["refused"]) == ("read", 5, 2)
    order = {"platform": platform, "minute": None}
    assert call(sandbox.control_url, "POST", "/rates", {}, order).status == 200
    assert {reply.status for reply in asked(sandbox, platform, 5)} == {200}


def test_rates_are_of_an_account_or_a_key_and_of_reads_and_writes(sandbox: Sandbox) -> None:
    for platform in PLATFORMS:
        sandbox.rate(platform, Rate(60, burst=1, writes=1 if platform == "frontrow" else None))
    statuses = {platform: [reply.status for reply in asked(sandbox, platform, 2)] for platform in PLATFORMS}
    assert statuses == {platform: [200, 429] for platform in PLATFORMS}
    assert send(sandbox, "frontrow").status == 202
    assert send(sandbox, "fanvue").status == 429
    other = headers_for(sandbox, "ofauth") | {"x-connection-id": "conn_demo_two"}
    assert call(sandbox.urls["ofauth"], "GET", LOOKS["ofauth"], other).status == 200
    managed = f"/creators/c0ffee00-0000-4000-8000-000000000002{LOOKS['fanvue']}"
    assert look(sandbox, "fanvue", managed).status == 200
    assert look(sandbox, "onlyfansapi", "/api/acct_demo_two/user-lists").status == 429
