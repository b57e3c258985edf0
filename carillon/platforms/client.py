"""The one HTTP client, and the only file that knows httpx (and httpcore, which it is built on).

What it promises about a POST: at most one is ever on the wire, in one write, never after its lease, and
whether its first byte was let go is known. It drives httpx's transport alone, without httpx's client: that
one keeps cookies of one account for the next, and trips over a bad Location that it was told not to follow.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from math import inf
from queue import Empty, SimpleQueue
from socket import SOCK_STREAM, getaddrinfo
from ssl import SSLContext
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from carillon import clock
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.attempt import Attempt, Guard, OutOfTimeError
from carillon.platforms.contract import Request
from carillon.platforms.errors import LeaseOver, MaybeSent, NotSent, Unreachable

__all__ = ["Answer", "Client", "Guard", "encoded"]

CONNECT_SECONDS = 5.0  # name, connection, proxy and TLS together
IDLE_SECONDS = 2.0  # a connection that rested longer may be half dead: it is closed, not used
SENT_BODY_BYTES = 1 << 20
READ_BODY_BYTES = 8 << 20


class Client:
    """One for a process, safe among threads. `timeout` bounds a whole attempt, in seconds."""

    def __init__(self, timeout: float) -> None:
        for name in ("httpx", "httpcore"):  # at DEBUG they print headers
            logging.getLogger(name).setLevel(logging.WARNING)
        self._timeout = timeout
        self._tls = httpx.create_ssl_context()
        self._proxies = getproxies()
        self._resting: dict[str | None, deque[_Line]] = {}  # by proxy

    def post(self, request: Request, guard: Guard) -> Answer:
        """Send once. Raises NotSent, LeaseOver or MaybeSent: the bytes that left decide, not the error."""
        attempt = self._attempt(guard.lease_until)
        try:
            return self._exchange(request, attempt, SENT_BODY_BYTES)
        except LeaseOver:
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, the first byte decides
            words = _words(error, request.url)
            raise (MaybeSent(words) if attempt.begun else NotSent(words)) from None

    def get(self, request: Request) -> Answer:
        """Raises Unreachable if no status line came."""
        try:
            return self._exchange(request, self._attempt(inf), READ_BODY_BYTES)
        except Exception as error:  # noqa: BLE001  whatever it was, a read may be tried again
            raise Unreachable(_words(error, request.url)) from None

    def close(self) -> None:
        """Close what rests; to be called when no request is under way."""
        for resting in self._resting.values():
            while resting:
                resting.pop().transport.close()

    def _attempt(self, lease_until: float) -> Attempt:
        now = clock.ticks()
        end_by = now + self._timeout
        return Attempt(lease_until, min(now + CONNECT_SECONDS, end_by), end_by)

    def _exchange(self, request: Request, attempt: Attempt, most_bytes: int) -> Answer:
        with self._line(request.url, attempt) as line:
            response = line.transport.handle_request(_written(request))
            body, complete = _body(response, most_bytes)
        return Answer(response.status_code, Headers(response.headers), body, complete)

    @contextmanager
    def _line(self, url: str, attempt: Attempt) -> "Iterator[_Line]":
        proxy = self._proxy(url)
        resting = self._resting.setdefault(proxy, deque())
        try:
            line = resting.pop()
        except IndexError:
            line = _Line(self._tls, proxy)
        line.attempt = attempt
        try:
            yield line
        except BaseException:
            line.transport.close()
            raise
        line.rests_since = clock.ticks()
        resting.append(line)
        _close_tired(resting)

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if not proxy or _is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if not proxy.startswith(("http://", "https://")):
            raise httpx.ProxyError(f"{parts.scheme.upper()}_PROXY must begin with http:// or https://")
        return proxy


class _Line(httpcore.NetworkBackend):
    """A connection pool that one thread has to itself at a time.

    In a pool shared among threads, one may close an idle connection in the moment another writes to it.
    """

    def __init__(self, tls: SSLContext, proxy: str | None) -> None:
        limits = httpx.Limits(keepalive_expiry=IDLE_SECONDS)
        self.transport = httpx.HTTPTransport(verify=tls, proxy=proxy, limits=limits)
        self.transport._pool._network_backend = self  # noqa: SLF001  httpx has no public way to it
        self.attempt = Attempt(0, 0, 0)
        self.rests_since = inf
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(  # the attempt's times are the ones that count
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        waiting = _addresses(host, self.attempt.left())
        while True:
            address = waiting.pop(0)
            share = self.attempt.left() / (len(waiting) + 1)  # the first address may swallow all packets
            try:
                return _Stream(self._sockets.connect_tcp(address, port, share), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not waiting:
                    raise


class _Stream(httpcore.NetworkStream):
    """A connection that holds the request back until all of it is there, and then asks the attempt.

    In one write no process can be frozen between head and body, to finish a request long after its lease.
    """

    def __init__(self, inner: httpcore.NetworkStream, line: _Line) -> None:
        self._inner = inner
        self._line = line
        self._held = b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._held += buffer

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._let_go()
        return self._inner.read(max_bytes, self._line.attempt.left())

    def _let_go(self) -> None:
        request, self._held = self._held, b""
        if not request:
            return
        left = self._line.attempt.left()
        if not request.startswith(b"CONNECT "):  # that one is for the proxy
            self._line.attempt.begin()
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
        return _Stream(secured, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def encoded(request: Request) -> bytes:
    """The body as it goes over the wire: JSON in UTF-8."""
    return json.dumps(request.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _written(request: Request) -> httpx.Request:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()]
    content = None if request.json is None else encoded(request)
    return httpx.Request(request.method, request.url, headers=headers, content=content)


def _body(response: httpx.Response, most_bytes: int) -> tuple[bytes, bool]:
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > most_bytes:
                return body[:most_bytes], False
    except Exception:  # noqa: BLE001  the status line stands, whatever became of the rest
        return body, False
    finally:
        response.close()
    return body, True


def _close_tired(resting: deque[_Line]) -> None:
    """Those that rested longest, so that a burst leaves no sockets behind."""
    with suppress(IndexError):  # other threads take from the same deque
        while clock.ticks() - resting[0].rests_since > IDLE_SECONDS:
            resting.popleft().transport.close()


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


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _words(error: Exception, url: str) -> str:
    """Only errors of connecting speak for themselves: others may quote a header, and with it the key."""
    host = url.partition("://")[2].partition("/")[0]
    if isinstance(error, OutOfTimeError | httpx.TimeoutException):
        return f"{host}: no answer in time"
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return f"{host}: cannot connect: {error}"
    return f"{host}: no whole answer ({type(error).__name__})"
