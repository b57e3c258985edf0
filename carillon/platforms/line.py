"""One connection to a platform, which lets the request go in one write, and only if its attempt may still begin."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from math import inf
from queue import Empty, SimpleQueue
from socket import SOCK_STREAM, getaddrinfo
from ssl import SSLContext
from threading import Thread
from typing import Any

import httpcore

from carillon.platforms.attempt import Attempt

_PIECE_BYTES = 64 * 1024

IDLE_SECONDS = 2.0
"""A connection that rested longer may be half dead: it is closed, not used."""


class InsideError(Exception):
    """A host that leads to an address which is not to be reached; nothing was connected."""


class Line(httpcore.NetworkBackend):
    """One connection, which one thread has to itself at a time. `reachable` judges each address of the host."""

    def __init__(
        self,
        tls: SSLContext,
        proxy: httpcore.Proxy | None,
        origin: httpcore.Origin,
        reachable: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.attempt = Attempt(0, 0, 0)
        self._reachable = reachable
        self.rests_since = inf
        self._sockets = httpcore.SyncBackend()
        maker = httpcore.ConnectionPool(
            ssl_context=tls, proxy=proxy, keepalive_expiry=IDLE_SECONDS, network_backend=self
        )
        self.connection = maker.create_connection(origin)

    def connect_tcp(  # the attempt's times are the ones that count
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        waiting = _addresses(host, self.attempt.left())
        if not all(map(self._reachable, waiting)):
            raise InsideError(host)
        while True:
            address = waiting.pop(0)
            share = self.attempt.left() / (len(waiting) + 1)  # the first address may swallow all packets
            try:
                return Stream(self._sockets.connect_tcp(address, port, share), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not waiting:
                    raise


class Stream(httpcore.NetworkStream):
    """A connection that holds the request back until all of it is there, and then asks the attempt.

    In one write no process can be frozen between head and body, to finish a request long after its lease. Only what
    `streams`, an upload, goes out piece by piece.
    """

    def __init__(self, inner: httpcore.NetworkStream, line: Line) -> None:
        self._inner = inner
        self._line = line
        self._held = b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._held += buffer
        if self._line.attempt.streams and len(self._held) >= _PIECE_BYTES:
            self._let_go()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._let_go()
        return self._inner.read(max_bytes, self._line.attempt.left())

    def _let_go(self) -> None:
        request, self._held = self._held, b""
        if not request:
            return
        left = self._line.attempt.left()
        attempt = self._line.attempt
        if not request.startswith(b"CONNECT ") and not (attempt.streams and attempt.begun):  # that one is for the proxy
            attempt.begin()
        with suppress(httpcore.WriteError):  # a server may answer and close before it has read everything
            self._inner.write(request, left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            secured = self._inner.start_tls(ssl_context, server_hostname, self._line.attempt.left())
        except BaseException:
            self.close()
            raise
        return Stream(secured, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _addresses(host: str, seconds: float) -> list[str]:
    """Resolved in a thread of its own, since the system's resolver takes no time-out."""
    with suppress(ValueError):
        return [str(ip_address(host))]
    found: SimpleQueue[list[str] | OSError] = SimpleQueue()
    Thread(target=_resolve, args=(host, found.put), daemon=True).start()
    try:
        addresses = found.get(timeout=seconds)
    except Empty:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(addresses, OSError):
        raise httpcore.ConnectError(str(addresses))
    return addresses


def _resolve(host: str, put: Callable[[list[str] | OSError], None]) -> None:
    try:
        put(list(dict.fromkeys(str(entry[4][0]) for entry in getaddrinfo(host, None, type=SOCK_STREAM))))
    except OSError as error:
        put(error)
    except UnicodeError:
        put(OSError("not a host name"))
