"""A web server in a thread of its own: uvicorn on h11, on a socket that is opened first: so a taken port is told."""

import asyncio
import logging
import socket
import threading

from h11 import IDLE, SEND_BODY
from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_SECONDS = 10.0
"""For a request up to its body; without it one that never ends would hold its connection for ever."""

_REST_SECONDS = 2.0
"""For the rest of a body that was refused: cut at once, its sender would not come to read why; it may have no end."""

_MOST_CONNECTIONS = 200
_STOP_SECONDS = 5


class WebServer:
    """Serves from `start` to `stop`, on one port of one address; 0 is any free port."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host, self._number = host, port
        self._socket: socket.socket | None = None
        self._server = Server(_config(app))
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def open(self) -> None:
        """Raises OSError, which names the address, if it is taken or not this machine's."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self._number), family=family, backlog=256)
        except OSError as error:
            why = str(error.strerror).partition(" (")[0]  # the rest repeats the address
            raise OSError(f"{_shown(self._host, self._number)} cannot be listened on: {why}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each answer waits for 40 ms

    @property
    def url(self) -> str:
        assert self._socket is not None, "it has an address once it is open"
        return f"http://{_shown(self._host, self._socket.getsockname()[1])}"

    def start(self) -> None:
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        """What is being answered is answered to its end, within some seconds."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS + 1)

    def _run(self) -> None:
        assert self._socket is not None
        self._server.run([self._socket])


class _Bounded(H11Protocol):
    """Waits only so long for the head of a request, and for the end of one that is answered already."""

    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        answered = self.cycle is not None and self.cycle.response_complete
        rest_of_answered = answered and self.conn.their_state is SEND_BODY
        if not rest_of_answered and self.conn.their_state is not IDLE:
            self._forget()
        elif self._waits is None:
            seconds = _REST_SECONDS if rest_of_answered else _HEAD_SECONDS
            self._waits = self.loop.call_later(seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


def _config(app: ASGIApp) -> Config:
    """No access log: who asks for what is the application's to tell, and bodies are nobody's."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # any scanner would fill the log with warnings
    return Config(
        app,
        http=_Bounded,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
