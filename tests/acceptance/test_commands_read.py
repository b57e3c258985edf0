"""The commands that ask, as real processes: before the first start, on a filled ledger, and on a broken one."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate, newest
from console.sandbox import Sandbox
from ledger_rows import add_broadcast, add_creator
from running import COMMAND, Carillon, until

FILE = """version: 1
defaults: {timezone: Europe/Berlin}
creators:
  luna: {name: Luna, platform: frontrow, credentials: env:LUNA_KEY, limit: 5/1h}
  mia: {platform: ofauth, account: conn_demo, credentials: env:MIA_KEY, enabled: false}
campaigns:
  drop: {creator: luna, lists: {include: [subscribers]}, text: Hi, schedule: {every: 7d}, labels: [ppv]}
"""


@pytest.fixture
def carillon(tmp_path: Path) -> Carillon:
    found = Carillon(tmp_path, {}, LUNA_KEY="secret-of-luna")
    found.declare(FILE)
    return found


def filled(carillon: Carillon) -> Ledger:
    ledger = Ledger(f"sqlite:///{carillon.folder / 'home' / 'carillon.db'}")
    migrate(ledger)
    return ledger


def complaint(carillon: Carillon, *words: str, code: int) -> str:
    """The one line on stderr of a command that ends with `code` and prints nothing else."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=carillon.folder, env=carillon.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith(("carillon: ", "campaigns.yaml:"))
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_asking_before_the_first_start_makes_no_file(carillon: Carillon) -> None:
    assert json.loads(carillon.run("broadcasts", "--json")) == []
    assert carillon.run("broadcasts") == ""
    (luna, mia) = json.loads(carillon.run("creators", "--json"))
    assert (luna["key"], luna["name"], luna["state"], luna["limit"]) == ("luna", "Luna", "ready", "5/1h")
    assert (mia["state"], mia["account"], mia["next_broadcast"]) == ("disabled", "conn_demo", None)
    assert json.loads(carillon.run("campaigns", "--json")) == [
        {
            "name": "drop",
            "state": "enabled",
            "creators": ["luna"],
            "labels": ["ppv"],
            "next_due_at": None,
            "file": "campaigns.yaml",
            "line": 7,
        }
    ]
    complaint(carillon, "show", "1", code=1)
    assert sorted(os.listdir(carillon.folder)) == ["campaigns.yaml"]


def test_the_ledger_is_enough_without_campaign_files(carillon: Carillon) -> None:
    ledger = filled(carillon)
    due_at = clock.now() + timedelta(hours=1)
    id_ = add_broadcast(ledger, add_creator(ledger), state="planned", due_at=due_at)
    carillon.file.unlink()
    (shown,) = carillon.broadcasts()
    assert (shown["id"], shown["due_at"]) == (str(id_), clock.rfc3339(due_at))
    assert carillon.run("broadcasts", "--state", "sent", "--json").strip() == "[]"
    cells = carillon.run("broadcasts", "--campaign", "drop", "--limit", "1").split("\t")
    assert cells[:6] == [
        str(id_),
        clock.rfc3339(due_at),
        "drop",
        "luna",
        "frontrow",
        "planned",
    ]
    assert complaint(carillon, "creators", code=1).startswith("campaigns.yaml:1:1: error: there is no such file")


def test_one_broadcast_whole_without_its_secret(carillon: Carillon) -> None:
    ledger = filled(carillon)
    id_ = add_broadcast(ledger, add_creator(ledger, credentials="env:UNSET"), state="failed", reason="refused: no")
    shown: dict[str, Any] = json.loads(carillon.run("show", str(id_), "--json"))
    assert shown["request"]["method"] == "POST"
    assert shown["request"]["url"] == "https://frontrow.center/api/v1/chats/mass-messages"
    assert shown["request"]["headers"]["Authorization"] == "Bearer ***"
    assert shown["request"]["body"] == {"text": "hello", "includeLists": [{"type": "smart", "id": "subscribers"}]}
    assert shown["content"]["text"] == "hello"
    assert (shown["attempts"], shown["slots"], shown["events"], shown["why"]) == ([], [], [], None)
    plain = carillon.run("show", str(id_))
    assert "reason: refused: no\n" in plain
    assert "Authorization: Bearer ***\n" in plain
    assert "there is no broadcast 99" in complaint(carillon, "show", "99", code=1)
    assert "there is no broadcast 1; x" in complaint(carillon, "show", "1; x", code=1)
    assert "there is no broadcast " in complaint(carillon, "show", "9" * 40, code=1)


def test_lists_are_read_from_the_platform(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        carillon = Carillon(tmp_path, sandbox.urls, LUNA_KEY=sandbox.keys["frontrow"], MIA_KEY="a-wrong-key")
        carillon.declare(FILE)
        found = json.loads(carillon.run("lists", "luna", "--json"))
        assert {"kind", "id", "name", "count"} == set(found[0])
        vip = sandbox.account("frontrow").lists["7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"]
        assert [one["count"] for one in found if one["name"] == "VIP"] == [len(vip.members)]
        assert "\tVIP\t" in carillon.run("lists", "luna")
        assert "did you mean luna?" in complaint(carillon, "lists", "lunna", code=1)
        assert "401" in complaint(carillon, "lists", "mia", code=1)
        del carillon.environment["MIA_KEY"]
        assert "env:MIA_KEY: not set" in complaint(carillon, "lists", "mia", code=1)
    assert not (tmp_path / "home").exists()


def test_check_tells_findings_and_its_exit_code(carillon: Carillon) -> None:
    assert carillon.run("check") == ""
    carillon.declare(FILE.replace("subscribers", "no_such_list"))
    warning = carillon.run("check")
    assert warning.startswith("campaigns.yaml:7:")
    assert ": warning: " in warning
    assert carillon.run("check", "--strict", code=1) == warning
    carillon.declare(FILE.replace("text:", "txet:"))
    words = carillon.run("check", code=1)
    (finding,) = [one for one in json.loads(carillon.run("check", "--json", code=1)) if "txet" in one["message"]]
    assert list(finding) == ["file", "line", "column", "severity", "message"]
    assert f"{finding['file']}:{finding['line']}:{finding['column']}: error: {finding['message']}\n" in words
    assert carillon.run("check", "--campaigns", "nowhere.yaml", code=1).startswith("nowhere.yaml:1:1: error: ")


def test_the_campaigns_option_stands_before_or_after_and_beats_the_environment(carillon: Carillon) -> None:
    carillon.environment["CARILLON_CAMPAIGNS"] = "nowhere.yaml"
    carillon.run("check", code=1)
    carillon.run("check", "--campaigns", "campaigns.yaml")
    carillon.run("--campaigns", "campaigns.yaml", "check")
    carillon.run("--campaigns", "elsewhere.yaml", "check", "--campaigns", "campaigns.yaml")


def test_init_writes_a_file_that_passes_check_and_overwrites_nothing(carillon: Carillon) -> None:
    carillon.run("init", "new.yaml")
    assert carillon.run("check", "--campaigns", "new.yaml") == ""
    assert "campaigns.yaml is there already" in complaint(carillon, "init", code=1)
    assert carillon.file.read_text() == FILE
    assert "no/such/folder.yaml" in complaint(carillon, "init", "no/such/folder.yaml", code=1)
    assert json.loads(carillon.run("schema"))["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing command"),
        (["brodcasts"], "did you mean 'broadcasts'?"),
        (["broadcasts", "--state", "sending,sent"], "planned, queued"),
        (["broadcasts", "--platform", "fansly"], "frontrow"),
        (["broadcasts", "--since", "yesterday"], "neither a date nor an instant"),
        (["broadcasts", "--until", "2026-02-30"], "neither a date nor an instant"),
        (["broadcasts", "--since", "2026-01-01T00:00:00"], "neither a date nor an instant"),
        (["broadcasts", "--limit", "-1"], "--limit"),
        (["show"], "ID"),
        (["lists", "luna", "b\udcff"], "not UTF-8"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(carillon: Carillon, words: list[str], said: str) -> None:
    assert said.lower() in complaint(carillon, *words, code=2).lower()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CARILLON_FANVUE_URL", "https://user:hunter2@host/path", "CARILLON_FANVUE_URL"),
        ("CARILLON_DATABASE_URL", "mysql://root:hunter2@host/x", "CARILLON_DATABASE_URL"),
        ("CARILLON_DATABASE_URL", "postgresql://root:hunter2@127.0.0.1:1/x", "cannot use the database"),
        ("CARILLON_DATABASE_URL", "postgresql://root:hunter2@host:port/x", "CARILLON_DATABASE_URL"),
        ("CARILLON_DATABASE_URL", "sqlite:////proc/nowhere/x.db", "proc"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_without_its_secret(
    carillon: Carillon, variable: str, value: str, said: str
) -> None:
    carillon.environment[variable] = value
    words = complaint(carillon, "migrate", code=1)
    assert said in words
    assert "hunter2" not in words


def test_a_database_of_another_version_or_none_is_told_in_one_line(carillon: Carillon) -> None:
    filled(carillon).close()
    database = carillon.folder / "home" / "carillon.db"
    for revision, said in (("9999", "newer Carillon"), ("0000", "newer Carillon")):
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
            connection.execute("UPDATE installation SET oldest_revision = ?", [revision])
        connection.close()
        assert said in complaint(carillon, "broadcasts", "--json", code=1)
    for file in database.parent.glob("carillon.db*"):
        file.unlink()
    database.write_bytes(b"This is not a database. " * 100)
    assert "not a database" in complaint(carillon, "broadcasts", code=1)
    database.write_bytes(b"")
    assert json.loads(carillon.run("broadcasts", "--json")) == []
    assert carillon.run("migrate") == f"the database is at {newest()}, it was empty\n"
    assert carillon.run("migrate") == f"the database is at {newest()}\n"


def test_a_reader_that_leaves_early_hears_no_complaint(carillon: Carillon) -> None:
    done = subprocess.run(
        ["bash", "-c", " ".join([*COMMAND, "schema | head -1"])],
        cwd=carillon.folder,
        env=carillon.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_follow_prints_each_change_until_it_is_stopped(carillon: Carillon) -> None:
    ledger = filled(carillon)
    id_ = add_broadcast(ledger, add_creator(ledger), state="planned", due_at=clock.now() + timedelta(hours=1))
    out = carillon.folder / "follow.log"
    with out.open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "broadcasts", "--follow", "--json"], cwd=carillon.folder, env=carillon.environment, stdout=log
        )
    try:
        carillon.run("cancel", str(id_), "--reason", "no more")
        again = add_broadcast(ledger, 1, "other", state="held", reason="unknown_outcome: x")
        until(lambda: _cancel_is_seen(carillon, again, out), 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    last = json.loads(out.read_text().splitlines()[-1])
    assert (last["id"], last["state"], last["change"]["from"]) == (str(again), "cancelled", "held")
    assert last["change"]["who"].startswith("person:")


def _cancel_is_seen(carillon: Carillon, id_: int, out: Path) -> bool:
    """The follower may have started after the first change, so another one is made for it."""
    if carillon.broadcasts(campaign="other")[0]["state"] == "held":
        carillon.run("cancel", str(id_))
    return f'"id": "{id_}"' in out.read_text()


def test_on_a_terminal_there_are_tables_and_colours(carillon: Carillon) -> None:
    ledger = filled(carillon)
    add_broadcast(ledger, add_creator(ledger), state="failed", reason="refused: [bold]no[/bold]")
    ours, theirs = pty.openpty()
    environment = {**carillon.environment, "TERM": "xterm-256color", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*COMMAND, "broadcasts"], cwd=carillon.folder, env=environment, stdout=theirs, stderr=theirs
    ) as process:
        assert process.wait(60) == 0
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "due at" in shown
    assert "\x1b[31mfailed" in shown
    assert "[bold]no[/bold]" in shown
