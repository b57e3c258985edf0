"""Lists, members, media and new lists through the commands' own functions, against the sandbox and odd stand-ins."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from carillon import clock, logs
from carillon.platforms.errors import PlatformError
from carillon.settings import Settings
from console import patience
from console.failures import CommandError
from console.list_add import add_to_list
from console.lists import create_list, show_lists
from console.media import show_media
from console.members import show_members
from console.options import WrongCommandError
from console.sandbox import Sandbox
from console.streaming import stream
from standins import Reply, Seen, StandIn

FILE = """version: 1
defaults: {timezone: UTC}
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY}
  mia: {platform: ofauth, account: conn_demo, credentials: env:MIA_KEY}
  zoe: {platform: fanvue, credentials: env:ZOE_KEY}
  ada: {platform: fanvue, account: c0ffee00-0000-4000-8000-000000000002, credentials: env:ZOE_KEY}
  eve: {platform: onlyfansapi, account: acct_demo, credentials: env:EVE_KEY}
campaigns:
  drop: {creators: all, lists: {include: [fans]}, text: Hi, schedule: {every: 7d}}
"""
EVERYWHERE = ("luna", "mia", "zoe", "eve")


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are set up for a process, and this one is the tests'."""
    for name in ("set_up", "fall_silent"):
        monkeypatch.setattr(logs, name, lambda *_: None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "campaigns.yaml").write_text(FILE)
    for name, key in (
        ("LUNA", "fr_demo_key"),
        ("MIA", "of_demo_key"),
        ("ZOE", "fv_demo_token"),
        ("EVE", "sk_demo_key"),
    ):
        monkeypatch.setenv(f"{name}_KEY", key)
    return tmp_path


def settings_for(home: Path, urls: dict[str, str]) -> Settings:
    named = {f"{platform}_url": url for platform, url in urls.items()}
    return Settings(campaigns=home / "campaigns.yaml", home=home / "home", **named)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def settings(home: Path, sandbox: Sandbox) -> Settings:
    return settings_for(home, sandbox.urls)


Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize("creator", EVERYWHERE)
def test_who_is_on_a_list_by_its_name(settings: Settings, sandbox: Sandbox, creator: str, capsys: Out) -> None:
    platform = {"luna": "frontrow", "mia": "ofauth", "zoe": "fanvue", "eve": "onlyfansapi"}[creator]
    vip = next(kept for kept in sandbox.account(platform).lists.values() if kept.name == "VIP")
    assert show_members(settings, creator, "name:VIP", json=True, csv=None) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in found] == [fan.id for fan in sandbox.account(platform).audience([vip.id])]
    assert list(found[0]) == ["id", "handle", "name"]
    assert show_lists(settings, creator, json=True, csv=None) == 0
    [shown] = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "VIP"]
    assert shown == {"kind": "custom", "id": vip.id, "name": "VIP", "count": len(vip.members)}


def test_as_csv_on_stdout_or_in_a_file_and_as_lines(settings: Settings, home: Path, capsys: Out) -> None:
    file = home / "vip.csv"
    assert show_members(settings, "zoe", "name:VIP", json=False, csv=str(file)) == 0
    assert capsys.readouterr().out == ""
    show_members(settings, "zoe", "name:VIP", json=False, csv="-")
    out = capsys.readouterr().out
    assert out == file.read_text()
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["id", "handle", "name"]
    show_members(settings, "zoe", "name:VIP", json=False, csv=None)
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == rows[1:]
    assert [path.name for path in home.iterdir() if path.suffix == ".part"] == []


def test_a_fans_name_is_no_formula_for_a_spreadsheet(capsys: Out) -> None:
    fans = [("1", "@bob", '=HYPERLINK("https://x")'), ("2", None, "plain = text")]
    stream(("id", "handle", "name"), fans, as_json=False, csv_path="-")
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows[1:] == [["1", "'@bob", '\'=HYPERLINK("https://x")'], ["2", "", "plain = text"]]
    stream(("id", "handle", "name"), fans, as_json=True, csv_path=None)
    assert json.loads(capsys.readouterr().out)[0]["handle"] == "@bob"


def test_what_the_command_line_gets_wrong(settings: Settings) -> None:
    for which in ("UPPER", "nick:x", "name: "):
        with pytest.raises(WrongCommandError):
            show_members(settings, "zoe", which, json=False, csv=None)
    with pytest.raises(WrongCommandError, match="one of --json and --csv"):
        show_members(settings, "zoe", "subscribers", json=True, csv="-")
    with pytest.raises(CommandError, match="no list is named 'VIPs'"):
        show_members(settings, "zoe", "name:VIPs", json=True, csv=None)
    with pytest.raises(PlatformError, match="smart list"):
        show_members(settings, "luna", "subscribers", json=True, csv=None)


@pytest.mark.parametrize("creator", ["mia", "zoe", "eve"])
def test_media_by_their_ids(settings: Settings, creator: str, capsys: Out) -> None:
    assert show_media(settings, creator, json=True, csv=None) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found[0]) == ["id", "kind", "name", "state", "created_at"]
    assert {"ready", "processing", "broken"} <= {one["state"] for one in found}


def test_media_where_the_platform_shows_none(settings: Settings, capsys: Out) -> None:
    with pytest.raises(PlatformError):
        show_media(settings, "luna", json=True, csv=None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("creator", ["mia", "zoe", "eve"])
def test_a_list_is_made_once_and_filled(settings: Settings, sandbox: Sandbox, creator: str, capsys: Out) -> None:
    platform = {"mia": "ofauth", "zoe": "fanvue", "eve": "onlyfansapi"}[creator]
    name, fans = f"Made for {creator}", [fan.id for fan in sandbox.account(platform).fans[:5]]
    assert create_list(settings, creator, name) == 0
    made = capsys.readouterr().out.strip()
    with pytest.raises(CommandError, match=f"already: {made}"):
        create_list(settings, creator, name)
    assert add_to_list(settings, creator, made, fans[:3] + fans[:1], None) == 0
    assert capsys.readouterr().out.startswith("added 3, skipped 0 ")
    assert add_to_list(settings, creator, f"name:{name}", fans, None) == 0
    assert capsys.readouterr().out.startswith("added 2, skipped 3 ")
    assert set(sandbox.account(platform).lists[made].members) == set(fans)


def test_one_who_is_refused_stops_nobody_else(settings: Settings, sandbox: Sandbox, home: Path, capsys: Out) -> None:
    create_list(settings, "mia", "Some refused")
    fans = [fan.id for fan in sandbox.account("ofauth").fans[:3]]
    file = home / "fans.txt"
    file.write_text(f"\ufeff# who bought\n{fans[0]}\n\n  nobody   # gone\n{fans[1]}\n{fans[0]}\n{fans[2]}")
    assert add_to_list(settings, "mia", "name:Some refused", (), file) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "added 3, skipped 0 (on it already, or left out by the platform), refused 1"
    assert "nobody was refused" in told.err


@pytest.mark.parametrize(
    ("users", "text", "said"),
    [
        ((), None, "name the users"),
        (("a",), "b", "name the users"),
        (("a b",), None, "'a b' is no user's id"),
        ((), "a\nb c\n", "fans.txt:2: 'b c' is no user's id"),
        ((), "# nobody\n", "names nobody"),
        ((), b"\xff\xfe", "not text in UTF-8"),
    ],
)
def test_whom_to_add_is_checked_before_anything_is_asked(
    home: Path, users: tuple[str, ...], text: str | bytes | None, said: str
) -> None:
    file = home / "fans.txt" if text is not None else None
    if file:
        file.write_bytes(text.encode() if isinstance(text, str) else text or b"")
    with pytest.raises((CommandError, WrongCommandError), match=said):
        add_to_list(settings_for(home, {"ofauth": "http://127.0.0.1:1"}), "mia", "1", users, file)


@pytest.mark.parametrize(
    ("creator", "which", "said"),
    [("luna", "name:VIP", "lets nobody"), ("zoe", "subscribers", "smart list"), ("ada", "name:VIP", "lets nobody")],
)
def test_where_nobody_can_be_added(settings: Settings, creator: str, which: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        add_to_list(settings, creator, which, ("a",), None)


@pytest.mark.parametrize(("creator", "said"), [("luna", "frontrow cannot make"), ("ada", "an agency on fanvue cannot")])
def test_where_no_list_can_be_made(settings: Settings, creator: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        create_list(settings, creator, "New")


class Crowd:
    """A Fanvue list of ten thousand, and what its server says of rates."""

    size = 10_000

    def __init__(self) -> None:
        self.pages = 0
        self.throttled = {7: "3", 90: "0"}  # Retry-After before these pages
        self.broken = {40}
        self.told = {"X-RateLimit-Limit": "100000", "X-RateLimit-Remaining": "99999"}

    def __call__(self, seen: Seen) -> Reply:
        page = int(seen.path.partition("page=")[2].partition("&")[0])
        if page in self.throttled:
            return Reply(429, {"error": "slow down"}, {"Retry-After": self.throttled.pop(page)})
        if page in self.broken:
            self.broken.discard(page)
            return Reply(502, "<html>", {"Content-Type": "text/html"})
        self.pages += 1
        first = (page - 1) * 50
        rows = [{"uuid": f"fan-{n}", "displayName": f"Fan {n}", "handle": f"fan{n}"} for n in range(first, first + 50)]
        more = first + 50 < self.size
        return Reply(200, {"data": rows, "pagination": {"page": page, "size": 50, "hasMore": more}}, self.told)


def test_ten_thousand_members_stream_through_what_the_platform_asks_to_wait(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(patience, "rest", rests.append)
    crowd = Crowd()
    with StandIn(crowd) as platform:
        settings = settings_for(home, {"fanvue": platform.url})
        assert show_members(settings, "zoe", "subscribers", json=True, csv=None) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [one["id"] for one in found] == [f"fan-{number}" for number in range(10_000)]
    assert crowd.pages == 200
    assert rests == [3, 2, 1]
    assert told.err == "carillon: waiting 3 s: the platform asks for it\n"


def test_what_never_worked_is_told_at_once_and_prints_nothing(home: Path, capsys: Out) -> None:
    with StandIn(lambda _: Reply(502, {"error": "down"})) as platform:
        with pytest.raises(PlatformError, match="502"):
            show_lists(settings_for(home, {"fanvue": platform.url}), "zoe", json=True, csv=None)
        assert len(platform.seen) == 1
    assert capsys.readouterr().out == ""


def test_a_new_list_whose_answer_was_lost_is_found(home: Path, capsys: Out) -> None:
    made: list[str] = []

    def fanvue(seen: Seen) -> Reply:
        if seen.method == "POST":
            made.append(seen.json()["name"])
            return Reply(502, "", {"Content-Type": "text/html"})
        rows = [{"uuid": f"list-{name}", "name": name, "membersCount": 0} for name in made]
        return Reply(200, [] if "smart" in seen.path else {"data": rows, "pagination": {"hasMore": False}})

    with StandIn(fanvue) as platform:
        assert create_list(settings_for(home, {"fanvue": platform.url}), "zoe", "New") == 0
    assert (capsys.readouterr().out, made) == ("list-New\n", ["New"])


def test_halves_are_tried_apart_until_one_alone_is_refused(home: Path, capsys: Out) -> None:
    added: list[str] = []

    def fanvue(seen: Seen) -> Reply:
        if seen.method != "POST":
            return Reply(200, {"data": [], "pagination": {"hasMore": False}})
        users = seen.json()["userUuids"]
        if "bad" in users:
            return Reply(400, {"errors": ["bad is no fan"]})
        added.extend(users)
        return Reply(201, {"added": len(users), "skipped": 0})

    users = [*(f"fan-{number}" for number in range(150)), "bad", "fan-last"]
    with StandIn(fanvue) as platform:
        assert add_to_list(settings_for(home, {"fanvue": platform.url}), "zoe", "custom:1", users, None) == 1
        assert sum(seen.method == "POST" for seen in platform.seen) < 16
    assert sorted(added) == sorted(user for user in users if user != "bad")
    told = capsys.readouterr()
    assert "added 151, skipped 0" in told.out
    assert "bad was refused: HTTP 400: bad is no fan" in told.err


def test_a_key_without_the_right_stops_at_once(home: Path, capsys: Out) -> None:
    def fanvue(seen: Seen) -> Reply:
        return Reply(403, {"error": f"{'write' if seen.method == 'POST' else 'read'}:chat is missing"})

    with StandIn(fanvue) as platform:
        with pytest.raises(PlatformError, match="write:chat is missing"):
            add_to_list(settings_for(home, {"fanvue": platform.url}), "zoe", "custom:1", ["a", "b"], None)
        assert sum(seen.method == "POST" for seen in platform.seen) == 1
    assert "give the same command again" in capsys.readouterr().err


def test_ten_thousand_members_keep_to_the_rate_and_say_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    """As documented, 200 a minute: of 200 pages the last twenty wait for the next minute."""
    ahead = [0.0]
    ticks = clock.ticks
    monkeypatch.setattr(clock, "ticks", lambda: ticks() + ahead[0])
    monkeypatch.setattr("console.accounts.sleep", lambda seconds: ahead.__setitem__(0, ahead[0] + seconds))
    crowd = Crowd()
    crowd.throttled, crowd.broken, crowd.told = {}, set(), {}
    with StandIn(crowd) as platform:
        show_members(settings_for(home, {"fanvue": platform.url}), "zoe", "subscribers", json=False, csv=None)
    told = capsys.readouterr()
    assert told.out.count("\n") == 10_000
    assert crowd.pages == 200
    assert 50 < ahead[0] <= 60
    assert "s: the platform's rate\n" in told.err
