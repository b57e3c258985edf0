"""A listening port that answers GET and HEAD, one request for each connection, whatever its clients do."""

import errno
import io
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

import structlog

from carillon import clock

log = structlog.get_logger()

PATIENCE = 0.5
"""Seconds that one client may take in all, however slowly it speaks and listens; others may be waiting for it."""

_MOST_BYTES = 16_384
_END_OF_HEAD = (b"\r\n\r\n", b"\n\n")


@dataclass(frozen=True)
class Answer:
    status: HTTPStatus
    body: bytes
    media_type: str = "text/plain; charset=utf-8"


class Listener(ThreadingMixIn, TCPServer):
    """Answers by path, in the thread that calls `handle_request`, or in one for each client when `threaded`."""

    daemon_threads = True
    threaded = False

    def __init__(self, port: int, answer: Callable[[str], Answer]) -> None:
        """On all addresses; 0 is any free port. Raises OSError, also for a port that is taken."""
        listening = _listening(port)
        listening.setblocking(False)  # nobody is waited for, least of all a client that has left again
        super().__init__(("", port), _Request, bind_and_activate=False)
        self.socket.close()
        self.socket, self.answer = listening, answer

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.threaded:
            super().process_request(request, client_address)
        else:
            TCPServer.process_request(self, request, client_address)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a client that leaves, or is too slow, is daily bread
            log.error("a request for health or metrics failed", exc_info=error)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        """Read the whole head at once: http.server alone would grant the patience for each of its bytes."""
        super().setup()
        self.rfile.close()
        end = clock.ticks() + PATIENCE
        self.rfile = io.BytesIO(_head(self.connection, end))
        self.connection.settimeout(max(0.1, end - clock.ticks()))

    def reply(self) -> None:
        if self.command in {"GET", "HEAD"}:
            self._send(self.server.answer(self.path.partition("?")[0]))
        else:
            self._send(Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD alone\n"), Allow="GET, HEAD")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = reply  # noqa: N815

    def version_string(self) -> str:
        return "Carillon"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Probes come every few seconds: no access log."""

    def _send(self, answer: Answer, **headers: str) -> None:
        self.send_response(answer.status)
        about = {
            "Content-Type": answer.media_type,
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
        for name, value in (about | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _head(connection: socket.socket, end: float) -> bytes:
    """The request up to its body. Raises TimeoutError for a client that is not done by `end` of `clock.ticks()`."""
    head = b""
    while len(head) < _MOST_BYTES and not any(mark in head for mark in _END_OF_HEAD):
        left = end - clock.ticks()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        more = connection.recv(4096)
        if not more:
            break
        head += more
    return head


def _listening(port: int) -> socket.socket:
    """For IPv6 and IPv4 in one socket where this machine can."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                raise
    return socket.create_server(("", port))
