"""Every status with every kind of body, and every cut of an answer, through every adapter."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from carillon.platforms.client import Client, Guard
from carillon.platforms.contract import Account, Content, ListRef, Receipt
from carillon.platforms.errors import (
    Forbidden,
    GivenUp,
    MaybeSent,
    NotSent,
    PlatformError,
    Redirected,
    Refused,
    Throttled,
    Unauthorized,
)
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.send import send as send_by
from standins import Reply, Seen, StandIn, Wire, reset

SECRET = "sk_live_5ecret"
CONTENT = Content(text="Hi", include=(ListRef(kind="smart", value="fans"),))
NOTHING_SAID = Receipt(None, None)


def send_as(name: str, client: Client, account: Account) -> Receipt:
    platform = PLATFORMS[name]
    return send_by(platform, client, platform.request(account, CONTENT), SECRET, Guard(inf))


JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}

BODIES: dict[str, Reply] = {
    "object": Reply(body={"error": "no", "echo": f"Bearer {SECRET}"}),
    "problem": Reply(body='{"message": "no"}', headers={"Content-Type": "application/problem+json"}),
    "untyped object": Reply(body='{"message": "no"}'),
    "array": Reply(body='["no"]', headers={"Content-Type": "text/plain"}),
    "html": Reply(body=f"<h1>{SECRET}</h1>", headers=HTML),
    "empty": Reply(body=b""),
}
OBJECTS = {"object", "problem", "untyped object"}
OUTCOMES = {401: Unauthorized, 403: Forbidden, 429: Throttled}
STATUSES = (
    *(200, 201, 202, 204, 207, 226),
    *(300, 301, 302, 303, 304, 307, 308),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 418, 421, 422, 423, 424),
    *(425, 426, 428, 429, 431, 451, 499),
    *(500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 521, 522, 523, 524, 525, 530, 599),
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


@pytest.fixture(params=PLATFORMS)
def send(request: pytest.FixtureRequest) -> Callable[[Client, str], Receipt]:
    """One send of the platform under test to a URL."""

    def send(client: Client, url: str) -> Receipt:
        return send_as(request.param, client, Account(url, "acct", SECRET))

    return send


def always(reply: Reply) -> Callable[[Seen], Reply]:
    return lambda _: reply


def outcome(call: Callable[[], Receipt]) -> Receipt | PlatformError:
    try:
        return call()
    except PlatformError as error:
        if SECRET in f"{error!r} {error} {error.words}":
            pytest.fail("the key is in the error's text")
        return error


def expected(status: int, kind: str) -> type[PlatformError] | None:
    if status in OUTCOMES:
        return OUTCOMES[status]
    if 300 <= status < 400:
        return Redirected
    if kind in OBJECTS and status < 300:
        return None
    if kind in OBJECTS and status < 500 and status not in (408, 409):
        return Refused
    return MaybeSent


@pytest.mark.parametrize("kind", BODIES)
def test_every_status(client: Client, send: Callable[[Client, str], Receipt], kind: str) -> None:
    with StandIn() as platform:
        for status in STATUSES:
            reply = BODIES[kind]
            if status in (204, 304):
                reply = BODIES["empty"]
            platform.answer = always(Reply(status, reply.body, {"Location": "http://[", **reply.headers}))
            got = outcome(lambda: send(client, platform.url))
            want = expected(status, "empty" if status in (204, 304) else kind)
            assert (type(got) if want else got) == (want or replace(NOTHING_SAID, status=status)), (status, got)
            if isinstance(got, PlatformError):
                assert got.status == status
        assert len(platform.seen) == len(STATUSES)


def test_redirects_are_not_followed(client: Client, send: Callable[[Client, str], Receipt]) -> None:
    with StandIn() as elsewhere, StandIn() as platform:
        for status in (301, 302, 303, 307, 308):
            platform.answer = always(Reply(status, {}, {"Location": f"{elsewhere.url}/chats/mass-messages"}))
            assert isinstance(outcome(lambda: send(client, platform.url)), Redirected)
        assert elsewhere.seen == []
        assert len(platform.seen) == 5


# name: (outer status, body, what comes of it)
WRAPPED: dict[str, tuple[int, dict[str, Any], type[PlatformError] | None]] = {
    "401": (500, {"onlyfans_response": {"status": 401}}, Unauthorized),
    "403": (502, {"onlyfans_response": {"status": 403}}, Forbidden),
    "429": (400, {"onlyfans_response": {"status": 429}}, Throttled),
    "429 in a 200": (200, {"onlyfans_response": {"status": 429}}, Throttled),
    "400": (500, {"error": "ONLYFANS_COM_ERROR", "onlyfans_response": {"status": 400}}, Refused),
    "404 as text": (500, {"onlyfans_response": {"status": "404"}}, Refused),
    "404 in a 200": (200, {"onlyfans_response": {"status": 404}}, Refused),
    "404 inside error": (500, {"error": {"onlyfans_response": {"status": 404}}}, Refused),
    "408": (400, {"onlyfans_response": {"status": 408}}, MaybeSent),
    "409": (400, {"onlyfans_response": {"status": 409}}, MaybeSent),
    "302": (400, {"onlyfans_response": {"status": 302}}, MaybeSent),
    "500": (400, {"onlyfans_response": {"status": 500}}, MaybeSent),
    "500 in a 401": (401, {"onlyfans_response": {"status": 500}}, MaybeSent),
    "504 in a 200": (200, {"onlyfans_response": {"status": 504}}, MaybeSent),
    "200 in a 400": (400, {"onlyfans_response": {"status": 200}}, MaybeSent),
    "200 in a 200": (200, {"onlyfans_response": {"status": 200}}, None),
    "none": (404, {"onlyfans_response": {}}, MaybeSent),
    "null": (404, {"onlyfans_response": None}, MaybeSent),
    "none in a 200": (200, {"onlyfans_response": {"body": "x"}}, MaybeSent),
    "nonsense": (404, {"onlyfans_response": {"status": [404]}}, MaybeSent),
    "true": (404, {"onlyfans_response": {"status": True}}, MaybeSent),
}


@pytest.mark.parametrize("case", WRAPPED.values(), ids=WRAPPED)
def test_a_wrapped_upstream_status_decides(client: Client, case: Any) -> None:
    status, body, want = case
    account = Account("", "acct", SECRET)
    with StandIn(lambda _: Reply(status, body)) as platform:
        account = Account(platform.url, "acct", SECRET)
        got = outcome(lambda: send_as("onlyfansapi", client, account))
    assert (type(got) if want else got) == (want or replace(NOTHING_SAID, status=status))


@pytest.mark.parametrize(
    ("name", "body", "receipt"),
    [
        ("fanvue", {"uuid": "u-1", "recipientCount": 0, "new": {"x": []}}, Receipt("u-1", 0)),
        ("frontrow", {"id": "mm_1"}, Receipt("mm_1", None)),
        ("frontrow", {"id": None, "recipientCount": "many"}, NOTHING_SAID),
        ("frontrow", {"id": "a\u0000b", "recipientCount": -1}, NOTHING_SAID),
        ("frontrow", {"id": "x" * 201, "recipientCount": 1e300}, NOTHING_SAID),
        ("frontrow", {"id": True, "recipientCount": True}, NOTHING_SAID),
        ("ofauth", {"id": 9007199254740993, "total": 12.0}, Receipt("9007199254740993", 12)),
        ("ofauth", {"id": 1, "isDone": True, "total": -1}, Receipt("1", None, "done")),
        ("ofauth", {"id": 1, "isDone": True, "hasError": True}, Receipt("1", None, "error")),
        ("ofauth", {"id": 1, "isCanceled": True}, Receipt("1", None, "cancelled")),
        ("onlyfansapi", {"data": {"id": 2**63, "total": 5}}, Receipt(str(2**63), 5)),
        ("onlyfansapi", {"data": {"id": 1, "recipientCount": 4, "total": 5}}, Receipt("1", 4)),
        ("onlyfansapi", {"data": {"id": 1, "hasError": True}}, Receipt("1", None, "error")),
        ("onlyfansapi", {"data": []}, NOTHING_SAID),
        ("onlyfansapi", {"id": 7}, Receipt("7", None)),
    ],
)
def test_receipts_are_read_leniently(client: Client, name: str, body: Any, receipt: Receipt) -> None:
    with StandIn(lambda _: Reply(201, body)) as platform:
        account = Account(platform.url, "acct", SECRET)
        assert send_as(name, client, account) == replace(receipt, status=201)


def hang(wire: Wire, _: socket.socket) -> None:
    wire.closing.wait(10)


def after_the_request(*parts: bytes, end: Callable[..., object] | None = None) -> Callable[[Wire, socket.socket], None]:
    def script(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        for part in parts:
            connection.sendall(part)
        if end is not None:
            end(wire, connection)

    return script


def drip(data: bytes, every: float = 0.05) -> Callable[[Wire, socket.socket], None]:
    def dripping(wire: Wire, connection: socket.socket) -> None:
        for at in range(len(data)):
            connection.sendall(data[at : at + 1])
            if wire.closing.wait(every):
                return

    return dripping


def rst(_: Wire, connection: socket.socket) -> None:
    reset(connection)


STATUS = b"HTTP/1.1 201 Created\r\n"
HEAD = STATUS + b"Content-Type: application/json\r\nContent-Length: 40\r\n\r\n"
CHUNKED = STATUS + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
UNTYPED = STATUS + b"Content-Length: 40\r\n\r\n"

CUTS: dict[str, tuple[Callable[[Wire, socket.socket], None], type[PlatformError] | None]] = {
    "closed before the answer": (after_the_request(), MaybeSent),
    "reset before the answer": (after_the_request(end=rst), MaybeSent),
    "no answer at all": (after_the_request(end=hang), GivenUp),
    "half a status line": (after_the_request(b"HTTP/1.1 20"), MaybeSent),
    "no HTTP": (after_the_request(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), MaybeSent),
    "half the headers": (after_the_request(STATUS + b"Content-Ty"), MaybeSent),
    "half the headers, then nothing": (after_the_request(STATUS + b"X: 1\r\n", end=hang), GivenUp),
    "half the headers, then reset": (after_the_request(STATUS + b"X: 1\r\n", end=rst), MaybeSent),
    "endless headers": (after_the_request(STATUS, end=drip(b"A: 1\r\n" * 20)), GivenUp),
    "headers too long": (after_the_request(STATUS + b"A: " + b"x" * 200_000), MaybeSent),
    "only an interim answer": (after_the_request(b"HTTP/1.1 100 Continue\r\n\r\n"), MaybeSent),
    "interim answers for ever": (
        after_the_request(end=drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 4)),
        GivenUp,
    ),
    "headers": (after_the_request(HEAD), None),
    "headers, then reset": (after_the_request(HEAD, end=rst), None),
    "headers, then nothing": (after_the_request(HEAD, end=hang), None),
    "headers of no JSON": (after_the_request(UNTYPED), MaybeSent),
    "half a body": (after_the_request(HEAD + b'{"id": "mm_1", "rec'), None),
    "a dripping body": (after_the_request(HEAD, end=drip(b'{"id": "' + b"x" * 99)), None),
    "a broken chunk": (after_the_request(CHUNKED + b"zz\r\n"), None),
    "an endless body": (
        after_the_request(CHUNKED + b"100000\r\n" + b" " * 0x100000 + b"\r\n1000\r\n" + b" " * 0x1000, end=hang),
        None,
    ),
    "no gzip": (after_the_request(GZIPPED + b"x" * 40), None),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_every_cut(send: Callable[[Client, str], Receipt], cut: Any) -> None:
    script, want = cut
    client = Client(timeout=0.4)
    with Wire(script) as wire:
        began = time.monotonic()
        got = outcome(lambda: send(client, wire.url))
        took = time.monotonic() - began
    client.close()
    assert (type(got) if want else got) == (want or replace(NOTHING_SAID, status=201)), got
    assert took < 2
    assert (len(wire.requests), wire.connections) == (1, 1)
    assert json.loads(wire.requests[0].partition(b"\r\n\r\n")[2])["text"] == "Hi"


def test_refused_connections_send_nothing(client: Client, send: Callable[[Client, str], Receipt]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    got = outcome(lambda: send(client, f"http://127.0.0.1:{port}"))
    assert type(got) is NotSent
    assert "refused" in got.words
