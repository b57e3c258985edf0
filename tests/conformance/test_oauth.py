"""What is asked of an authorization server over real HTTP, and what each of its answers says of the token."""

import socket
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from carillon.platforms import errors
from carillon.platforms.oauth import SERVERS, Issuer
from issuing import CLIENT, SECRET, Chain, page, told
from standins import Reply, StandIn, Wire, reset

REDIRECT = "http://127.0.0.1:8765/callback"


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def server(chain: Chain) -> Iterator[StandIn]:
    with StandIn(chain) as standin:
        yield standin


def issuer(url: str, secret: str = SECRET) -> Issuer:
    return Issuer(SERVERS["fanvue"], url, CLIENT, secret)


def code_of(url: str) -> str:
    back = httpx.get(url, trust_env=False).headers["location"]
    assert back.startswith(REDIRECT)
    return parse_qs(urlsplit(back).query)["code"][0]


def test_a_code_and_its_verifier_give_the_first_pair_and_that_the_next(server: StandIn, chain: Chain) -> None:
    fanvue = issuer(server.url)
    asked = fanvue.ask(REDIRECT)
    query = parse_qs(urlsplit(asked.url).query)
    assert query["state"] == [asked.state]
    assert {"openid", "offline_access", "offline", "write:chat", "read:fan"} <= set(query["scope"][0].split(" "))
    assert 43 <= len(asked.verifier) <= 128
    first = fanvue.exchange(code_of(asked.url), asked, REDIRECT)
    assert (first.access, first.refresh, first.seconds) == ("access-token-1", "refresh-token-1", 3600)
    assert first.scopes == frozenset({"openid", "offline_access", "read:self", "write:chat"})
    assert fanvue.refresh("refresh-token-1").refresh == "refresh-token-2"
    assert (chain.spent, chain.reused) == (["refresh-token-1"], False)
    assert all(SECRET not in seen.body.decode() + seen.path for seen in server.seen)


def test_a_code_with_another_verifier_is_refused(server: StandIn) -> None:
    fanvue = issuer(server.url)
    asked, other = fanvue.ask(REDIRECT), fanvue.ask(REDIRECT)
    with pytest.raises(errors.Refused, match="a wrong code or verifier"):
        fanvue.exchange(code_of(asked.url), other, REDIRECT)


def just(body: object, status: int = 200) -> Callable[[], Reply]:
    return lambda: Reply(status, body)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (told(400, "invalid_grant"), errors.Refused),
        (told(401, "invalid_client"), errors.Forbidden),
        (told(400, "invalid_scope"), errors.Forbidden),
        (page(403), errors.Forbidden),
        (page(404), errors.Forbidden),
        (just("", 302), errors.Forbidden),
        (told(503, "temporarily_unavailable"), errors.Throttled),
        (told(500, "server_error"), errors.Throttled),
        (page(429), errors.Throttled),
        (page(500), errors.MaybeSent),
        (page(502), errors.MaybeSent),
        (page(408), errors.MaybeSent),
        (page(200), errors.MaybeSent),
        (just({}), errors.MaybeSent),
        (just([]), errors.MaybeSent),
        (just({"access_token": 7}), errors.MaybeSent),
        (just({"access_token": "", "refresh_token": "r"}), errors.MaybeSent),
    ],
)
def test_what_an_answer_says_of_the_token(
    server: StandIn, chain: Chain, answer: Callable[[], Reply], raised: type[errors.PlatformError]
) -> None:
    chain.faults.append(answer)
    with pytest.raises(raised) as failed:
        issuer(server.url).refresh("refresh-token-0")
    assert type(failed.value) is raised
    assert len(server.seen) == 1


def test_how_long_the_server_asks_to_wait(server: StandIn, chain: Chain) -> None:
    chain.faults.append(told(429, "slow_down", Retry_After="17"))
    with pytest.raises(errors.Throttled) as failed:
        issuer(server.url).refresh("refresh-token-0")
    assert failed.value.retry_after == 17


@pytest.mark.parametrize(
    ("token", "seconds", "refresh"),
    [
        ({"access_token": "a"}, 3600, None),
        ({"access_token": "a", "expires_in": None, "refresh_token": None}, 3600, None),
        ({"access_token": "a", "expires_in": "90", "refresh_token": "r", "more": 1}, 90, "r"),
        ({"access_token": "a", "expires_in": "soon", "scope": ["x"]}, 3600, None),
        ({"access_token": "a", "expires_in": -1}, 0, None),
        ({"access_token": "a", "expires_in": "inf"}, 365 * 24 * 3600, None),
        ({"access_token": "a", "error": None, "error_description": ""}, 3600, None),
    ],
)
def test_answers_are_read_leniently(
    server: StandIn, chain: Chain, token: dict[str, object], seconds: float, refresh: str | None
) -> None:
    chain.faults.append(just(token))
    granted = issuer(server.url).refresh("refresh-token-0")
    assert (granted.access, granted.seconds, granted.refresh, granted.scopes) == ("a", seconds, refresh, None)


def test_no_secret_stands_in_what_is_said(server: StandIn, chain: Chain) -> None:
    with pytest.raises(errors.Refused) as failed:
        issuer(server.url).refresh("refresh-token-with-a-name")
    assert "refresh-token-with-a-name" not in str(failed.value)
    with pytest.raises(errors.Forbidden, match="who are you") as failed_too:
        issuer(server.url, "another-secret-of-ours").refresh("refresh-token-0")
    assert "another" not in str(failed_too.value)


def test_where_nobody_listens_no_byte_has_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(errors.NotSent):
        issuer(f"http://127.0.0.1:{port}").refresh("refresh-token-0")
    with pytest.raises(errors.NotSent):
        issuer("http://no-such-host.invalid").refresh("refresh-token-0")


def test_a_certificate_that_nobody_trusts_gets_no_byte(chain: Chain) -> None:
    with StandIn(chain, tls=True) as server:
        with pytest.raises(errors.NotSent):
            issuer(server.url).refresh("refresh-token-0")
        assert server.seen == []


def cut(wire: Wire, connection: socket.socket) -> None:
    wire.hear(connection)


def torn(wire: Wire, connection: socket.socket) -> None:
    wire.hear(connection)
    reset(connection)


def half(wire: Wire, connection: socket.socket) -> None:
    wire.hear(connection)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"access_to')


def hang(wire: Wire, connection: socket.socket) -> None:
    wire.closing.wait(10)


@pytest.mark.parametrize("script", [cut, torn, half])
def test_a_lost_answer_may_have_spent_the_token_and_is_asked_for_once(
    script: Callable[[Wire, socket.socket], None],
) -> None:
    with Wire(script) as wire:
        with pytest.raises(errors.MaybeSent):
            issuer(wire.url).refresh("refresh-token-0")
        assert len(wire.requests) == 1


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carillon.platforms.oauth.ANSWER_SECONDS", 0.2)
    with Wire(hang) as wire, pytest.raises(errors.MaybeSent):
        issuer(wire.url).refresh("refresh-token-0")


def test_a_proxy_is_not_asked_for_this_machine(server: StandIn, monkeypatch: pytest.MonkeyPatch, chain: Chain) -> None:
    chain.number = 1
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert issuer(server.url).refresh("refresh-token-1").access == "access-token-2"
