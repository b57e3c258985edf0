"""Fetching a URL: over https, never from an inside address, never without an end."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from carillon.platforms import line
from carillon.platforms.fetch import Fetch, FetchError, is_public
from carillon.platforms.store import Store
from standins import AUTHORITY, Reply, Seen, StandIn, Wire

PHOTO = b"\xff\xd8\xff\xe0" + b"light" * 20_000
OUTSIDE = "127.0.0.1"
"""What counts as outside here; everything else on this machine is inside."""


def trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def fetch(seconds: float = 10, most_bytes: int = 1 << 20) -> Fetch:
    return Fetch(lambda address: address == OUTSIDE, trusted(), seconds, most_bytes)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Where names lead; changed by a test, they lead elsewhere from then on."""
    known = {"platform.test": [OUTSIDE]}

    def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(line, "getaddrinfo", look_up)
    return known


class Host:
    """Serves what it is told to, and notes who came."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}

    def __call__(self, seen: Seen) -> Reply:
        return self.replies.get(seen.path, Reply(404, b"no"))


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def server(host: Host) -> Iterator[StandIn]:
    with StandIn(host, tls=True) as standin:
        yield standin


def fetched(fetch: Fetch, url: str) -> bytes:
    return b"".join(fetch.pieces(url))


def test_a_photo_comes_whole_and_nothing_of_ours_goes_along(host: Host, server: StandIn) -> None:
    host.replies["/a%20b.jpg?size=1"] = Reply(200, PHOTO)
    assert fetched(fetch(), f"{server.url}/a b.jpg?size=1") == PHOTO
    (seen,) = server.seen
    assert seen.headers.keys() == {"host", "accept", "accept-encoding", "user-agent"}


def test_a_name_is_resolved_once_and_the_certificate_is_for_the_name(
    host: Host, server: StandIn, names: dict[str, list[str]]
) -> None:
    host.replies["/a.jpg"] = Reply(200, PHOTO)
    assert fetched(fetch(), f"https://platform.test:{server.port}/a.jpg") == PHOTO
    names["elsewhere.test"] = [OUTSIDE]
    with pytest.raises(FetchError, match=r"(?i)certificate"):
        fetched(fetch(), f"https://elsewhere.test:{server.port}/a.jpg")


def test_a_host_that_leads_inside_by_now_is_not_connected_to(server: StandIn, names: dict[str, list[str]]) -> None:
    for addresses in (["127.0.0.2"], [OUTSIDE, "127.0.0.2"], ["10.0.0.1"], ["169.254.169.254"]):
        names["platform.test"] = addresses
        with pytest.raises(FetchError, match="inside") as told:
            fetched(fetch(), f"https://platform.test:{server.port}/a.jpg")
        assert told.value.final
    assert server.connections == 0


def test_a_redirect_is_followed_outside_and_never_inside(
    host: Host, server: StandIn, names: dict[str, list[str]]
) -> None:
    names["inner.test"] = ["127.0.0.2"]
    host.replies |= {
        "/one": Reply(302, b"", {"Location": "/two"}),
        "/two": Reply(307, b"", {"Location": f"https://platform.test:{server.port}/a.jpg"}),
        "/a.jpg": Reply(200, PHOTO),
        "/in": Reply(302, b"", {"Location": f"https://inner.test:{server.port}/a.jpg"}),
        "/number": Reply(301, b"", {"Location": f"https://127.0.0.2:{server.port}/a.jpg"}),
        "/plain": Reply(302, b"", {"Location": f"http://127.0.0.1:{server.port}/a.jpg"}),
        "/file": Reply(302, b"", {"Location": "file:///etc/passwd"}),
        "/user": Reply(302, b"", {"Location": f"https://me:secret@127.0.0.1:{server.port}/a.jpg"}),
        "/round": Reply(302, b"", {"Location": "/round"}),
    }
    assert fetched(fetch(), f"{server.url}/one") == PHOTO
    for path, word in (
        ("/in", "inside"),
        ("/number", "inside"),
        ("/plain", "only https"),
        ("/file", "only https"),
        ("/user", "only https"),
        ("/round", "more than 3 redirects"),
    ):
        with pytest.raises(FetchError, match=word) as told:
            fetched(fetch(), f"{server.url}{path}")
        assert told.value.final
        assert "secret" not in told.value.words


@pytest.mark.parametrize(
    ("reply", "word", "final"),
    [
        (Reply(200, b"<!doctype html><p>" + b"x" * 100), "neither a photo", True),
        (Reply(200, b""), "neither a photo", True),
        (Reply(200, b"\xff\xd8"), "neither a photo", True),
        (Reply(200, PHOTO * 11), "larger than", True),
        (Reply(200, PHOTO, {"Content-Encoding": "gzip"}), "packed", True),
        (Reply(404, b"gone"), "answered 404", False),
        (Reply(500, b"away"), "answered 500", False),
        (Reply(206, PHOTO), "answered 206", False),
    ],
)
def test_what_is_no_medium_is_not_taken(host: Host, server: StandIn, reply: Reply, word: str, final: bool) -> None:
    host.replies["/it"] = reply
    with pytest.raises(FetchError, match=word) as told:
        fetched(fetch(), f"{server.url}/it")
    assert told.value.final is final


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a.jpg", "https:///a.jpg", "https://a@127.0.0.1/", "ftp://x/", "https://[::1/"]
)
def test_only_https_with_a_host_is_fetched(url: str) -> None:
    with pytest.raises(FetchError) as told:
        fetched(fetch(), url)
    assert told.value.final


def secured(script: Callable[[ssl.SSLSocket], None]) -> Callable[[Wire, socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)

    def run(_: Wire, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls, suppress(OSError):
            tls.recv(65_536)
            tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            script(tls)

    return run


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def endless(tls: ssl.SSLSocket) -> None:
    tls.sendall(chunk(PHOTO))
    while True:
        tls.sendall(chunk(b"x" * 50_000))


def slow(tls: ssl.SSLSocket) -> None:
    tls.sendall(chunk(PHOTO))
    tls.recv(1)


def cut(tls: ssl.SSLSocket) -> None:
    tls.sendall(chunk(PHOTO))


@pytest.mark.parametrize(
    ("script", "seconds", "word", "final"),
    [(endless, 10, "larger than", True), (slow, 0.5, "in time", False), (cut, 10, "127.0.0.1", False)],
)
def test_a_body_without_an_end_is_cut_and_leaves_no_file(
    tmp_path: Path, script: Callable[[ssl.SSLSocket], None], seconds: float, word: str, final: bool
) -> None:
    with Wire(secured(script)) as wire:
        url = wire.url.replace("http:", "https:")
        with pytest.raises(FetchError, match=word) as told:
            Store(tmp_path).add(fetch(seconds).pieces(f"{url}/endless.jpg"))
        assert told.value.final is final
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("64:ff9b:1::7f00:1", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("fec0::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_by_default_this_machine_is_inside(host: Host, server: StandIn) -> None:
    host.replies["/a.jpg"] = Reply(200, PHOTO)
    with pytest.raises(FetchError, match="inside"):
        fetched(Fetch(tls=trusted()), f"{server.url}/a.jpg")
    assert server.connections == 0
