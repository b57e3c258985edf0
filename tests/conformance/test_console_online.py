"""`check --online` through its own function: each finding stands where the file names what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from carillon import logs
from carillon.settings import Settings
from console.files import check
from console.online import check_online
from console.sandbox import Sandbox
from standins import Reply, Seen, StandIn

FILE = """version: 1
defaults: {timezone: UTC}
platforms:
  onlyfansapi: {credentials: env:EVE_KEY}
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY}
  mia: {platform: ofauth, account: conn_demo, credentials: env:MIA_KEY}
  zoe: {platform: fanvue, credentials: env:ZOE_KEY}
  eve: {platform: onlyfansapi, account: acct_demo}
  una: {platform: onlyfansapi, account: acct_none}
  bad: {platform: fanvue, credentials: env:NOT_SET}
  wrong: {platform: fanvue, credentials: env:WRONG_KEY}
  rest: {platform: frontrow, credentials: env:NOT_SET_EITHER, enabled: false}
audiences:
  some: {ofauth: {include: ["name:Nobody yet", "99"]}}
campaigns:
  drop:
    creators: [luna, zoe]
    lists: {include: [subscribers, "name:VIP"], exclude: ["custom:123"]}
    text: Hi
    for: {zoe: {media: [3ed1a000-0000-4000-8000-00000000000c, 3ed1a000-0000-4000-8000-0000000000ff]}}
    schedule: {every: 7d}
  other: {creator: mia, lists: some, text: Hi, media: ["12345", "12348", "777"], schedule: {every: 7d}}
  e: {creators: [eve, una], lists: {include: [fans, "name:VIP"]}, text: Hi, schedule: {every: 7d}}
  gone: {creator: luna, lists: {include: ["custom:1"]}, text: Hi, enabled: false, schedule: {every: 7d}}
"""

FOUND = [
    (10, "acct_none", "error", "OnlyFansAPI has no account acct_none for this key"),
    (11, "env:NOT_SET", "error", "env:NOT_SET: not set"),
    (12, "env:WRONG_KEY", "error", "fanvue does not accept the key of wrong: HTTP 401"),
    (15, '"name:Nobody yet"', "warning", "nobody is on the list Nobody yet of mia now"),
    (15, '"99"', "error", "mia has no custom list 99; see `carillon lists mia`"),
    (19, '"custom:123"', "error", "luna has no custom list 123"),
    (19, '"custom:123"', "error", "zoe has no custom list 123"),
    (21, "3ed1a000-0000-4000-8000-00000000000c", "warning", "fanvue is still processing the medium"),
    (21, "3ed1a000-0000-4000-8000-0000000000ff", "error", "zoe has no medium 3ed1a000-0000-4000-8000-0000000000ff"),
    (23, '"12348"', "error", "ofauth could not process the medium 12348 of mia"),
    (23, '"777"', "error", "mia has no medium 777 on ofauth"),
]
"""Line, what stands at that place, severity, message."""

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are set up for a process, and this one is the tests'."""
    for name in ("set_up", "fall_silent"):
        monkeypatch.setattr(logs, name, lambda *_: None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    keys = {"LUNA": "fr_demo_key", "MIA": "of_demo_key", "ZOE": "fv_demo_token", "EVE": "sk_demo_key", "WRONG": "x" * 9}
    for name, key in keys.items():
        monkeypatch.setenv(f"{name}_KEY", key)
    return tmp_path


def settings_for(home: Path, text: str, urls: dict[str, str]) -> Settings:
    (home / "campaigns.yaml").write_text(text)
    named = {f"{platform}_url": url for platform, url in urls.items()}
    return Settings(campaigns=home / "campaigns.yaml", home=home / "home", **named)  # type: ignore[arg-type]


def test_each_finding_stands_where_the_file_says_it(home: Path, capsys: Out) -> None:
    with Sandbox() as sandbox:
        settings = settings_for(home, FILE, sandbox.urls)
        assert check(settings, online=True, strict=False, json=True) == 1
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert len(found) == len(FOUND)
    for one, (line, word, severity, message) in zip(found, FOUND, strict=True):
        assert (one["line"], one["severity"]) == (line, severity)
        assert one["message"].startswith(message)
        assert FILE.splitlines()[line - 1][one["column"] - 1 :].startswith(word)
    assert "or `carillon login bad`" in found[1]["message"]
    assert [line.partition(":")[0] for line in sorted(told.err.splitlines())] == [
        "eve (onlyfansapi)",
        "luna (frontrow)",
        "mia (ofauth)",
        "zoe (fanvue)",
    ]
    assert not (home / "home").exists()


ONE = """version: 1
defaults: {{timezone: UTC}}
creators:
  luna: {{platform: {platform}, {account}credentials: env:LUNA_KEY}}
campaigns:
  drop: {{creator: luna, lists: {{include: ["name:VIP"]}}, text: Hi, schedule: {{every: 7d}}}}
"""


def one(home: Path, platform: str, account: str | None, url: str) -> list[tuple[int, str, str]]:
    text = ONE.format(platform=platform, account=f"account: {account}, " if account else "")
    return [
        (found.line, found.severity, found.message) for found in check_online(settings_for(home, text, {platform: url}))
    ]


def always(status: int, body: object = None) -> Callable[[Seen], Reply]:
    return lambda _: Reply(status, {"error": "told so"} if body is None else body)


@pytest.mark.parametrize(
    ("platform", "account", "answer", "severity", "said"),
    [
        ("frontrow", None, always(401), "error", "does not accept the key"),
        ("frontrow", None, always(403), "error", "read:fan (messages:read and subscribers:read"),
        ("fanvue", None, always(403), "error", "read:chat and read:fan"),
        ("fanvue", "c0ffee", always(404), "error", "fanvue knows no account c0ffee"),
        ("frontrow", None, always(404), "warning", "does not show its lists"),
        ("frontrow", None, always(429), "warning", "wants no more requests now"),
        ("frontrow", None, always(502), "warning", "cannot be asked now"),
        ("frontrow", None, always(200, {"odd": 1}), "warning", "does not show its lists"),
    ],
)
def test_what_the_platform_says_to_the_key(
    home: Path, platform: str, account: str | None, answer: Callable[[Seen], Reply], severity: str, said: str
) -> None:
    with StandIn(answer) as server:
        [found] = one(home, platform, account, server.url)
    assert found[:2] == (4, severity)
    assert said in found[2]
    assert "fr_demo_key" not in found[2]


def test_a_platform_that_cannot_be_reached_is_a_warning(home: Path) -> None:
    [found] = one(home, "frontrow", None, "http://127.0.0.1:1")
    assert found[1] == "warning"
    assert "cannot connect" in found[2]


LINKS = {
    "ofauth": ("conn_1", "/v2/account/connections"),
    "onlyfansapi": ("acct_1", "/api/accounts"),
}


@pytest.mark.parametrize(
    ("platform", "links", "said"),
    [
        ("ofauth", {"list": [{"id": "conn_1", "status": "expired"}], "hasMore": False}, "is expired"),
        ("ofauth", {"list": [{"id": "conn_1", "status": "awaiting_2fa"}]}, "is awaiting 2fa"),
        ("ofauth", [{"id": "conn_1", "status": "active", "permissions": ["lists:read"]}], "messages:write"),
        ("ofauth", {"list": [{"id": "conn_2", "status": "active"}], "hasMore": False}, "has no connection conn_1"),
        ("ofauth", {"list": [{"id": "conn_1", "status": "active", "permissions": []}]}, None),
        ("ofauth", {"list": [{"id": "conn_1", "status": 7}]}, None),
        ("ofauth", {"odd": 1}, None),
        ("onlyfansapi", {"data": [{"id": "acct_1", "is_authenticated": False}]}, "signed out of OnlyFans"),
        ("onlyfansapi", [{"id": "acct_2"}], "has no account acct_1"),
        ("onlyfansapi", {"data": [{"id": "acct_1", "is_authenticated": True}]}, None),
        ("onlyfansapi", {"data": [{"id": "acct_1"}]}, None),
    ],
)
def test_whether_the_account_is_linked(home: Path, platform: str, links: object, said: str | None) -> None:
    account, path = LINKS[platform]

    def answer(seen: Seen) -> Reply:
        if seen.path.startswith(path):
            return Reply(200, links)
        return Reply(200, {"data": [{"id": 2, "name": "VIP", "usersCount": 3}], "hasMore": False})

    with StandIn(answer) as server:
        found = one(home, platform, account, server.url)
    assert [said in words for _, _, words in found if said] == ([True] if said else [])
    assert bool(found) is bool(said)


def test_a_name_that_two_lists_have(home: Path) -> None:
    lists = [{"uuid": str(number), "name": "VIP", "count": 3} for number in (1, 2)]
    with StandIn(lambda seen: Reply(200, [] if "smart" in seen.path else lists)) as server:
        assert one(home, "fanvue", None, server.url) == [(6, "error", "luna has 2 lists named 'VIP': use an id")]


def test_wrong_files_are_told_without_asking_anybody(home: Path, capsys: Out) -> None:
    settings = settings_for(home, FILE.replace("text: Hi", "txet: Hi", 1), {"frontrow": "http://127.0.0.1:1"})
    assert check(settings, online=True, strict=False, json=False) == 1
    told = capsys.readouterr()
    assert "txet" in told.out
    assert "no platform was asked" in told.err
    assert "cannot connect" not in told.out
