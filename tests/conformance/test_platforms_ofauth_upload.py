"""OFAuth's vault and uploads, over real HTTP: one part or several, cut at each step and carried on."""

from collections.abc import Iterator
from typing import Any

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account
from carillon.platforms.errors import PlatformError, Refused, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.ofauth.adapter import OFAuth
from carillon.platforms.parts import Medium, Reference
from routes import Said, asked, calls, routed
from standins import Reply, Seen, StandIn
from upload_progress import Kept, source

SECRET = "of_5ecret_key"
LIBRARY = OFAuth().library
CLIP = bytes(range(250))
UPLOADS = "/v2/access/uploads"
READY = {"mediaUploadId": "up/1", "media": {"id": 777, "type": "video", "isReady": True, "hasError": False}}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "conn_1", SECRET)


def begun(parts: int | None = None, size: int | None = None) -> Reply:
    told = {"x-ofauth-upload-total-parts": parts, "x-ofauth-upload-part-size": size}
    return Reply(200, {"mediaUploadId": "up/1"}, {name: str(value) for name, value in told.items() if value})


def routes(init: Reply, done: Any = READY, **more: Said) -> dict[str, Any]:
    part = {"mediaUploadId": "up/1", "partNumber": 1, "etag": '"e"'}
    return {
        f"POST {UPLOADS}/init": init,
        f"PUT {UPLOADS}/up%2F1": done,
        **{f"PUT {UPLOADS}/up%2F1/parts/{number}": part for number in (1, 2, 3)},
        f"POST {UPLOADS}/complete": done,
        **{f"PUT {UPLOADS}/up%2F1/parts/{name[1:]}" if name[0] == "p" else name: said for name, said in more.items()},
    }


def test_a_file_in_one_part(client: Client) -> None:
    kept = Kept()
    with routed(routes(begun())) as platform:
        found = LIBRARY.upload(client, account(platform), source(CLIP), kept)
    assert found == Reference("777", "ready")
    init, put = platform.seen
    assert init.json() == {
        "filename": "clip.mp4",
        "size": 250,
        "contentType": "video/mp4",
        "vaultUpload": {"mode": "message"},
    }
    assert (put.method, put.path, put.body) == ("PUT", f"{UPLOADS}/up%2F1", CLIP)
    assert (put.headers["content-type"], put.headers["content-length"]) == ("video/mp4", "250")
    assert (put.headers["apikey"], put.headers["x-connection-id"]) == (SECRET, "conn_1")


@pytest.mark.parametrize("init", [begun(3, 100), begun(None, 100), begun(3, None)])
def test_a_file_in_several_parts(client: Client, init: Reply) -> None:
    with routed(routes(init)) as platform:
        found = LIBRARY.upload(client, account(platform), source(CLIP), Kept())
    assert found == Reference("777", "ready")
    assert b"".join(seen.body for seen in platform.seen if seen.method == "PUT") == CLIP
    assert [call.rpartition("/")[2] for call in calls(platform)] == ["init", "1", "2", "3", "complete"]
    assert platform.seen[-1].json() == {"mediaUploadId": "up/1"}


@pytest.mark.parametrize(("parts", "size"), [(2, 100), (4, 100), (3, 300)])
def test_parts_that_do_not_make_the_file(client: Client, parts: int, size: int) -> None:
    with routed(routes(begun(parts, size))) as platform, pytest.raises(Unreadable):
        LIBRARY.upload(client, account(platform), source(CLIP), Kept())


@pytest.mark.parametrize(
    ("done", "reference"),
    [
        ({"mediaUploadId": "up/1", "media": {"id": 777, "isReady": False}}, Reference("777", "processing")),
        ({"mediaUploadId": "up/1", "media": {"id": "777", "hasError": True}}, Reference("777", "broken")),
        ({"mediaUploadId": "up/1", "media": {"id": 777}, "new": 1}, Reference("777", "ready")),
        ({"mediaUploadId": "up/1"}, Reference("upload:up/1", "ready", single_use=True)),
        ({"mediaUploadId": "up/1", "media": None}, Reference("upload:up/1", "ready", single_use=True)),
        (Reply(204, b""), Reference("upload:up/1", "ready", single_use=True)),
    ],
)
@pytest.mark.parametrize("init", [begun(), begun(3, 100)])
def test_each_answer_at_the_end(client: Client, init: Reply, done: Any, reference: Reference) -> None:
    with routed(routes(init, done)) as platform:
        assert LIBRARY.upload(client, account(platform), source(CLIP), Kept()) == reference


def test_what_was_cut_goes_on_where_it_was(client: Client) -> None:
    kept = Kept()
    with routed(routes(begun(3, 100), p2=(Reply(500, {}), Reply(200, {})))) as platform:
        with pytest.raises(Unreachable):
            LIBRARY.upload(client, account(platform), source(CLIP), kept)
        assert LIBRARY.upload(client, account(platform), source(CLIP), kept) == Reference("777", "ready")
    assert [call.rpartition("/")[2] for call in calls(platform)] == ["init", "1", "2", "2", "3", "complete"]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_session_that_is_over_begins_anew(client: Client, status: int) -> None:
    kept = Kept({"upload": "old", "parts": 3, "part_bytes": 100, "sent": [1]})
    with routed(routes(begun(3, 100)), nothing=Reply(status, {"error": "no such upload"})) as platform:
        assert LIBRARY.upload(client, account(platform), source(CLIP), kept) == Reference("777", "ready")
    ends = [call.rpartition("/")[2] for call in calls(platform)]
    assert ends == ["2", "init", "1", "2", "3", "complete"]


@pytest.mark.parametrize(
    ("init", "kind"),
    [
        (Reply(400, {"error": "too large", "type": "BAD_REQUEST"}), Refused),
        (Reply(403, {"error": "vault:write", "type": "FORBIDDEN"}), Refused),
        (Reply(401, {"error": SECRET, "type": "UNAUTHORIZED"}), Unauthorized),
        (Reply(429, {"error": "slow"}, {"Retry-After": "3"}), Throttled),
        (Reply(502, "<h1>", {"Content-Type": "text/html"}), Unreachable),
        (Reply(200, {"id": 1}), Unreadable),
    ],
)
def test_a_session_that_does_not_begin(client: Client, init: Reply, kind: type[PlatformError]) -> None:
    with routed(routes(init)) as platform, pytest.raises(PlatformError) as error:
        LIBRARY.upload(client, account(platform), source(CLIP), Kept())
    assert type(error.value) is kind
    assert SECRET not in str(error.value)


def test_a_part_that_is_refused_in_a_new_session(client: Client) -> None:
    with routed(routes(begun(3, 100), p2=Reply(400, {"error": "bad"}))) as platform, pytest.raises(Refused):
        LIBRARY.upload(client, account(platform), source(CLIP), Kept())


def test_urls_go_as_they_are(client: Client) -> None:
    with routed({}) as platform:
        assert LIBRARY.upload_url(client, account(platform), "https://cdn.example/a.mp4", Kept()) is None
    assert platform.seen == []


def test_the_vault_page_by_page(client: Client) -> None:
    rows = [{"id": 100 - at, "type": "photo", "createdAt": "2026-01-05T12:00:00Z"} for at in range(90)]

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return {"list": rows[start : start + 40], "hasMore": start + 40 < 90}

    with routed({"GET /v2/access/vault/media": page}) as platform:
        found = list(LIBRARY.media(client, account(platform)))
    assert [one.id for one in found] == [str(row["id"]) for row in rows]
    assert calls(platform)[0].endswith("/vault/media?limit=40&offset=0&sortBy=recent&sortDirection=desc")
    assert len(platform.seen) == 3


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"isReady": True, "hasError": False}, "ready"),
        ({"isReady": False}, "processing"),
        ({"isReady": True, "hasError": True}, "broken"),
        ({"isReady": "yes"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_each_state_of_a_medium(client: Client, row: dict[str, Any], state: Any) -> None:
    with routed({"GET /v2/access/vault/media": [{"id": 777, "type": "gif", "new": {}} | row]}) as platform:
        (found,) = LIBRARY.media(client, account(platform))
        after = LIBRARY.uploaded(client, account(platform), Reference("777", "processing"), Kept())
    assert found == Medium("777", "gif", state=state)
    assert after == Reference("777", "processing" if state == "unknown" else state)


def test_a_medium_that_the_newest_of_the_vault_lack(client: Client) -> None:
    def page(seen: Seen) -> Any:
        return {"list": [{"id": int(asked(seen)["offset"]) + at + 1} for at in range(40)], "hasMore": True}

    with routed({"GET /v2/access/vault/media": page}) as platform:
        before = Reference("777", "processing")
        assert LIBRARY.uploaded(client, account(platform), before, Kept()) == before
        assert len(platform.seen) <= 4
