"""Where the browser comes back to after a login: a page on this machine that takes one answer, and no forged one."""

import html
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from console.failures import CommandError
from console.printing import complain

_HOST = "127.0.0.1"
_LONGEST = 200


class DeclinedError(Exception):
    """The person, or the platform, said no."""


class Callback:
    """Listens while it is entered. Raises CommandError if the port is taken."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{_HOST}:{port}/callback"
        self._state: str | None = None
        self._told: dict[str, str] | None = None
        self._changed = threading.Condition()
        try:
            self._server = _Server((_HOST, port), _handler(self))
        except OSError as error:
            raise CommandError(
                f"port {port} cannot be used: {error.strerror}; register another redirect, and name it by --port"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def expect(self, state: str) -> None:
        """Before the browser is sent off: it may be back at once."""
        with self._changed:
            self._state = state

    def wait(self, seconds: float) -> str:
        """The code that comes back with the expected state. Raises TimeoutError and DeclinedError."""
        give_up = time.monotonic() + seconds
        with self._changed:
            while self._told is None:
                if not self._changed.wait(max(0.0, give_up - time.monotonic())):
                    raise TimeoutError
        if "code" in self._told:
            return self._told["code"]
        raise DeclinedError(
            " ".join(self._told.get(key, "") for key in ("error", "error_description")).strip()[:_LONGEST]
        )

    def take(self, told: dict[str, str]) -> tuple[HTTPStatus, str]:
        """What the browser brought, and what to answer."""
        with self._changed:
            if self._told is not None:
                return HTTPStatus.CONFLICT, "This login is over already. Nothing has changed."
            if self._state is None or told.get("state") != self._state:
                complain("an answer came that does not belong to this login, and was left alone; still waiting")
                return HTTPStatus.BAD_REQUEST, "This is not the login that was begun in the terminal."
            if "code" not in told and "error" not in told:
                return HTTPStatus.BAD_REQUEST, "This answer says neither yes nor no."
            self._told = told
            self._changed.notify_all()
        if "code" in told:
            return HTTPStatus.OK, "Thank you. You can close this page; the terminal says how it went."
        return HTTPStatus.OK, "Carillon was not let in. You can close this page."


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is daily bread."""


def _handler(callback: Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path != "/callback":
                self._say(HTTPStatus.NOT_FOUND, "There is nothing here.")
                return
            told = {name: values[0] for name, values in parse_qs(place.query, max_num_fields=20).items()}
            self._say(*callback.take(told))

        def _say(self, status: HTTPStatus, words: str) -> None:
            page = f"<!doctype html><meta charset=utf-8><title>Carillon</title><p>{html.escape(words)}</p>".encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """The code stands in the address."""

    return Handler
