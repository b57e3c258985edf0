"""The sandbox shows what it took in the way of each platform, whatever its client heard of it."""

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from console.sandbox import Fault, Sandbox
from console.sandbox.hypertext import of_markdown, of_plain
from sandbox_calls import PATHS, SIMPLE, call, headers_for, look, send

ASKED = {
    "fanvue": "/chats/mass-messages?includeDeleted=true",
    "ofauth": "/v2/access/analytics/mass-messages/sent",
    "onlyfansapi": "/api/acct_demo/mass-messaging",
}
MEDIA = "3ed1a000-0000-4000-8000-00000000000a"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        for platform in ASKED:
            running.limit(platform, 1_000, 1)
            running.rate(platform, None)
        yield running


def shown(sandbox: Sandbox, platform: str, path: str | None = None) -> list[dict[str, Any]]:
    body: Any = look(sandbox, platform, path or ASKED[platform]).json()
    rows = body["list"] if platform == "ofauth" else body["data"]
    assert isinstance(rows, list)
    return rows


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row.get("uuid", row.get("id"))) for row in rows]


def sent_ids(sandbox: Sandbox) -> list[str]:
    return [delivery.message_id for delivery in sandbox.deliveries()]


@pytest.mark.parametrize("platform", ASKED)
def test_newest_first_also_what_was_not_answered(sandbox: Sandbox, platform: str) -> None:
    assert shown(sandbox, platform) == []
    send(sandbox, platform)
    for fault in (Fault.accept_and_drop(), Fault.cut_body()):
        sandbox.faults.add(platform, fault)
        with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionResetError)):
            send(sandbox, platform)
    sandbox.faults.add(platform, Fault.status(500))
    assert send(sandbox, platform).status == 500
    assert ids(shown(sandbox, platform)) == sent_ids(sandbox)[::-1]
    assert len(sent_ids(sandbox)) == 3


@pytest.mark.parametrize("platform", ASKED)
def test_some_show_only_after_a_while(sandbox: Sandbox, platform: str) -> None:
    sandbox.faults.add(platform, Fault.accept_and_fail(hidden=5))
    assert send(sandbox, platform).status == 502
    send(sandbox, platform)
    assert ids(shown(sandbox, platform)) == sent_ids(sandbox)[1:]
    sandbox.account(platform).taken[0].hidden = 0
    assert ids(shown(sandbox, platform)) == sent_ids(sandbox)[::-1]


@pytest.mark.parametrize("platform", ASKED)
def test_an_account_shows_its_own_alone(sandbox: Sandbox, platform: str) -> None:
    headers, path, asked = headers_for(sandbox, platform), PATHS[platform], ASKED[platform]
    if platform == "ofauth":
        headers["x-connection-id"] = "conn_demo_two"
    elif platform == "onlyfansapi":
        path, asked = (one.replace("acct_demo", "acct_demo_two") for one in (path, asked))
    else:
        path, asked = (f"/creators/c0ffee00-0000-4000-8000-000000000002{one}" for one in (path, asked))
    assert call(sandbox.urls[platform], "POST", path, headers, SIMPLE[platform]).status < 300
    assert shown(sandbox, platform) == []
    rows = call(sandbox.urls[platform], "GET", asked, headers).json()["list" if platform == "ofauth" else "data"]
    assert isinstance(rows, list)
    assert ids(rows) == sent_ids(sandbox)


TIMES = {"fanvue": "createdAt", "ofauth": "createdAt", "onlyfansapi": "date"}


@pytest.mark.parametrize("platform", ASKED)
def test_times_are_whole_seconds(sandbox: Sandbox, platform: str) -> None:
    send(sandbox, platform)
    (row,) = shown(sandbox, platform)
    at = datetime.fromisoformat(row[TIMES[platform]])
    assert at == datetime.fromtimestamp(int(sandbox.deliveries()[0].arrived_at), UTC)


def test_fanvue_shows_text_media_price_and_people(sandbox: Sandbox) -> None:
    paid = SIMPLE["fanvue"] | {"text": "New <set> & more", "mediaUuids": [MEDIA], "price": 999}
    del paid["text"]
    for body in (SIMPLE["fanvue"], paid | {"text": "New <set> & more"}, paid):
        assert send(sandbox, "fanvue", body).status == 201
    rows = shown(sandbox, "fanvue")[::-1]
    assert [(row["text"], row["mediaUuids"], row["price"], row["status"]) for row in rows] == [
        ("Hello", [], None, "SENT"),
        ("New <set> & more", [MEDIA], 999, "SENT"),
        (None, [MEDIA], 999, "SENT"),
    ]
    assert [row["recipientCount"] for row in rows] == [len(one.recipients) for one in sandbox.deliveries()]


def test_fanvue_shows_deleted_ones_if_asked(sandbox: Sandbox) -> None:
    send(sandbox, "fanvue")
    send(sandbox, "fanvue")
    sandbox.withdraw(sent_ids(sandbox)[1])
    assert [row["status"] for row in shown(sandbox, "fanvue")] == ["UNSENT", "SENT"]
    for path in ("/chats/mass-messages", "/chats/mass-messages?includeDeleted=false"):
        assert ids(shown(sandbox, "fanvue", path)) == sent_ids(sandbox)[:1]
    assert look(sandbox, "fanvue", "/chats/mass-messages?includeDeleted=yes").status == 400
    with pytest.raises(KeyError):
        sandbox.withdraw("nobody's")


def test_fanvue_comes_page_by_page(sandbox: Sandbox) -> None:
    for _ in range(5):
        send(sandbox, "fanvue")
    pages = [look(sandbox, "fanvue", f"/chats/mass-messages?page={page}&size=2").json() for page in (1, 2, 3, 4)]
    assert [page["pagination"] for page in pages] == [
        {"page": 1, "size": 2, "hasMore": True},
        {"page": 2, "size": 2, "hasMore": True},
        {"page": 3, "size": 1, "hasMore": False},
        {"page": 4, "size": 0, "hasMore": False},
    ]
    rows: list[Any] = [row for page in pages if isinstance(page["data"], list) for row in page["data"]]
    assert ids(rows) == sent_ids(sandbox)[::-1]


def test_onlyfansapi_shows_no_text_in_its_queue_and_html_in_the_single_message(sandbox: Sandbox) -> None:
    paid = {"text": "Two\nlines & <3", "userLists": ["fans"], "mediaFiles": ["12345", "1234567890"], "price": 5}
    send(sandbox, "onlyfansapi", paid)
    (row,) = shown(sandbox, "onlyfansapi")
    assert not {"text", "price", "mediaTypes"} & set(row)
    assert (row["isDone"], row["total"]) == (True, len(sandbox.deliveries()[0].recipients))
    single: Any = look(sandbox, "onlyfansapi", f"{ASKED['onlyfansapi']}/{row['id']}").json()["data"]
    assert single["success"] is True
    queue = single["queue"]
    assert queue["text"] == "<p>Two<br />\nlines &amp; &lt;3</p>"
    assert (queue["price"], queue["isFree"], queue["mediaTypes"]) == ("5.00", False, {"photo": 2})
    assert look(sandbox, "onlyfansapi", f"{ASKED['onlyfansapi']}/1").status == 404


def test_onlyfansapi_shows_what_is_free_withdrawn_or_not_sent_at_all(sandbox: Sandbox) -> None:
    send(sandbox, "onlyfansapi", {"text": "Later", "userLists": ["fans"], "saveForLater": True})
    assert shown(sandbox, "onlyfansapi") == []
    send(sandbox, "onlyfansapi")
    sandbox.withdraw(sent_ids(sandbox)[1])
    (row,) = shown(sandbox, "onlyfansapi")
    single: Any = look(sandbox, "onlyfansapi", f"{ASKED['onlyfansapi']}/{row['id']}").json()["data"]
    queue = single["queue"]
    assert (row["isCanceled"], queue["isCanceled"], queue["isFree"], queue["mediaTypes"]) == (True, True, True, None)
    assert "price" not in queue


def test_onlyfansapi_forgets(sandbox: Sandbox) -> None:
    send(sandbox, "onlyfansapi")
    sandbox.account("onlyfansapi").taken[0].arrived_at -= 3_601
    assert shown(sandbox, "onlyfansapi") == []


def test_ofauth_shows_html_made_of_markdown(sandbox: Sandbox) -> None:
    text = "🎉 **Special Offer!**\n\nUse _VIP20_ & come"
    for more in ({}, {"isMarkdown": False, "mediaItems": [12345], "price": 14.99}):
        assert send(sandbox, "ofauth", {"text": text, "userLists": [1]} | more).status == 201
    raw, made = shown(sandbox, "ofauth")
    assert made["text"] == "<p>🎉 <strong>Special Offer!</strong><br /><br />Use <em>VIP20</em> &amp; come</p>"
    assert raw["text"] == text
    assert (made["isFree"], made["mediaCount"], made.get("price")) == (True, 0, None)
    assert (raw["isFree"], raw["mediaCount"], raw["price"]) == (False, 1, "14.99")
    assert {"id", "text", "sentCount", "purchasedCount", "totalAmount", "createdAt"} <= set(made)


def test_ofauth_goes_on_by_an_earlier_end(sandbox: Sandbox) -> None:
    for at in range(5):
        send(sandbox, "ofauth")
        sandbox.account("ofauth").taken[-1].arrived_at = 1_800_000_000.5 + at
    path = ASKED["ofauth"]
    first: Any = look(sandbox, "ofauth", f"{path}?limit=2").json()
    assert (ids(first["list"]), first["hasMore"]) == (sent_ids(sandbox)[:2:-1], True)
    end = first["list"][-1]["createdAt"].replace("+00:00", "Z")
    rest: Any = look(sandbox, "ofauth", f"{path}?limit=3&endDate={end}").json()
    assert (ids(rest["list"]), rest["hasMore"]) == (sent_ids(sandbox)[2::-1], False)
    assert ids(shown(sandbox, "ofauth", f"{path}?startDate={end}")) == sent_ids(sandbox)[:2:-1]
    assert look(sandbox, "ofauth", f"{path}?endDate=soon").status == 400


MADE = [
    ("", ""),
    ("plain", "plain"),
    ("***all***", '<span class="m-editor-fc__blue-1"><strong><em>all</em></strong></span>'),
    ("__b__ *i* two*three*", "<strong>b</strong> <em>i</em> two*three*"),
    ("~grey~ ~~blue~~", r'<span class="[^"]*gray">grey</span> <span class="[^"]*blue-2">blue</span>'),
    ("# Big\n## Less big", r'<span class="[^"]*l">Big</span><br /><span class="[^"]*m">Less big</span>'),
    ("**two words**, more", "**two words**, more"),
    ("2 * 3 * 4 < 25", "2 * 3 * 4 &lt; 25"),
]


@pytest.mark.parametrize(("markdown", "made"), MADE)
def test_markdown(markdown: str, made: str) -> None:
    found = of_markdown(markdown).removeprefix("<p>").removesuffix("</p>")
    assert found == made or re.fullmatch(made, found)


@pytest.mark.parametrize(
    ("text", "made"), [("", ""), ("<p>As it is</p>", "<p>As it is</p>"), ("<3 you", "<p>&lt;3 you</p>")]
)
def test_plain_text(text: str, made: str) -> None:
    assert of_plain(text) == made
