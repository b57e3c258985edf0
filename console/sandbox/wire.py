"""One connection: reads calls, writes answers, and spoils them as told."""

import json
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from console.sandbox.reception import Outcome
from console.sandbox.rules import Answer, Call

if TYPE_CHECKING:
    from console.sandbox.port import Listener

_GLANCE = 0.02  # seconds between two looks whether a waiting client has left


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one piece
    server: "Listener"

    def exchange(self) -> None:
        with self.server.port.at_work(self.connection):
            call = self._call()
            if call is None:
                self.close_connection = True
            else:
                self._perform(self.server.port.receive(call))
        self.close_connection |= self.server.port.closed

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = exchange  # noqa: N815

    def _call(self) -> Call | None:
        """None if the client left in the middle, or does not say how much it sends."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return None
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Call(self.command, target.path, dict(parse_qsl(target.query)), headers, body, time.time())

    def _perform(self, outcome: Outcome) -> None:
        manner = outcome.fault.manner if outcome.fault else None
        if manner == "silent":
            self._wait(Event())
        elif manner == "hold":
            self._wait(self.server.port.held.enter(outcome.delivery))
        elif manner == "slow" and outcome.fault:
            self._wait(Event(), outcome.fault.seconds)
        if manner in ("silent", "accept_and_drop") or self._client_left():
            self.close_connection = True
        else:
            self._answer(outcome, cut=manner == "cut_body")

    def _wait(self, event: Event, seconds: float = float("inf")) -> None:
        """Until the event, the time, or the end of the connection (which `Sandbox.stop` brings about too)."""
        end = time.monotonic() + seconds
        while not self._client_left() and not event.wait(max(0, min(_GLANCE, end - time.monotonic()))):
            if time.monotonic() >= end:
                return

    def _client_left(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _answer(self, outcome: Outcome, cut: bool) -> None:
        if outcome.delivery and not cut:
            # Before it leaves, so that whoever has the answer finds it set.
            outcome.delivery.answered_at = time.time()
        self._write(outcome.answer, cut)

    def _write(self, answer: Answer, cut: bool) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        headers = {"Content-Type": "text/html" if isinstance(answer.body, bytes) else "application/json"}
        if answer.status == HTTPStatus.NO_CONTENT:
            body, headers = b"", {}
        else:
            headers["Content-Length"] = str(len(body))
        self.send_response(answer.status)
        for name, value in (headers | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        self.close_connection |= cut

    def log_message(self, *_: Any) -> None:
        """The sandbox's console belongs to the demo."""
