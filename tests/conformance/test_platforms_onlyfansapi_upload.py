"""OnlyFansAPI's vault and uploads, over real HTTP: forms as a standard parser reads them, and every answer."""

import email.policy
from collections.abc import Iterator
from email.parser import BytesParser
from typing import Any

import pytest

from carillon.platforms.client import Client
from carillon.platforms.contract import Account
from carillon.platforms.errors import PlatformError, Refused, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI
from carillon.platforms.parts import Medium, Reference
from routes import asked, calls, routed
from standins import Reply, Seen, StandIn
from upload_progress import Kept, source

SECRET = "ofapi_5ecret_key"
LIBRARY = OnlyFansAPI().library
CLIP = bytes(range(256)) * 4 + b"\r\n--carillon--\r\n"
AT = "/api/acct_1/media"
VAULT, ONCE, STATUS = f"POST {AT}/vault", f"POST {AT}/upload", f"GET {AT}/uploads/ofapi_media_1/status"
URL = "https://cdn.example/a.mp4"
KEPT = Reference("1234567890", "ready")
SINGLE = Reference("ofapi_media_1", "ready", single_use=True)
PENDING = Reference("ofapi_media_1", "processing", single_use=True)
NO_VAULT = Reply(405, {"message": "Method not allowed"})


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn) -> Account:
    return Account(platform.url, "acct_1", SECRET)


def form(seen: Seen) -> dict[str, tuple[str | None, str, bytes]]:
    """Each part by its name: file name, type and content."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    whole = BytesParser(policy=email.policy.HTTP).parsebytes(head + seen.body)
    found = {}
    for part in whole.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(name)] = (part.get_filename(), part.get_content_type(), content)
    return found


def upload(client: Client, routes: Any, kept: Kept | None = None, name: str = "clip.mp4") -> tuple[Reference, StandIn]:
    with routed(routes) as platform:
        return LIBRARY.upload(client, account(platform), source(CLIP, name), kept or Kept()), platform


def test_a_file_goes_to_the_vault(client: Client) -> None:
    found, platform = upload(client, {VAULT: {"data": {"id": 1234567890, "isReady": True}, "_meta": {}}})
    assert found == KEPT
    (seen,) = platform.seen
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert form(seen) == {"file": ("clip.mp4", "video/mp4", CLIP)}


@pytest.mark.parametrize("name", ['a"b.mp4', "a\r\nX-Evil: 1.mp4", "Mond 🌙.mp4"])
def test_a_name_cannot_end_its_header(client: Client, name: str) -> None:
    _, platform = upload(client, {VAULT: {"id": 5}}, name=name)
    (seen,) = platform.seen
    assert b"\r\nX-Evil" not in seen.body
    assert form(seen)["file"][2] == CLIP


ANSWERS: dict[str, tuple[Any, Reference]] = {
    "wrapped": ({"data": {"id": 1234567890}, "_meta": {}}, KEPT),
    "as text": ({"data": {"id": "1234567890", "isReady": True, "new": 1}}, KEPT),
    "not wrapped": ({"id": 1234567890}, KEPT),
    "in media": ({"data": {"media": {"id": 1234567890, "isReady": True}}}, KEPT),
    "being made": ({"data": {"id": 1234567890, "isReady": False}}, Reference("1234567890", "processing")),
    "broken": ({"data": {"id": 1234567890, "hasError": True}}, Reference("1234567890", "broken")),
    "prefixed": ({"prefixed_id": "ofapi_media_1", "file_name": "clip.mp4", "processId": "x"}, SINGLE),
    "prefixed, wrapped": ({"data": {"prefixed_id": "ofapi_media_1"}}, SINGLE),
    "prefixed, as data.id": ({"data": {"id": "ofapi_media_1"}}, SINGLE),
    "later": (Reply(202, {"status": "pending", "prefixed_id": "ofapi_media_1", "polling_url": "x"}), PENDING),
}


@pytest.mark.parametrize(("answer", "reference"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer_of_the_vault(client: Client, answer: Any, reference: Reference) -> None:
    assert upload(client, {VAULT: answer})[0] == reference


@pytest.mark.parametrize("no", [NO_VAULT, Reply(404, {"message": "none"}), Reply(404, "<h1>", {"Content-Type": "x/y"})])
@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ({"prefixed_id": "ofapi_media_1", "note": "once"}, SINGLE),
        ({"data": {"id": "ofapi_media_1"}}, SINGLE),
        ({"data": {"id": 77}}, Reference("77", "ready", single_use=True)),
    ],
)
def test_where_the_vault_takes_no_files(client: Client, no: Reply, answer: Any, reference: Reference) -> None:
    """And the next time it is not tried again."""
    kept = Kept()
    with routed({VAULT: no, ONCE: answer}) as platform:
        for _ in "12":
            found = LIBRARY.upload(client, account(platform), source(CLIP), kept)
            assert found == reference
    assert calls(platform) == [VAULT, ONCE, ONCE]
    assert form(platform.seen[1]) == {"file": ("clip.mp4", "video/mp4", CLIP)}


STATES: dict[str, tuple[Any, Reference]] = {
    "pending": ({"status": "pending", "prefixed_id": "ofapi_media_1"}, PENDING),
    "processing": ({"status": "processing"}, PENDING),
    "failed": ({"status": "failed", "error": "bad"}, Reference("ofapi_media_1", "broken", single_use=True)),
    "in the vault": ({"status": "completed", "media": {"id": 1234567890}, "credits_used": 3}, KEPT),
    "in the vault, not ready": (
        {"status": "completed", "media": {"id": 1234567890, "isReady": False}},
        Reference("1234567890", "processing"),
    ),
    "for one send": ({"status": "completed", "media": {"prefixed_id": "ofapi_media_1", "host": "x"}}, SINGLE),
    "no more said": ({"status": "completed"}, SINGLE),
    "wrapped": ({"data": {"status": "processing", "prefixed_id": "ofapi_media_1"}}, PENDING),
}


@pytest.mark.parametrize(("answer", "reference"), STATES.values(), ids=STATES)
def test_what_becomes_of_an_upload(client: Client, answer: Any, reference: Reference) -> None:
    with routed({STATUS: answer}) as platform:
        assert LIBRARY.uploaded(client, account(platform), PENDING, Kept()) == reference


def test_an_upload_under_way_is_not_sent_again(client: Client) -> None:
    kept = Kept()
    later = Reply(202, {"status": "pending", "prefixed_id": "ofapi_media_1"})
    done = Reply(200, {"status": "completed", "media": {"id": 1234567890}})
    with routed({VAULT: later, STATUS: (Reply(200, {"status": "processing"}), done)}) as platform:
        found = [LIBRARY.upload(client, account(platform), source(CLIP), kept) for _ in "123"]
    assert found == [PENDING, PENDING, KEPT]
    assert calls(platform) == [VAULT, STATUS, STATUS]


def test_an_upload_that_failed_is_sent_again(client: Client) -> None:
    kept = Kept({"upload": "ofapi_media_1"})
    routes = {STATUS: {"status": "failed", "error": "bad"}, VAULT: {"data": {"id": 1234567890}}}
    assert upload(client, routes, kept)[0] == KEPT


@pytest.mark.parametrize(
    ("row", "state"), [({"isReady": True}, "ready"), ({"hasError": True}, "broken"), ({}, "processing")]
)
def test_a_medium_of_the_vault_that_was_not_ready(client: Client, row: dict[str, Any], state: Any) -> None:
    with routed({f"GET {AT}/vault/1234567890": {"data": {"id": 1234567890} | row}}) as platform:
        before = Reference("1234567890", "processing")
        assert LIBRARY.uploaded(client, account(platform), before, Kept()) == Reference("1234567890", state)


def test_a_url_is_fetched_by_the_platform(client: Client) -> None:
    with routed({VAULT: {"data": {"id": 1234567890}}}) as platform:
        assert LIBRARY.upload_url(client, account(platform), URL, Kept()) == KEPT
    (seen,) = platform.seen
    assert {name: content for name, (_, _, content) in form(seen).items()} == {"file_url": URL.encode(), "async": b"1"}


def test_a_large_file_is_taken_in_the_background(client: Client) -> None:
    with routed({VAULT: {"data": {"id": 1234567890}}}) as platform:
        LIBRARY.upload(client, account(platform), source(bytes(10_000_001)), Kept())
    assert form(platform.seen[0])["async"][2] == b"1"
    assert len(form(platform.seen[0])["file"][2]) == 10_000_001
    assert LIBRARY.most_bytes == 100_000_000


FAILED: dict[str, tuple[Reply, type[PlatformError]]] = {
    "refused": (Reply(422, {"error": "VALIDATION_ERROR", "errors": {"file": ["too large"]}}), Refused),
    "too large for the edge": (Reply(413, "<h1>", {"Content-Type": "text/html"}), Refused),
    "401": (Reply(401, {"error": f"bad {SECRET}"}), Unauthorized),
    "429": (Reply(429, {"error": "slow"}), Throttled),
    "edge": (Reply(524, "<h1>", {"Content-Type": "text/html"}), Unreachable),
    "wrapped": (Reply(400, {"onlyfans_response": {"status": 500}}), Unreachable),
    "no medium": (Reply(200, {"data": {"success": True}}), Unreadable),
}


@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_uploads_that_fail(client: Client, case: tuple[Reply, type[PlatformError]]) -> None:
    with routed({VAULT: case[0]}) as platform, pytest.raises(PlatformError) as error:
        LIBRARY.upload(client, account(platform), source(CLIP), Kept())
    assert type(error.value) is case[1]
    assert SECRET not in str(error.value)


def test_the_vault_page_by_page(client: Client) -> None:
    rows = [{"id": 300 - at, "type": "photo", "isReady": True, "counters": {}} for at in range(150)]

    def page(seen: Seen) -> Any:
        start = int(asked(seen)["offset"])
        return {"data": {"list": rows[start : start + 100], "hasMore": start + 100 < 150}, "_meta": {}}

    with routed({f"GET {AT}/vault": page}) as platform:
        found = list(LIBRARY.media(client, account(platform)))
    assert [one.id for one in found] == [str(row["id"]) for row in rows]
    assert found[0] == Medium("300", "photo", state="ready")
    assert calls(platform)[0] == f"GET {AT}/vault?limit=100&offset=0&field=recent&sort=desc"
