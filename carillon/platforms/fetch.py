"""Fetches a medium from its URL, for platforms that do not: over https, and never from an inside address.

The host is resolved here and each of its addresses must be public; the connection goes to an address that was checked,
so a name that leads elsewhere a moment later changes nothing. Each redirect is checked the same way. No proxy is used,
since it would resolve the name itself, no cookie and no key is sent.
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import inf
from ssl import SSLContext
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httpcore

from carillon import clock
from carillon.platforms.attempt import Attempt, OutOfTimeError
from carillon.platforms.client import CONNECT_SECONDS, trusting
from carillon.platforms.forms import get
from carillon.platforms.kinds import HEAD_BYTES, kind_of
from carillon.platforms.line import InsideError, Line
from carillon.platforms.store import MOST_BYTES

_SECONDS = 900.0
_MOST_HOPS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_BEHIND_NAT64 = ip_network("64:ff9b::/96")
_GIVEN_OUT = ip_network("2000::/3")
"""IANA, "IPv6 Global Unicast Address Assignments": all else is old forms of IPv4, networks' own, or nobody's."""


class FetchError(Exception):
    """It could not be fetched. `final`: trying again later would be of no use."""

    def __init__(self, words: str, *, final: bool) -> None:
        super().__init__(words)
        self.words, self.final = words, final


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet, and not to this machine, its network or nobody."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and (inner := _inside(ip)) is not None:
        ip = inner
    return ip.is_global and not ip.is_multicast and (ip.version == 4 or ip in _GIVEN_OUT)


def _inside(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that such an address leads to in the end."""
    if ip in _BEHIND_NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


class Fetch:
    """Safe among threads. `reachable` tells which addresses may be connected to."""

    def __init__(
        self,
        reachable: Callable[[str], bool] = is_public,
        tls: SSLContext | None = None,
        seconds: float = _SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._reachable, self._tls = reachable, tls
        self._seconds, self._most_bytes = seconds, most_bytes

    def pieces(self, url: str) -> Iterator[bytes]:
        """The medium at `url`, as it comes. Raises FetchError."""
        try:
            yield from self._pieces(url, clock.ticks() + self._seconds)
        except InsideError as error:
            raise FetchError(f"{error} leads to an address inside, which is never fetched from", final=True) from None
        except (OutOfTimeError, httpcore.TimeoutException):
            raise FetchError(f"{_host(url)}: it did not come in time", final=False) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise FetchError(f"{_host(url)}: {type(error).__name__}: {error}", final=False) from None

    def _pieces(self, url: str, end_by: float) -> Iterator[bytes]:
        self._tls = self._tls or trusting()
        for _ in range(_MOST_HOPS + 1):
            place = _checked(url)
            line = Line(self._tls, None, place.origin, self._reachable)
            line.attempt = Attempt(inf, min(clock.ticks() + CONNECT_SECONDS, end_by), end_by)
            try:
                response = line.connection.handle_request(_request(place))
                target = _redirect(response)
                if target is None:
                    yield from self._body(response, url)
                    return
                url = urljoin(url, target)
            finally:
                line.connection.close()
        raise FetchError(f"{_host(url)}: more than {_MOST_HOPS} redirects", final=True)

    def _body(self, response: httpcore.Response, url: str) -> Iterator[bytes]:
        headers = {name.lower(): value for name, value in response.headers}
        if response.status != 200:
            raise FetchError(f"{_host(url)} answered {response.status}", final=False)
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise FetchError(f"{_host(url)}: it comes packed, which was not asked for", final=True)
        if int(headers.get(b"content-length", b"0")) > self._most_bytes:
            raise self._too_large(url)
        assert isinstance(response.stream, Iterable)
        yield from _of_known_kind(self._capped(response.stream, url), url)

    def _capped(self, pieces: Iterable[bytes], url: str) -> Iterator[bytes]:
        count = 0
        for piece in pieces:
            count += len(piece)
            if count > self._most_bytes:
                raise self._too_large(url)
            yield piece

    def _too_large(self, url: str) -> FetchError:
        return FetchError(f"{_host(url)}: it is larger than {self._most_bytes / 1e6:.0f} MB", final=True)


def _of_known_kind(pieces: Iterator[bytes], url: str) -> Iterator[bytes]:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    if kind_of(head) is None:
        raise FetchError(f"{_host(url)}: what it sends is neither a photo, a video nor audio", final=True)
    yield head
    yield from pieces


def _checked(url: str) -> httpcore.URL:
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna")
    except (ValueError, UnicodeError):
        raise FetchError("this is not a URL", final=True) from None
    if parts.scheme != "https" or not host or parts.username is not None or parts.password is not None:
        raise FetchError(f"{_host(url)}: only https:// with a host, and no name or password in it", final=True)
    return httpcore.URL(scheme=b"https", host=host, port=port, target=_target(parts))


def _target(parts: SplitResult) -> bytes:
    kept = "/%:@!$&'()*+,;=~-._?"
    query = f"?{quote(parts.query, kept)}" if parts.query else ""
    return f"{quote(parts.path, kept) or '/'}{query}".encode()


def _request(place: httpcore.URL) -> httpcore.Request:
    host = place.host if place.port in (None, 443) else b"%s:%d" % (place.host, place.port)
    ours = get("", {}).headers["User-Agent"].encode()
    headers = [(b"Host", host), (b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", ours)]
    return httpcore.Request("GET", place, headers=headers)


def _redirect(response: httpcore.Response) -> str | None:
    if response.status not in _REDIRECTS:
        return None
    location = next((value for name, value in response.headers if name.lower() == b"location"), b"")
    return location.decode("latin-1")


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "the URL"
