"""What `carillon login` needs and what it answers to a browser, without a process for each case."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from carillon import logs
from carillon.settings import Settings
from console.callback import Callback, DeclinedError
from console.failures import CommandError
from console.login import log_in

FILE = """version: 1
defaults: {timezone: UTC}
creators:
  luna: {platform: fanvue, credentials: env:LUNA_FANVUE}
  mia: {platform: frontrow, credentials: env:MIA_KEY}
campaigns:
  drop: {creator: luna, lists: {include: [subscribers]}, text: Hi, schedule: {every: 7d}}
"""
READY = {"secret_key": "correct horse battery", "fanvue_client_id": "us", "fanvue_client_secret": "of-ours"}


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are set up for a process, and this one is the tests'."""
    for name in ("set_up", "fall_silent"):
        monkeypatch.setattr(logs, name, lambda *_: None)


def settings(home: Path, **given: str) -> Settings:
    (home / "campaigns.yaml").write_text(FILE)
    return Settings(campaigns=home / "campaigns.yaml", home=home / "home", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "without", "said"),
    [
        ("luna", "fanvue_client_id", "set CARILLON_FANVUE_CLIENT_ID and CARILLON_FANVUE_CLIENT_SECRET"),
        ("luna", "fanvue_client_secret", "set CARILLON_FANVUE_CLIENT_ID and CARILLON_FANVUE_CLIENT_SECRET"),
        ("luna", "secret_key", "CARILLON_SECRET_KEY is not set"),
        ("mia", "", "mia is on frontrow, which has no login: its key is read from env:MIA_KEY"),
        ("lunna", "", "did you mean luna?"),
    ],
)
def test_what_a_login_needs_is_told_before_anything_is_made(tmp_path: Path, name: str, without: str, said: str) -> None:
    given = {key: value for key, value in READY.items() if key != without}
    with pytest.raises(CommandError, match=said):
        log_in(settings(tmp_path, **given), name, 8765)
    assert not (tmp_path / "home").exists()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port} cannot be used"):
            log_in(settings(tmp_path, **READY), "luna", port)


def test_nobody_says_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("console.login.PATIENCE_SECONDS", 0.1)
    with pytest.raises(CommandError, match="log in again"):
        log_in(settings(tmp_path, **READY), "luna", free_port())
    assert "https://auth.fanvue.com/oauth2/auth?" in capsys.readouterr().out


def test_a_browser_may_be_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say_no(words: str) -> None:
        asked = parse_qs(urlsplit(words.rsplit(maxsplit=1)[-1]).query)
        params = {"error": "access_denied", "state": asked["state"][0]}
        httpx.get(asked["redirect_uri"][0], params=params, trust_env=False)

    monkeypatch.setattr("console.login.line", say_no)
    monkeypatch.setattr("console.login.PATIENCE_SECONDS", 0.1)
    with pytest.raises(CommandError, match="did not let Carillon in: access_denied"):
        log_in(settings(tmp_path, **READY), "luna", free_port())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback(free_port()) as callback:
        yield callback


def get(callback: Callback, query: str, path: str = "") -> tuple[int, str]:
    answer = httpx.get(f"{callback.url}{path}{query}", trust_env=False)
    return answer.status_code, answer.text


def waited(callback: Callback) -> list[object]:
    """What waiting for the state `mine` ended with."""
    ended: list[object] = []

    def wait() -> None:
        try:
            ended.append(callback.wait(10))
        except (DeclinedError, TimeoutError) as error:
            ended.append(error)

    callback.expect("mine")
    thread = threading.Thread(target=wait)
    thread.start()
    ended.append(thread)
    return ended


def test_one_answer_is_taken_and_no_forged_one(callback: Callback, capsys: pytest.CaptureFixture[str]) -> None:
    assert get(callback, "?code=early&state=mine")[0] == 400
    ended = waited(callback)
    [thread] = ended
    assert isinstance(thread, threading.Thread)
    for query in ("", "?code=x", "?code=x&state=", "?code=x&state=other", "?state=mine", "?error=no&state=other"):
        assert get(callback, query)[0] == 400
    assert get(callback, "?code=x&state=mine", "/more")[0] == 404
    assert httpx.post(callback.url, trust_env=False).status_code == 501
    assert get(callback, "?code=right&state=mine")[0] == 200
    thread.join(10)
    assert ended[1:] == ["right"]
    status, page = get(callback, "?code=second&state=mine")
    assert (status, "over already" in page) == (409, True)
    told = capsys.readouterr().err
    assert "still waiting" in told
    assert "right" not in told


def test_a_no_is_a_no(callback: Callback) -> None:
    ended = waited(callback)
    assert get(callback, "?error=access_denied&error_description=%3Cb%3Enot+now%3C%2Fb%3E&state=mine")[0] == 200
    thread = ended[0]
    assert isinstance(thread, threading.Thread)
    thread.join(10)
    assert str(ended[1]) == "access_denied <b>not now</b>"
