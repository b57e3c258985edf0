"""One POST at most, never after its lease, and what left is known: connections, proxies, TLS, threads, time."""

import gc
import gzip
import logging
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

import carillon
from carillon import clock
from carillon.platforms import line as line_file
from carillon.platforms.attempt import OutOfTimeError
from carillon.platforms.client import Client, Guard
from carillon.platforms.contract import Request
from carillon.platforms.errors import GivenUp, LeaseOver, MaybeSent, NotSent, PlatformError, Unreachable
from carillon.platforms.line import Line
from standins import AUTHORITY, Reply, StandIn, Wire, reset

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def make() -> Iterator[Callable[[float], Client]]:
    made: list[Client] = []

    def make(timeout: float) -> Client:
        made.append(Client(timeout))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make: Callable[[float], Client]) -> Client:
    return make(5)


def post(url: str, headers: dict[str, str] | None = None) -> Request:
    agent = {"User-Agent": "carillon/1", "Accept": "application/json", "Content-Type": "application/json"}
    return Request("POST", f"{url}/x", {**agent, **(headers or {})}, {"text": "Grüße 🌙"})


def get(url: str) -> Request:
    return Request("GET", f"{url}/x", {"User-Agent": "carillon/1", "Accept": "application/json"})


def answer_all(wire: Wire, connection: socket.socket) -> None:
    while wire.hear(connection):
        connection.sendall(OK)


def listen_only(wire: Wire, connection: socket.socket) -> None:
    """Keep whatever comes as one request, without an answer."""
    wire.requests.append(b"")
    while chunk := connection.recv(65_536):
        wire.requests[-1] += chunk


def hang(wire: Wire, _: socket.socket) -> None:
    wire.closing.wait(10)


class Late:
    """A clock that jumps ahead in a chosen moment, as after a suspension."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = clock.ticks
        monkeypatch.setattr(clock, "ticks", lambda: real() + self.ahead)


def test_a_lease_that_is_over_sends_no_byte(client: Client) -> None:
    with Wire(listen_only) as wire:
        with pytest.raises(LeaseOver):
            client.post(post(wire.url), Guard(clock.ticks() - 0.001))
        wire.wait_for_ends(1)
    assert (wire.connections, wire.requests) == (1, [b""])


def test_the_lease_is_checked_after_the_connection_is_open(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)
    connect = httpcore.SyncBackend.connect_tcp

    def slow(*args: object, **named: object) -> httpcore.NetworkStream:
        stream = connect(*args, **named)  # type: ignore[arg-type]
        late.ahead = 1
        return stream

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", slow)
    with Wire(listen_only) as wire:
        with pytest.raises(LeaseOver):
            client.post(post(wire.url), Guard(clock.ticks() + 0.5))
        wire.wait_for_ends(1)
    assert (wire.connections, wire.requests) == (1, [b""])


def test_the_lease_is_checked_on_a_kept_connection_too(client: Client) -> None:
    with Wire(answer_all) as wire:
        client.post(post(wire.url), Guard(inf))
        with pytest.raises(LeaseOver):
            client.post(post(wire.url), Guard(clock.ticks()))
        wire.wait_for_ends(1)
    assert (wire.connections, len([heard for heard in wire.requests if heard])) == (1, 1)


STOPPED_BEFORE_ITS_FIRST_BYTE = """
import os, signal, sys
from carillon import clock
from carillon.platforms import client
from carillon.platforms.contract import Request
from carillon.platforms.errors import LeaseOver
from carillon.platforms.line import Stream

let_go = Stream._let_go

def stop(stream):
    os.kill(os.getpid(), signal.SIGSTOP)
    let_go(stream)

Stream._let_go = stop
try:
    client.Client(5).post(Request("POST", sys.argv[1], {}, {"text": "Hi"}), client.Guard(clock.ticks() + 0.3))
except LeaseOver:
    sys.exit(7)
"""


def test_a_process_frozen_past_its_lease_sends_nothing_when_it_wakes() -> None:
    """The child stops itself once it is connected; it is woken when its lease is over."""
    root = str(Path(carillon.__file__).parents[1])
    with Wire(listen_only) as wire:
        child = subprocess.Popen(
            [sys.executable, "-c", STOPPED_BEFORE_ITS_FIRST_BYTE, wire.url], env={**os.environ, "PYTHONPATH": root}
        )
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        time.sleep(0.4)  # longer than the lease: what is tested is that time passes
        child.send_signal(signal.SIGCONT)
        assert child.wait(10) == 7
        wire.wait_for_ends(1)
    assert (wire.connections, wire.requests) == (1, [b""])


def test_a_request_leaves_in_one_piece(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    send = socket.socket.send

    def note(connection: socket.socket, data: bytes) -> int:
        sent.append(bytes(data))
        return send(connection, data)

    monkeypatch.setattr(socket.socket, "send", note)
    with Wire(answer_all) as wire:
        client.post(post(wire.url), Guard(inf))
    assert len(sent) == 1
    assert sent[0].endswith('{"text":"Grüße 🌙"}'.encode())


def test_a_young_connection_is_used_again_and_an_old_one_is_not(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire(answer_all) as wire:
        for _ in range(3):
            client.post(post(wire.url), Guard(inf))
        assert wire.connections == 1
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + 2.1)
        client.post(post(wire.url), Guard(inf))
        assert wire.connections == 2


def test_a_burst_leaves_no_connections_behind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)
    together = threading.Barrier(8)

    def answer(_: object) -> Reply:
        together.wait(5)
        return Reply(200, {})

    with StandIn(answer) as platform:
        threads = [threading.Thread(target=client.post, args=(post(platform.url), Guard(inf))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (resting,) = client._resting.values()
        assert (platform.connections, len(resting)) == (8, 8)
        late.ahead = 3
        platform.answer = lambda _: Reply(200, {})
        client.post(post(platform.url), Guard(inf))
        assert len(resting) == 1


@pytest.mark.parametrize("end", [lambda connection: None, reset], ids=["closed", "reset"])
def test_a_dead_kept_connection_is_replaced_before_a_byte_is_written(
    client: Client, end: Callable[[socket.socket], None]
) -> None:
    gone = threading.Event()

    def once(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        connection.sendall(OK)
        end(connection)
        connection.close()
        gone.set()

    with Wire(once) as wire:
        client.post(post(wire.url), Guard(inf))
        assert gone.wait(5)
        client.post(post(wire.url), Guard(inf))
        assert (wire.connections, len(wire.requests)) == (2, 2)


def test_a_connection_that_a_machine_slept_over_is_not_used_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds ago by the clock that stands still in the sleep; nobody has told this side that the other is gone."""
    with Wire(answer_all) as wire:
        client.post(post(wire.url), Guard(inf))
        Late(monkeypatch).ahead = 3600
        client.post(post(wire.url), Guard(inf))
        assert wire.connections == 2


def test_a_kept_connection_that_dies_under_a_request_is_never_tried_again(client: Client) -> None:
    def second_one_dies(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        connection.sendall(OK)
        wire.hear(connection)

    with Wire(second_one_dies) as wire:
        client.post(post(wire.url), Guard(inf))
        with pytest.raises(MaybeSent):
            client.post(post(wire.url), Guard(inf))
    assert (wire.connections, len(wire.requests)) == (1, 2)


def test_a_connection_that_breaks_while_writing_is_unknown(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: socket.socket, data: bytes) -> int:
        raise BrokenPipeError

    with Wire(answer_all) as wire:
        client.get(get(wire.url))
        monkeypatch.setattr(socket.socket, "send", broken)
        monkeypatch.setattr(socket.socket, "recv", lambda *_: (_ for _ in ()).throw(ConnectionResetError))
        with pytest.raises(MaybeSent):
            client.post(post(wire.url), Guard(inf))
        monkeypatch.undo()
    assert wire.connections == 1


def test_what_httpcore_would_try_again_is_stopped_by_the_attempt(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pool repeats a request on ConnectionNotAvailable; suppose one came after the bytes had gone."""
    handle = httpcore.HTTP11Connection.handle_request

    def gone_after(connection: httpcore.HTTP11Connection, request: httpcore.Request) -> None:
        handle(connection, request)
        raise httpcore.ConnectionNotAvailable

    monkeypatch.setattr(httpcore.HTTP11Connection, "handle_request", gone_after)
    with Wire(answer_all) as wire, pytest.raises(MaybeSent):
        client.post(post(wire.url), Guard(inf))
    assert len([heard for heard in wire.requests if heard]) == 1


def test_an_answer_counts_although_the_server_stopped_reading(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    send = socket.socket.send

    def breaks_once_answered(connection: socket.socket, data: bytes) -> int:
        send(connection, data)
        select.select([connection], [], [], 5)
        raise BrokenPipeError

    monkeypatch.setattr(socket.socket, "send", breaks_once_answered)
    with Wire(answer_all) as wire:
        assert client.post(post(wire.url), Guard(inf)).status == 200


def test_a_server_that_reads_nothing_is_left_in_time(make: Callable[[float], Client]) -> None:
    client = make(1.5)
    with Wire(hang) as wire:
        request = Request("POST", wire.url, post("").headers, {"text": "x" * 16_000_000})
        began = time.monotonic()
        with pytest.raises(MaybeSent, match="in time"):
            client.post(request, Guard(inf))
        assert time.monotonic() - began < 5


def test_threads_do_not_disturb_each_other(client: Client) -> None:
    with StandIn(lambda seen: Reply(200, {"you": seen.json()["who"]})) as platform:
        answers: list[bool] = []

        def work(who: int) -> None:
            for turn in range(25):
                request = Request("POST", platform.url, post("").headers, {"who": [who, turn]})
                answers.append(client.post(request, Guard(inf)).json() == {"you": [who, turn]})

        threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(answers), all(answers), len(platform.seen)) == (200, True, 200)
        assert platform.connections <= 8


def test_no_cookie_of_one_account_reaches_another(client: Client) -> None:
    with StandIn(lambda _: Reply(200, {}, {"Set-Cookie": "session=luna; Path=/"})) as platform:
        client.post(post(platform.url), Guard(inf))
        client.post(post(platform.url), Guard(inf))
    assert platform.faults == []


def test_what_a_platform_packed_is_unpacked_up_to_the_cap(client: Client) -> None:
    said = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with StandIn(lambda _: Reply(200, gzip.compress(b'{"id": 7}'), said)) as platform:
        assert client.post(post(platform.url), Guard(inf)).json() == {"id": 7}
        platform.answer = lambda _: Reply(200, gzip.compress(b" " * (64 << 20)), said)
        answer = client.post(post(platform.url), Guard(inf))
        assert (answer.complete, len(answer.body)) == (False, 1 << 20)
        platform.answer = lambda _: Reply(202, b"not packed at all", said)
        answer = client.post(post(platform.url), Guard(inf))
        assert (answer.status, answer.complete) == (202, False)


def test_a_header_that_comes_twice_has_both_values(client: Client) -> None:
    def twice(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        connection.sendall(OK.replace(b"\r\n", b"\r\nVary: A\r\nvary: \xfc\r\n", 1))

    with Wire(twice) as wire:
        assert client.get(get(wire.url)).headers["Vary"] == "A, ü"


def test_each_platform_has_connections_of_its_own(client: Client) -> None:
    with Wire(answer_all) as one, Wire(answer_all) as other:
        for _ in range(3):
            client.post(post(one.url), Guard(inf))
            client.post(post(other.url), Guard(inf))
    assert (one.connections, other.connections) == (1, 1)


def test_bodies_are_cut_at_their_caps(client: Client) -> None:
    with StandIn(lambda _: Reply(200, b" " * (8 << 20), {"Content-Type": "application/json"})) as platform:
        answer = client.post(post(platform.url), Guard(inf))
        assert (answer.complete, len(answer.body)) == (False, 1 << 20)
        answer = client.get(get(platform.url))
        assert (answer.complete, len(answer.body)) == (True, 8 << 20)


def test_headers_of_an_answer_are_found_in_any_case(client: Client) -> None:
    with StandIn(lambda _: Reply(200, {}, {"Retry-AFTER": "5"})) as platform:
        headers = client.get(get(platform.url)).headers
    assert (headers["retry-after"], headers.get("RETRY-After"), headers.get("X-None")) == ("5", "5", None)
    assert "retry-AFTER" in headers
    assert len(headers) == len(list(headers))


# DNS


def test_a_name_that_does_not_exist(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(line_file, "getaddrinfo", unknown)
    with pytest.raises(NotSent, match=r"api\.fanvue\.com: cannot connect: .*Name or service not known"):
        client.post(post("https://api.fanvue.com"), Guard(inf))
    with pytest.raises(Unreachable):
        client.get(get("https://api.fanvue.com"))


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "x..y", "\u2603" * 70 + ".example"])
def test_a_name_that_cannot_be(client: Client, name: str) -> None:
    with pytest.raises(NotSent):
        client.post(post(f"http://{name}"), Guard(inf))


def test_a_resolver_that_hangs_is_not_waited_for(
    make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(line_file, "getaddrinfo", lambda *_, **__: done.wait(10) and [])
    client, began = make(0.3), time.monotonic()
    with pytest.raises(NotSent, match="in time"):
        client.post(post("http://platform.test"), Guard(inf))
    assert time.monotonic() - began < 2
    done.set()


def test_the_next_address_is_tried(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn() as platform:
        places = [(socket.AF_INET, 1, 6, "", (host, 0)) for host in ("127.255.255.254", "127.0.0.1")]
        monkeypatch.setattr(line_file, "getaddrinfo", lambda *_, **__: places)
        assert client.get(get(f"http://platform.test:{platform.port}")).status == 404


# TLS


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.mark.usefixtures("trusted")
def test_tls(make: Callable[[float], Client]) -> None:
    with StandIn(tls=True) as platform:
        client = make(5)
        for _ in range(3):
            assert client.post(post(platform.url), Guard(inf)).status == 404
        assert (platform.connections, platform.faults) == (1, [])


def test_a_certificate_that_nobody_trusts(make: Callable[[float], Client]) -> None:
    with StandIn(tls=True) as platform:
        with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
            make(5).post(post(platform.url), Guard(inf))
        assert platform.seen == []


@pytest.mark.usefixtures("trusted")
def test_the_lease_is_checked_after_the_handshake(
    make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    late, wrap = Late(monkeypatch), ssl.SSLContext.wrap_socket

    def slow(*args: object, **named: object) -> ssl.SSLSocket:
        secured = wrap(*args, **named)  # type: ignore[arg-type]
        late.ahead += not named.get("server_side")
        return secured

    with StandIn(tls=True) as platform:
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", slow)
        client = make(5)
        with pytest.raises(LeaseOver):
            client.post(post(platform.url), Guard(clock.ticks() + 0.5))
        assert late.ahead == 1
        client.post(post(platform.url), Guard(inf))
        assert len(platform.seen) == 1


def test_a_connection_that_took_all_the_time_is_closed_before_the_handshake(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, connect = Late(monkeypatch), httpcore.SyncBackend.connect_tcp

    def slow(*args: object, **named: object) -> httpcore.NetworkStream:
        stream = connect(*args, **named)  # type: ignore[arg-type]
        late.ahead = 6
        return stream

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", slow)
    with Wire(listen_only) as wire:
        with pytest.raises(NotSent, match="in time"):
            client.post(post(wire.url.replace("http:", "https:")), Guard(inf))
        gc.collect()  # a socket that was only dropped would warn here
        wire.wait_for_ends(1)
    assert wire.requests == [b""]


# A reset before the handshake makes Python drop a socket that nobody else can reach; it closes as it is dropped.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize(
    "script",
    [
        hang,
        lambda _, connection: connection.recv(1) and None,
        lambda _, connection: connection.sendall(b"HTTP/1.1 400 No TLS here\r\n\r\n"),
        lambda _, connection: reset(connection),
    ],
    ids=["hangs", "closes", "speaks no TLS", "resets"],
)
def test_a_handshake_that_fails_sends_nothing(
    make: Callable[[float], Client], script: Callable[[Wire, socket.socket], None]
) -> None:
    with Wire(script) as wire:
        began = time.monotonic()
        with pytest.raises(NotSent):
            make(0.4).post(post(wire.url.replace("http:", "https:")), Guard(inf))
        assert time.monotonic() - began < 2
        gc.collect()


# proxies


def tunnel(platform: StandIn) -> Callable[[Wire, socket.socket], None]:
    """A proxy that opens tunnels, all to one place, whatever they ask for."""

    def script(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", platform.port)) as onward:
            back = threading.Thread(target=copy, args=(onward, connection))
            back.start()
            copy(connection, onward)
            back.join()

    return script


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    with suppress(OSError):  # also after a reset, or the other side waits for ever
        target.shutdown(socket.SHUT_WR)


@pytest.mark.usefixtures("trusted")
def test_https_goes_through_a_tunnel(make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(tls=True) as platform, Wire(tunnel(platform)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://user:pa55@"))
        client = make(5)
        for _ in range(2):
            assert client.post(post("https://platform.test"), Guard(inf)).status == 404
        assert (len(platform.seen), platform.faults) == (2, [])
        assert [heard.partition(b"\r\n")[0] for heard in proxy.requests] == [b"CONNECT platform.test:443 HTTP/1.1"]
        with pytest.raises(LeaseOver):
            client.post(post("https://platform.test"), Guard(clock.ticks()))
        assert len(platform.seen) == 2
        client.close()


@pytest.mark.usefixtures("trusted")
def test_a_connect_is_not_a_byte_of_the_request(
    make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn(tls=True) as platform, Wire(tunnel(platform)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = make(5)
        with pytest.raises(LeaseOver):
            client.post(post("https://platform.test"), Guard(clock.ticks()))
        client.close()
        assert (len(proxy.requests), platform.seen) == (1, [])


@pytest.mark.parametrize(
    "reply",
    [
        lambda _, connection: connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
        lambda _, connection: connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        lambda _, connection: reset(connection),
        hang,
    ],
    ids=["407", "502", "reset", "hangs"],
)
def test_a_proxy_that_opens_nothing(
    make: Callable[[float], Client],
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[Wire, socket.socket], None],
) -> None:
    def script(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        reply(wire, connection)

    with Wire(script) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(NotSent) as error:
            make(0.5).post(post("https://platform.test", {"Authorization": "Bearer 5ecret"}), Guard(inf))
        assert type(error.value) is NotSent
    assert b"5ecret" not in proxy.requests[0]


def test_http_goes_through_a_forwarding_proxy(make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answer_all) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        client = make(5)
        assert client.post(post("http://platform.test"), Guard(inf)).status == 200
        assert proxy.requests[0].startswith(b"POST http://platform.test/x HTTP/1.1")
        with pytest.raises(LeaseOver):
            client.post(post("http://platform.test"), Guard(clock.ticks()))
        client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "api.localhost"])
def test_loopback_never_goes_through_a_proxy(
    make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    client = make(5)
    assert client._proxy(f"http://{host}:1/x") is None
    assert client._proxy("https://platform.test/x") == "http://proxy.test:3128"


def test_no_proxy_is_obeyed(make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "fanvue.com,frontrow.center:443")
    client = make(5)
    assert client._proxy("https://api.fanvue.com/x") is None
    assert client._proxy("https://frontrow.center:443/x") is None
    assert client._proxy("https://api.ofauth.com/x") == "http://proxy.test:3128"


def test_a_proxy_of_another_kind_is_named_without_its_password(
    make: Callable[[float], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:pa55@proxy.test:1080")
    with pytest.raises(NotSent, match="HTTPS_PROXY must begin with http") as error:
        make(5).post(post("https://platform.test"), Guard(inf))
    assert "pa55" not in str(error.value)


# what cannot be sent, what can go wrong below, what is printed


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "a\x00b", "\u20ac"])
def test_a_header_that_cannot_be_written_sends_nothing_and_is_not_repeated(client: Client, value: str) -> None:
    with Wire(listen_only) as wire, pytest.raises(NotSent) as error:
        client.post(post(wire.url, {"Authorization": f"Bearer 5ecret{value}"}), Guard(inf))
    assert "5ecret" not in f"{error.value!r} {error.value}"
    assert b"".join(wire.requests) == b""


@pytest.mark.parametrize("url", ["http://[", "ftp://127.0.0.1", "127.0.0.1", "http://127.0.0.1:99999", "http://"])
def test_an_address_that_is_none_sends_nothing(client: Client, url: str) -> None:
    with pytest.raises(NotSent):
        client.post(post(url), Guard(inf))


def families() -> list[type[Exception]]:
    """Everything that httpx and httpcore may raise, and what they may let through."""
    found = [
        error
        for module in (httpx, httpcore)
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ]
    assert len(found) > 40
    return [*found, OSError, ssl.SSLError, ValueError, RuntimeError, UnicodeError, AssertionError]


def make_error(kind: type[Exception]) -> Exception:
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("x", request=httpx.Request("GET", "http://x"), response=httpx.Response(200))
    with suppress(TypeError):
        return kind("x")
    return kind()


@pytest.mark.parametrize("kind", families(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize("begun", [True, False])
def test_every_error_below_becomes_one_of_ours(
    client: Client, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], begun: bool
) -> None:
    def fail(line: Line, _request: object) -> None:
        if begun:
            line.attempt.begin()
        raise make_error(kind)

    made = Line.__init__

    def broken(line: Line, *args: Any) -> None:
        made(line, *args)
        monkeypatch.setattr(line.connection, "handle_request", partial(fail, line))

    monkeypatch.setattr(Line, "__init__", broken)
    with pytest.raises(PlatformError) as error:
        client.post(post("http://x"), Guard(inf))
    late = issubclass(kind, httpcore.TimeoutException | OutOfTimeError)
    assert type(error.value) is ((GivenUp if late else MaybeSent) if begun else NotSent)
    with pytest.raises(Unreachable):
        client.get(get("http://x"))


def test_nothing_secret_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), StandIn(lambda _: Reply(200, {}, {"X-Echo": "5ecret"})) as platform:
        client.post(post(platform.url, {"Authorization": "Bearer 5ecret"}), Guard(inf))
    assert "5ecret" not in caplog.text
