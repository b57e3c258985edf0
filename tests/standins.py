"""Stand-ins for the platforms: `StandIn` speaks strict HTTP, `Wire` is a bare socket that can break anywhere.

With `tls` it is localhost, 127.0.0.1 and platform.test, certified by `AUTHORITY`, which no one else trusts.
"""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import trustme

AUTHORITY = trustme.CA()


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names in lower case, `at` on `time.monotonic()`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON, unless it is text or bytes; then `headers` must name its type."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


SENDS: Mapping[str, Reply] = {
    r"/(creators/[^/]+/)?chats/mass-messages": Reply(201, {"id": "5c0f7d52", "recipientCount": 3, "createdAt": None}),
    r"/api/v1/chats/mass-messages": Reply(
        202, {"id": "mm_9a3c1b04", "recipientCount": 847, "queuedAt": "2026-04-28T20:00:00Z"}
    ),
    r"/v2/access/mass-messages": Reply(200, {"id": 12345, "date": "2026-01-01T00:00:00Z", "total": 150}),
    r"/api/[^/]+/mass-messaging": Reply(
        200, {"data": {"id": 123, "isDone": False, "total": -1, "hasError": False}, "_meta": {}}
    ),
}


def accepting(seen: Seen) -> Reply:
    """What the four platforms document for a send; nothing else exists here."""
    for pattern, reply in SENDS.items():
        if seen.method == "POST" and re.fullmatch(pattern, seen.path):
            return reply
    return Reply(404, {"message": f"no {seen.method} {seen.path} here"})


class StandIn:
    """HTTP/1.1 on loopback. `seen` is what arrived, `faults` what no careful platform would take."""

    def __init__(self, answer: Callable[[Seen], Reply] = accepting, *, tls: bool = False) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.faults: list[str] = []
        self.connections = 0
        self._arrived = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls:
            self._server.socket = _server_side(self._server.socket)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int, seconds: float = 10) -> list[Seen]:
        """Until so many requests arrived; fails if they do not."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.seen) >= count, seconds), f"{len(self.seen)} of {count}"
            return list(self.seen)

    def take(self, seen: Seen) -> Reply:
        with self._arrived:
            self.seen.append(seen)
            self.faults += _faults(seen)
            self._arrived.notify_all()
        return self.answer(seen)


def _faults(seen: Seen) -> list[str]:
    faults = []
    if not seen.headers.get("user-agent", "").startswith("carillon/"):
        faults.append("no User-Agent of ours")
    if seen.headers.get("accept") != "application/json":
        faults.append("does not accept JSON")
    if "cookie" in seen.headers:
        faults.append("keeps cookies")
    if seen.method == "POST":
        faults += _body_faults(seen)
    elif seen.body or "content-type" in seen.headers:
        faults.append("a read with a body")
    return faults


def _body_faults(seen: Seen) -> list[str]:
    if seen.headers.get("content-type") != "application/json":
        return ["a body that does not say it is JSON"]
    try:
        body = json.loads(seen.body.decode("utf-8"))
    except ValueError:
        return ["a body that is not JSON in UTF-8"]
    if not isinstance(body, dict):
        return ["a body that is no object"]
    return [f"{key} is empty or null" for key, value in body.items() if value is None or value in ([], {})]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the game."""


def _handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            standin.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = standin.take(Seen(self.command, self.path, headers, body, time.monotonic()))
            self._send(reply)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815

        def _send(self, reply: Reply) -> None:
            body, kind = _bytes(reply.body)
            headers = {**({"Content-Type": kind} if kind else {}), **reply.headers}
            self.send_response_only(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silence."""

    return Handler


def _bytes(body: Any) -> tuple[bytes, str | None]:
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, str):
        return body.encode(), None
    return json.dumps(body).encode(), "application/json"


def _server_side(listener: socket.socket) -> ssl.SSLSocket:
    """Each connection shakes hands in its own thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost", "127.0.0.1", "platform.test").configure_cert(context)
    return context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)


class Wire:
    """Bare TCP on loopback: `script` gets each connection; `requests` holds what `hear` read of them."""

    def __init__(self, script: Callable[["Wire", socket.socket], None]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self._ended = 0
        self._changed = threading.Condition()
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._script(self, connection)
        with self._changed:
            self._ended += 1
            self._changed.notify_all()

    def wait_for_ends(self, count: int, seconds: float = 10) -> None:
        """Until the script is through with so many connections; fails if it is not."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended >= count, seconds), f"{self._ended} of {count}"

    def hear(self, connection: socket.socket) -> bytes:
        """One whole request; whatever came if the client hung up."""
        heard = b""
        while not _whole(heard):
            chunk = connection.recv(65_536)
            if not chunk:
                break
            heard += chunk
        self.requests.append(heard)
        return heard


def _whole(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and len(body) >= int(length[1] if length else 0)


def reset(connection: socket.socket) -> None:
    """Close with RST, as a crashed peer or a firewall does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
