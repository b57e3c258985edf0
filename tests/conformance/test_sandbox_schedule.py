"""The platforms' own schedulers: kept, changed, withdrawn, sent at their time to whom the lists name then."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.sandbox import Sandbox
from sandbox_calls import PATHS, SIMPLE, Reply, look, send, write

SCHEDULERS = ("fanvue", "ofauth", "onlyfansapi")
FIELD = {"fanvue": "scheduledAt", "ofauth": "scheduledDate", "onlyfansapi": "scheduledDate"}
METHOD = {"fanvue": "PATCH", "ofauth": "PUT", "onlyfansapi": "PUT"}
LATE = {"fanvue": 400, "ofauth": 400, "onlyfansapi": 409}
DELETED = {"fanvue": 204, "ofauth": 200, "onlyfansapi": 200}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def ahead(seconds: float) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place(sandbox: Sandbox, platform: str, seconds: float, **more: object) -> str:
    reply = send(sandbox, platform, {**SIMPLE[platform], FIELD[platform]: ahead(seconds), **more})
    assert reply.status < 300
    assert sandbox.scheduled()[-1].platform == platform
    return sandbox.scheduled()[-1].message_id


def on(sandbox: Sandbox, platform: str, message_id: str, method: str, body: object = None) -> Reply:
    return write(sandbox, platform, method, f"{PATHS[platform]}/{message_id}", body)


def listed(sandbox: Sandbox, platform: str, query: str = "") -> list[dict[str, Any]]:
    body: Any = look(sandbox, platform, PATHS[platform] + query).json()
    rows = body["list"] if platform == "ofauth" else body["data"]
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize("platform", SCHEDULERS)
def test_a_scheduled_one_waits_and_goes_out_to_those_who_are_on_the_list_then(sandbox: Sandbox, platform: str) -> None:
    account = sandbox.account(platform)
    message_id = place(sandbox, platform, 0.2)
    assert sandbox.deliveries() == []
    list_id = "1" if platform == "ofauth" else "fans" if platform == "onlyfansapi" else "subscribers"
    kept = account.lists[list_id]
    account.lists[list_id] = type(kept)(kept.kind, kept.id, kept.name, kept.members[:3])
    until = time.monotonic() + 5
    while not sandbox.deliveries() and time.monotonic() < until:
        time.sleep(0.02)
    (delivery,) = sandbox.deliveries()
    assert (delivery.message_id, set(delivery.recipients)) == (message_id, set(kept.members[:3]))
    assert delivery.goes_at - delivery.arrived_at == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("platform", SCHEDULERS)
def test_it_counts_in_the_limit_when_it_goes_out(sandbox: Sandbox, platform: str) -> None:
    sandbox.limit(platform, 1, 90)
    place(sandbox, platform, 60)
    assert send(sandbox, platform).status < 300
    sandbox.world.backstage.clock.run(time.time() + 59.9)
    assert len(sandbox.over_limit) == 0
    sandbox.world.backstage.clock.run(time.time() + 60)
    assert len(sandbox.deliveries()) == len(sandbox.over_limit) == 1
    assert sandbox.scheduled()[0].failed
    assert send(sandbox, platform).status == 429


@pytest.mark.parametrize("platform", SCHEDULERS)
def test_content_and_time_can_be_changed_before(sandbox: Sandbox, platform: str) -> None:
    message_id = place(sandbox, platform, 30)
    body = {**SIMPLE[platform], "text": "Changed", FIELD[platform]: ahead(60)}
    assert on(sandbox, platform, message_id, METHOD[platform], body).status in (200, 204)
    sandbox.world.backstage.clock.run(time.time() + 40)
    assert sandbox.deliveries() == []
    sandbox.world.backstage.clock.run(time.time() + 60)
    (delivery,) = sandbox.deliveries()
    assert delivery.body["text"] == "Changed"
    again = on(sandbox, platform, message_id, METHOD[platform], body | {FIELD[platform]: ahead(60)})
    assert again.status == LATE[platform]
    for wrong in ({"text": 7}, {"surprise": 1}):
        assert on(sandbox, platform, place(sandbox, platform, 60), METHOD[platform], wrong).status in (400, 422)
    assert on(sandbox, platform, "1", METHOD[platform], body).status == 404


@pytest.mark.parametrize("platform", SCHEDULERS)
def test_a_deleted_one_never_goes_out_and_is_gone(sandbox: Sandbox, platform: str) -> None:
    message_id = place(sandbox, platform, 60)
    assert len(listed(sandbox, platform)) == 1
    assert on(sandbox, platform, message_id, "DELETE").status == DELETED[platform]
    assert listed(sandbox, platform) == []
    assert on(sandbox, platform, message_id, "DELETE").status == 404
    sandbox.world.backstage.clock.run(time.time() + 60)
    assert sandbox.deliveries() == []


@pytest.mark.parametrize("platform", SCHEDULERS)
def test_a_sent_one_can_be_unsent_for_a_while(sandbox: Sandbox, platform: str) -> None:
    send(sandbox, platform)
    message_id = sandbox.deliveries()[-1].message_id
    sandbox.world.backstage.unsend_seconds = 0
    assert on(sandbox, platform, message_id, "DELETE").status == LATE[platform]
    if platform != "fanvue":
        assert [row["canUnsend"] for row in listed(sandbox, platform)] == [False]
    sandbox.world.backstage.unsend_seconds = 60
    assert on(sandbox, platform, message_id, "DELETE").status == DELETED[platform]
    assert sandbox.deliveries()[-1].withdrawn
    assert on(sandbox, platform, message_id, "DELETE").status == 404
    assert on(sandbox, platform, "1", "DELETE").status == 404


def test_fanvue_shows_what_is_scheduled_and_keeps_what_a_change_leaves_out(sandbox: Sandbox) -> None:
    media = "3ed1a000-0000-4000-8000-00000000000a"
    vip = {"smartListUuids": ["top_spenders"]}
    message_id = place(sandbox, "fanvue", 60, mediaUuids=[media], price=999, excludedLists=vip)
    reply = on(sandbox, "fanvue", message_id, "PATCH", {"text": "New words"})
    assert (reply.status, reply.body) == (204, b"")
    (row,) = listed(sandbox, "fanvue")
    assert (row["status"], row["text"], row["price"], row["publishedAt"]) == ("SCHEDULED", "New words", 999, None)
    assert row["scheduledAt"][:19] == datetime.fromtimestamp(sandbox.scheduled()[0].goes_at, UTC).isoformat()[:19]
    cleared: dict[str, Any] = {
        "price": None,
        "mediaUuids": [],
        "excludedLists": {"smartListUuids": [], "customListUuids": []},
    }
    assert on(sandbox, "fanvue", message_id, "PATCH", cleared).status == 204
    assert set(sandbox.scheduled()[0].body) == {"text", "includedLists"}
    assert on(sandbox, "fanvue", message_id, "PATCH", {"text": ""}).status == 400
    assert on(sandbox, "fanvue", message_id, "DELETE").status == 204
    assert [row["status"] for row in listed(sandbox, "fanvue", "?includeDeleted=true")] == ["UNSENT"]


def test_the_answers_of_the_two_proxies(sandbox: Sandbox) -> None:
    first = send(sandbox, "ofauth", {**SIMPLE["ofauth"], "scheduledDate": "2099-01-01T00:00:00Z"}).json()
    assert (first["date"], first["scheduledDate"]) == ("2099-01-01T00:00:00+00:00",) * 2
    assert [row["id"] for row in listed(sandbox, "ofauth", "?type=scheduled")] == [first["id"]]
    assert listed(sandbox, "ofauth", "?type=sent") == []
    single = look(sandbox, "ofauth", f"{PATHS['ofauth']}/{first['id']}").json()
    assert (single["text"], single["canUnsendQueue"]) == ("<p>Hello</p>", True)
    gone: Any = on(sandbox, "ofauth", str(first["id"]), "DELETE").json()
    assert (gone["success"], gone["queue"]["isCanceled"]) == (True, True)
    second: Any = send(
        sandbox, "onlyfansapi", {**SIMPLE["onlyfansapi"], "scheduledDate": "2099-01-01T00:00:00.000Z"}
    ).json()
    assert second["data"]["date"] == "2099-01-01T00:00:00+00:00"
    deleted: Any = on(sandbox, "onlyfansapi", str(second["data"]["id"]), "DELETE").json()
    assert deleted["data"]["queue"]["isCanceled"] is True
    assert look(sandbox, "onlyfansapi", f"{PATHS['onlyfansapi']}/{second['data']['id']}").status == 404


def test_ofauth_keeps_recipients_that_a_change_does_not_name_and_onlyfansapi_loses_exclusions(sandbox: Sandbox) -> None:
    kept = place(sandbox, "ofauth", 60, excludeUserLists=[2])
    changed = {"text": "Updated", "scheduledDate": ahead(90)}
    assert on(sandbox, "ofauth", kept, "PUT", changed).status == 200
    assert sandbox.scheduled()[0].body["excludeUserLists"] == [2]
    lost = place(sandbox, "onlyfansapi", 60, excludedLists=["2"])
    assert on(sandbox, "onlyfansapi", lost, "PUT", {"text": "Updated", "excludedLists": ["2"]}).status == 422
    assert on(sandbox, "onlyfansapi", lost, "PUT", {"text": "Updated", "userLists": ["fans"]}).status == 200
    assert set(sandbox.scheduled()[1].body) == {"text", "userLists"}
    assert sandbox.scheduled()[1].waits


def test_an_upload_that_a_message_used_up_may_be_named_again_by_its_change(sandbox: Sandbox) -> None:
    upload = {"mediaFiles": ["ofapi_media_abc123"]}
    message_id = place(sandbox, "onlyfansapi", 60, **upload)
    assert send(sandbox, "onlyfansapi", SIMPLE["onlyfansapi"] | upload).status == 422
    assert on(sandbox, "onlyfansapi", message_id, "PUT", SIMPLE["onlyfansapi"] | upload).status == 200
