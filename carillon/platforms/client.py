"""The one HTTP client, and the only file that knows httpx (with `line.py`, which knows httpcore, its lower half).

What it promises about a POST: at most one is ever on the wire, in one write, never after its lease, and
whether its first byte was let go is known. It drives httpcore's connections one by one, without httpx's client,
which keeps cookies of one account for the next and trips over a bad Location that it was told not to follow, and
without httpcore's pool, which is a third of a request's work and would send again what was not taken.
"""

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from ipaddress import ip_address
from math import inf
from ssl import SSLContext
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from carillon import clock
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.attempt import Attempt, Guard, OutOfTimeError
from carillon.platforms.contract import Request
from carillon.platforms.errors import GivenUp, LeaseOver, MaybeSent, NotSent, Unreachable
from carillon.platforms.line import IDLE_SECONDS, Line

__all__ = ["Answer", "Client", "Guard", "encoded"]

CONNECT_SECONDS = 5.0  # name, connection, proxy and TLS together
SENT_BODY_BYTES = 1 << 20
READ_BODY_BYTES = 8 << 20

_OUT_OF_TIME = (OutOfTimeError, httpcore.TimeoutException)


class Client:
    """One for a process, safe among threads. `timeout` bounds a whole attempt, in seconds."""

    def __init__(self, timeout: float) -> None:
        for name in ("httpx", "httpcore"):  # at DEBUG they print headers
            logging.getLogger(name).setLevel(logging.WARNING)
        self._timeout = timeout
        self._tls = trusting()
        self._proxies = getproxies()
        self._resting: dict[tuple[str | None, bytes, bytes], deque[Line]] = {}  # by proxy and platform

    def post(self, request: Request, guard: Guard) -> Answer:
        """Send once. Raises NotSent, LeaseOver or MaybeSent: the bytes that left decide, not the error."""
        attempt = self._attempt(guard.lease_until)
        try:
            return self._exchange(request, attempt, SENT_BODY_BYTES)
        except LeaseOver:
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, the first byte decides
            words = _words(error, request.url)
            raise (_doubt(error)(words) if attempt.begun else NotSent(words)) from None

    def get(self, request: Request) -> Answer:
        """Raises Unreachable if no status line came."""
        try:
            return self._exchange(request, self._attempt(inf), READ_BODY_BYTES)
        except Exception as error:  # noqa: BLE001  whatever it was, a read may be tried again
            raise Unreachable(_words(error, request.url)) from None

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        """Anything but a send that may be asked twice without harm. Raises Unreachable if no status line came."""
        try:
            attempt = self._attempt(inf, seconds)
            attempt.streams = request.raw is not None
            return self._exchange(request, attempt, READ_BODY_BYTES)
        except Exception as error:  # noqa: BLE001  whatever it was, it may be tried again
            raise Unreachable(_words(error, request.url)) from None

    def close(self) -> None:
        """Close what rests; to be called when no request is under way."""
        for resting in self._resting.values():
            while resting:
                resting.pop().connection.close()

    def _attempt(self, lease_until: float, seconds: float | None = None) -> Attempt:
        now = clock.ticks()
        end_by = now + (seconds or self._timeout)
        return Attempt(lease_until, min(now + CONNECT_SECONDS, end_by), end_by)

    def _exchange(self, request: Request, attempt: Attempt, most_bytes: int) -> Answer:
        with self._line(request.url, attempt) as line:
            response = line.connection.handle_request(_written(request))
            body, complete = _body(response, most_bytes)
        return Answer(response.status, Headers(_texts(response.headers)), body, complete)

    @contextmanager
    def _line(self, url: str, attempt: Attempt) -> Iterator[Line]:
        place, host = _place(url)
        proxy = self._proxy(url)
        resting = self._resting.setdefault((proxy, place.scheme, host), deque())
        line = _alive(resting) or Line(self._tls, _through(proxy), place.origin)
        line.attempt = attempt
        try:
            yield line
        except BaseException:
            line.connection.close()
            raise
        line.rests_since = clock.ticks()
        resting.append(line)
        for tired in list(self._resting.values()):
            _close_tired(tired)

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if not proxy or _is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if not proxy.startswith(("http://", "https://")):
            raise httpcore.ProxyError(f"{parts.scheme.upper()}_PROXY must begin with http:// or https://")
        return proxy


def trusting() -> SSLContext:
    """What tells whose certificates to believe."""
    return httpx.create_ssl_context()


def encoded(request: Request) -> bytes:
    """The body as it goes over the wire: JSON in UTF-8."""
    return json.dumps(request.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _written(request: Request) -> httpcore.Request:
    url, host = _place(request.url)
    headers = [(b"Host", host)]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()]
    if request.raw is not None:
        headers.append((b"Content-Length", str(request.raw.length).encode()))
        return httpcore.Request(request.method, url, headers=headers, content=request.raw.chunks())
    content = b"" if request.json is None else encoded(request)
    if content or request.method != "GET":
        headers.append((b"Content-Length", str(len(content)).encode()))
    return httpcore.Request(request.method, url, headers=headers, content=content)


@lru_cache(maxsize=1024)
def _place(url: str) -> tuple[httpcore.URL, bytes]:
    """Where it is, as httpx reads it, and what to call the host."""
    read = httpx.URL(url)
    place = httpcore.URL(scheme=read.raw_scheme, host=read.raw_host, port=read.port, target=read.raw_path)
    return place, read.netloc


def _through(proxy: str | None) -> httpcore.Proxy | None:
    if proxy is None:
        return None
    read = httpx.Proxy(proxy)
    url, _ = _place(str(read.url))
    return httpcore.Proxy(url, auth=read.raw_auth, headers=read.headers.raw, ssl_context=read.ssl_context)


def _body(response: httpcore.Response, most_bytes: int) -> tuple[bytes, bool]:
    body = b""
    try:
        for chunk in _chunks(response):
            body += chunk
            if len(body) > most_bytes:
                return body[:most_bytes], False
    except Exception:  # noqa: BLE001  the status line stands, whatever became of the rest
        return body, False
    finally:
        response.close()
    return body, True


def _chunks(response: httpcore.Response) -> Iterable[bytes]:
    """Unpacked, should the platform have packed what it was not asked to."""
    assert isinstance(response.stream, Iterable)
    if not any(name.lower() == b"content-encoding" for name, _ in response.headers):
        return response.stream
    return httpx.Response(response.status, headers=response.headers, stream=_Packed(response.stream)).iter_bytes()


class _Packed(httpx.SyncByteStream):
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Of a header that comes twice, all values."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _alive(resting: deque[Line]) -> Line | None:
    """The one that rested last, if it may be used again: it is young, and its server has not closed it."""
    with suppress(IndexError):
        while True:
            line = resting.pop()
            young = clock.ticks() - line.rests_since < IDLE_SECONDS  # httpcore's clock stands still in a sleep
            if young and line.connection.is_available() and not line.connection.has_expired():
                return line
            line.connection.close()
    return None


def _close_tired(resting: deque[Line]) -> None:
    """Those that rested longest, so that a burst leaves no sockets behind."""
    with suppress(IndexError):  # other threads take from the same deque
        while clock.ticks() - resting[0].rests_since > IDLE_SECONDS:
            resting.popleft().connection.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _doubt(error: Exception) -> type[MaybeSent]:
    return GivenUp if isinstance(error, _OUT_OF_TIME) else MaybeSent


def _words(error: Exception, url: str) -> str:
    """Only errors of connecting speak for themselves: others may quote a header, and with it the key."""
    host = url.partition("://")[2].partition("/")[0]
    if isinstance(error, _OUT_OF_TIME):
        return f"{host}: no answer in time"
    if isinstance(error, httpcore.ConnectError | httpcore.ProxyError):
        return f"{host}: cannot connect: {error}"
    return f"{host}: no whole answer ({type(error).__name__})"
