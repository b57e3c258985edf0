"""Fanvue's sign-in as the sandbox imitates it: code with PKCE, rotation, reuse, and answers that are lost."""

import http.client
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from console.sandbox import Fault, Sandbox
from console.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from sandbox_calls import Reply, call, headers_for

BACK = "http://127.0.0.1:8765/callback"
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": BACK,
    "scope": "openid offline_access offline read:chat write:chat",
    "state": "a-state-of-ours",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
BASIC = {
    "Authorization": "Basic " + b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode(),
    "Content-Type": "application/x-www-form-urlencoded",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def ask(sandbox: Sandbox, **changed: str) -> dict[str, str]:
    """What comes back with the redirect."""
    reply = call(sandbox.auth_url, "GET", f"/oauth2/auth?{urlencode(ASKED | changed)}", {})
    assert reply.status == 302
    assert reply.headers["location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(reply.headers["location"]).query))


def token(sandbox: Sandbox, headers: dict[str, str] | None = None, **form: str) -> Reply:
    body = urlencode({"client_id": CLIENT_ID} | form).encode()
    return call(sandbox.auth_url, "POST", "/oauth2/token", BASIC if headers is None else headers, body)


def exchange(sandbox: Sandbox, code: str, **changed: str) -> Reply:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return token(sandbox, None, **form | changed)


def refresh(sandbox: Sandbox, pair: dict[str, Any]) -> Reply:
    return token(sandbox, grant_type="refresh_token", refresh_token=str(pair["refresh_token"]))


def opens(sandbox: Sandbox, pair: dict[str, Any]) -> int:
    headers = headers_for(sandbox, "fanvue") | {"Authorization": f"Bearer {pair['access_token']}"}
    return call(sandbox.urls["fanvue"], "GET", "/users/me", headers).status


def logged(sandbox: Sandbox) -> list[object]:
    return [row["outcome"] for row in call(sandbox.control_url, "GET", "/oauth", {}).rows()]


def test_a_code_becomes_a_pair_that_opens_the_creators_account_and_rotates(sandbox: Sandbox) -> None:
    told = ask(sandbox)
    assert told["state"] == ASKED["state"]
    pair = exchange(sandbox, told["code"]).json()
    assert (pair["token_type"], pair["expires_in"], pair["scope"]) == ("bearer", 3_600, ASKED["scope"])
    assert opens(sandbox, pair) == 200
    newer = refresh(sandbox, pair).json()
    assert {newer["access_token"], newer["refresh_token"]}.isdisjoint({pair["access_token"], pair["refresh_token"]})
    assert [opens(sandbox, pair), opens(sandbox, newer)] == [200, 200]
    assert exchange(sandbox, told["code"]).json()["error"] == "invalid_grant"
    assert logged(sandbox) == ["issued", "issued", "refused"]


def test_a_refresh_token_that_comes_again_ends_its_chain(sandbox: Sandbox) -> None:
    other = exchange(sandbox, ask(sandbox)["code"]).json()
    pair = exchange(sandbox, ask(sandbox)["code"]).json()
    newer = refresh(sandbox, pair).json()
    reply = refresh(sandbox, pair)
    assert (reply.status, reply.json()["error"]) == (400, "invalid_grant")
    assert [opens(sandbox, newer), opens(sandbox, other)] == [401, 200]
    assert refresh(sandbox, newer).status == 400
    assert logged(sandbox)[-2:] == ["reused", "refused"]


def test_tokens_end(sandbox: Sandbox) -> None:
    tell(sandbox, {"seconds": 0.05})
    pair = exchange(sandbox, ask(sandbox)["code"]).json()
    assert pair["expires_in"] == 0
    tell(sandbox, {"seconds": 60})
    newer = refresh(sandbox, pair).json()
    assert opens(sandbox, newer) == 200
    tell(sandbox, {"expire": True})
    assert opens(sandbox, newer) == 401
    last = refresh(sandbox, newer).json()
    assert opens(sandbox, last) == 200
    tell(sandbox, {"end": True})
    assert (opens(sandbox, last), refresh(sandbox, last).status) == (401, 400)


def tell(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert call(sandbox.control_url, "POST", "/oauth", {}, body).status == 200


def test_an_answer_that_is_cut_has_rotated_all_the_same(sandbox: Sandbox) -> None:
    pair = exchange(sandbox, ask(sandbox)["code"]).json()
    sandbox.faults.add("fanvue", Fault.accept_and_drop(), on="token")
    with pytest.raises(http.client.RemoteDisconnected):
        refresh(sandbox, pair)
    assert logged(sandbox) == ["issued", "issued"]
    assert refresh(sandbox, pair).status == 400
    sandbox.faults.add("fanvue", Fault.status(503), on="token")
    pair = exchange(sandbox, ask(sandbox)["code"], grant_type="refresh_token").json()
    assert pair["error"] == "server_error"
    assert logged(sandbox)[-1] == "reused"


WRONG_QUESTIONS = [
    ({"response_type": "token"}, "invalid_request"),
    ({"state": "short"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"scope": "read:chat"}, "invalid_scope"),
    ({"scope": ASKED["scope"] + " read:everything"}, "invalid_scope"),
]


@pytest.mark.parametrize(("changed", "error"), WRONG_QUESTIONS)
def test_wrong_questions(sandbox: Sandbox, changed: dict[str, str], error: str) -> None:
    told = ask(sandbox, **changed)
    assert told["error"] == error
    assert "code" not in told


def test_wrong_clients_and_a_creator_who_says_no(sandbox: Sandbox) -> None:
    for changed in ({"client_id": "somebody"}, {"redirect_uri": "nowhere"}):
        assert call(sandbox.auth_url, "GET", f"/oauth2/auth?{urlencode(ASKED | changed)}", {}).status == 400
    tell(sandbox, {"denied": True})
    assert ask(sandbox)["error"] == "access_denied"
    tell(sandbox, {"denied": False})
    code = ask(sandbox)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    nobody = {"Content-Type": BASIC["Content-Type"]}
    for headers in (nobody, nobody | {"Authorization": "Basic nobody"}):
        assert (token(sandbox, headers, **form).status, opens(sandbox, {"access_token": code})) == (401, 401)
    assert token(sandbox, grant_type="password").json()["error"] == "unsupported_grant_type"
    for changed in ({"redirect_uri": BACK + "/"}, {"code_verifier": "w" * 64}):
        assert exchange(sandbox, ask(sandbox)["code"], **changed).json()["error"] == "invalid_grant"
