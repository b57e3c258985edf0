"""`carillon login` as a person uses it: the browser is this test, the authorization server a stand-in."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from issuing import CLIENT, SECRET, Chain, told
from running import COMMAND, Carillon
from standins import Reply, Seen, StandIn

FILE = """version: 1
defaults: {timezone: UTC}
creators:
  luna: {platform: fanvue, credentials: env:LUNA_FANVUE}
  mia: {platform: frontrow, credentials: env:MIA_KEY}
campaigns:
  drop: {creator: luna, lists: {include: [subscribers]}, text: Hi, schedule: {every: 7d}}
"""


class Fanvue:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def __call__(self, seen: Seen) -> Reply:
        if not self.chain.accepted(seen):
            return Reply(401, {"error": "Unauthorized"})
        if seen.method == "POST":
            return Reply(201, {"id": "5c0f7d52", "recipientCount": 3, "createdAt": None})
        return Reply(200, [{"uuid": "subscribers", "name": "Subscribers", "count": 3}] if "smart" in seen.path else [])


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def carillon(tmp_path: Path, chain: Chain) -> Iterator[Carillon]:
    with StandIn(chain) as issues, StandIn(Fanvue(chain)) as platform:
        application = {"CARILLON_FANVUE_CLIENT_ID": CLIENT, "CARILLON_FANVUE_CLIENT_SECRET": SECRET}
        found = Carillon(
            tmp_path,
            {"fanvue": platform.url},
            CARILLON_FANVUE_AUTH_URL=issues.url,
            CARILLON_SECRET_KEY="correct horse battery",
            **application,
        )
        found.declare(FILE)
        yield found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Login:
    """One `carillon login` that waits for its answer."""

    def __init__(self, carillon: Carillon) -> None:
        words = [*COMMAND, "login", "luna", "--port", str(free_port())]
        self._process = subprocess.Popen(
            words,
            cwd=carillon.folder,
            env=carillon.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        shown = re.search(r"http\S+", self._process.stdout.readline())
        assert shown, self._process.communicate()
        self.url = shown[0]
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}
        self.redirect, self.state = query["redirect_uri"], query["state"]

    def say_yes(self) -> httpx.Response:
        return httpx.get(self.url, follow_redirects=True, trust_env=False)

    def come_back(self, **query: str) -> httpx.Response:
        return httpx.get(f"{self.redirect}?{urlencode(query)}", trust_env=False)

    def end(self) -> tuple[int, str, str]:
        try:
            out, err = self._process.communicate(timeout=30)
        finally:
            self._process.kill()
        return self._process.returncode, out, err


def test_a_login_is_all_that_a_creator_needs(carillon: Carillon, chain: Chain) -> None:
    login = Login(carillon)
    assert login.redirect.startswith("http://127.0.0.1:")
    assert login.say_yes().status_code == 200
    code, out, err = login.end()
    assert (code, out) == (0, "luna is logged in\n")
    assert err.startswith("carillon: warning: fanvue did not grant offline, read:chat")
    assert [one["id"] for one in json.loads(carillon.run("lists", "luna", "--json"))] == ["subscribers"]
    chain.next_pair()  # somebody else's: ours is not the newest any more
    chain.number -= 1
    chain.revoked.add(chain.access)
    sent = carillon.run("send", "drop", "--yes")
    assert "sent" in sent
    assert (chain.spent, chain.reused) == (["refresh-token-1"], False)
    stored = b"".join(path.read_bytes() for path in (carillon.folder / "home").glob("carillon.db*"))
    for secret in (b"access-token", b"refresh-token", SECRET.encode(), b"correct horse"):
        assert secret not in stored


def test_forged_answers_are_left_alone_and_a_no_is_told(carillon: Carillon) -> None:
    login = Login(carillon)
    assert login.come_back(code="forged", state="not-it").status_code == 400
    assert login.come_back(code="forged").status_code == 400
    assert login.come_back(state=login.state).status_code == 400
    assert httpx.get(login.redirect.replace("/callback", "/favicon.ico"), trust_env=False).status_code == 404
    assert login.come_back(error="access_denied", state=login.state, error_description="<b>no</b>").status_code == 200
    code, out, err = login.end()
    assert (code, out) == (1, "")
    assert err.count("does not belong to this login") == 2
    assert err.endswith("fanvue did not let Carillon in: access_denied <b>no</b>\n")
    assert "forged" not in err


def test_a_code_that_the_server_does_not_take_changes_nothing(carillon: Carillon, chain: Chain) -> None:
    chain.faults.append(told(401, "invalid_client"))
    login = Login(carillon)
    login.say_yes()
    code, _, err = login.end()
    assert code == 1
    assert "CARILLON_FANVUE_CLIENT_ID and CARILLON_FANVUE_CLIENT_SECRET; log in again" in err
    assert "env:LUNA_FANVUE: not set" in carillon.complaint("lists", "luna")
