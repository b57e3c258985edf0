"""`carillon send`, as a real process against the sandbox: alone, beside a running `up`, asked and refused."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from carillon.ledger.connect import Ledger
from console.sandbox import Fault, Sandbox
from ledger_rows import add_broadcast, broadcast
from running import COMMAND, Carillon

FILE = """version: 1
defaults: {timezone: Europe/Berlin}
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY}
  fay: {platform: fanvue, credentials: env:FAY_KEY}
  amy: {platform: ofauth, account: conn_demo_two, credentials: env:AMY_KEY}
  zoe: {platform: ofauth, account: conn_demo, credentials: env:ZOE_KEY, enabled: false}
campaigns:
  drop:
    creators: all
    except_creators: [amy]
    lists: {include: [subscribers], exclude: ["name:VIP"]}
    text: "Hi {{ creator.name }} 🌙"
    schedule: {every: 7d}
    for: {zoe: {lists: {include: ["1"]}}}
  few: {creator: amy, users: [123, 456], text: Hi, schedule: {every: 7d}}
  idle: {creator: luna, enabled: false, lists: {include: [subscribers]}, text: Hi, schedule: {every: 7d}}
"""
VIP = "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"
IMPATIENT = "from console import sending; sending.PATIENCE_SECONDS = 2.0; from console.cli import main; main()"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def carillon(tmp_path: Path, sandbox: Sandbox) -> Carillon:
    keys = {"LUNA_KEY": sandbox.keys["frontrow"], "FAY_KEY": sandbox.keys["fanvue"]}
    found = Carillon(tmp_path, sandbox.urls, **keys)
    found.declare(FILE)
    return found


def told(carillon: Carillon, *words: str, code: int) -> str:
    done = subprocess.run(
        [*COMMAND, *words], cwd=carillon.folder, env=carillon.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def impatient(carillon: Carillon, *words: str, code: int = 0) -> str:
    """As `carillon`, but `send` waits for two seconds alone."""
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, *words],
        cwd=carillon.folder,
        env=carillon.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done
    return done.stdout


def ledger_of(carillon: Carillon) -> Ledger:
    return Ledger(f"sqlite:///{carillon.folder / 'home' / 'carillon.db'}")


def test_a_dry_run_reads_no_secret_and_writes_nothing(carillon: Carillon, sandbox: Sandbox) -> None:
    del carillon.environment["LUNA_KEY"], carillon.environment["FAY_KEY"]
    luna, fay = json.loads(carillon.run("send", "drop", "--dry-run"))
    assert list(luna) == ["creator", "method", "url", "headers", "body"]
    assert (luna["creator"], luna["method"]) == ("luna", "POST")
    assert luna["url"] == sandbox.urls["frontrow"] + "/api/v1/chats/mass-messages"
    assert luna["headers"]["Authorization"] == "Bearer ***"
    assert luna["body"]["text"] == "Hi luna 🌙"
    assert fay["body"]["includedLists"] == {"smartListUuids": ["subscribers"]}
    (only,) = json.loads(carillon.run("send", "drop", "--dry-run", "--creator", "luna", "--to", f"custom:{VIP}"))
    assert only["body"]["includeLists"] == [{"type": "custom", "id": VIP}]
    (few,) = json.loads(carillon.run("send", "few", "--dry-run", "--to", "2"))
    assert few["body"] == {"text": "Hi", "userLists": [2]}
    assert sandbox.deliveries() == []
    assert sorted(os.listdir(carillon.folder)) == ["campaigns.yaml"]


def test_alone_it_sends_to_each_creator_and_records_it(carillon: Carillon, sandbox: Sandbox) -> None:
    words = carillon.run("send", "drop", "--yes")
    assert "luna (frontrow): smart:subscribers (" in words
    assert "without name:VIP" in words
    rows = carillon.broadcasts()
    assert [(row["creator"], row["state"], row["attempts"]) for row in rows] == [
        ("luna", "sent", 1),
        ("fay", "sent", 1),
    ]
    assert all(row["occurrence"] == row["due_at"] and row["occurrence"].endswith("Z") for row in rows)
    delivered = {one.platform: len(one.recipients) for one in sandbox.deliveries()}
    assert delivered == {row["platform"]: row["recipient_count"] for row in rows}
    assert f"is sent to {rows[0]['recipient_count']} recipients" in words
    assert json.loads(carillon.run("creators", "--json"))[0]["slots_used"] == 1
    carillon.run("send", "drop", "--creator", "luna", "--to", "name:VIP", "--yes")
    assert len(sandbox.deliveries()) == 3


def test_it_refuses_what_it_cannot_mean_and_sends_nothing(carillon: Carillon, sandbox: Sandbox) -> None:
    assert "--yes" in told(carillon, "send", "drop", code=2)
    assert "--to Subscribers" in told(carillon, "send", "drop", "--to", "Subscribers", "--yes", code=2)
    assert "did you mean drop?" in told(carillon, "send", "dorp", "--yes", code=1)
    assert "did you mean luna?" in told(carillon, "send", "drop", "--creator", "luma", "--yes", code=1)
    assert "creator zoe is disabled" in told(carillon, "send", "drop", "--creator", "zoe", "--yes", code=1)
    assert "campaign idle is disabled" in told(carillon, "send", "idle", "--yes", code=1)
    carillon.declare(FILE.replace("text:", "txet:"))
    assert "campaigns.yaml:13:" in told(carillon, "send", "drop", "--yes", code=1)
    assert sandbox.deliveries() == []
    assert not (carillon.folder / "home").exists()


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (Fault.accept_and_drop(), "held", "unknown_outcome"),
        (Fault.status(422), "failed", "refused"),
    ],
)
def test_what_goes_wrong_is_told_and_exits_1(
    carillon: Carillon, sandbox: Sandbox, fault: Fault, state: str, reason: str
) -> None:
    sandbox.faults.add("frontrow", fault)
    words = told(carillon, "send", "drop", "--creator", "luna", "--yes", code=1)
    assert f"is {state}: {reason}: " in words
    assert [row["state"] for row in carillon.broadcasts()] == [state]


def test_an_empty_audience_is_skipped_and_exits_1(carillon: Carillon) -> None:
    words = told(carillon, "send", "drop", "--creator", "luna", "--to", "name:Nobody yet", "--yes", code=1)
    assert "is skipped: empty_audience" in words


def test_a_cool_down_is_waited_out(carillon: Carillon, sandbox: Sandbox) -> None:
    sandbox.faults.add("frontrow", Fault.throttled(retry_after=2))
    begun = time.monotonic()
    carillon.run("send", "drop", "--creator", "luna", "--yes")
    assert time.monotonic() - begun > 2
    (row,) = carillon.broadcasts()
    assert (row["state"], row["attempts"], len(sandbox.deliveries())) == ("sent", 2, 1)


def test_what_still_waits_is_told_and_exits_0(carillon: Carillon, sandbox: Sandbox) -> None:
    carillon.run("pause", "--creator", "luna")
    words = impatient(carillon, "send", "drop", "--creator", "luna", "--yes")
    assert "waits for a person's `carillon resume`" in words
    assert [row["waiting_for"] for row in carillon.broadcasts()] == ["pause"]
    carillon.declare(FILE.replace("env:FAY_KEY", "env:FAY_KEY, limit: 1/1h"))
    carillon.run("send", "drop", "--creator", "fay", "--yes")
    assert "waits for a free slot" in impatient(carillon, "send", "drop", "--creator", "fay", "--yes")
    (row,) = carillon.broadcasts(state="planned", creator="fay")
    assert (row["waiting_for"], row["attempts"]) == ("limit", 0)
    assert row["not_before"] == json.loads(carillon.run("creators", "--json"))[1]["next_free_slot"]
    assert len(sandbox.deliveries()) == 1


def test_what_others_have_due_is_left_alone(carillon: Carillon, sandbox: Sandbox) -> None:
    carillon.run("send", "drop", "--creator", "luna", "--yes")
    ledger = ledger_of(carillon)
    others = add_broadcast(ledger, 1, "others", state="planned")
    carillon.run("send", "drop", "--creator", "luna", "--yes")
    assert broadcast(ledger, others).state == "planned"
    assert len(sandbox.deliveries()) == 2
    ledger.close()


def test_a_running_up_takes_it(carillon: Carillon, sandbox: Sandbox) -> None:
    carillon.declare(FILE.replace("every: 7d", 'at: "2031-01-01T00:00"'))
    with carillon:
        carillon.up()
        carillon.run("send", "drop", "--creator", "luna", "--yes")
        (row,) = carillon.broadcasts()
        events = json.loads(carillon.run("show", row["id"], "--json"))["events"]
        assert carillon.stop() == 0
    assert row["state"] == "sent"
    assert [event["who"].split()[0] for event in events] == ["scheduler", "worker", "worker"]
    assert len(sandbox.deliveries()) == 1


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)])
def test_on_a_terminal_it_asks(carillon: Carillon, sandbox: Sandbox, answer: str, code: int, sent: int) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "send", "drop", "--creator", "luna"],
        cwd=carillon.folder,
        env=carillon.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = ""
        while "Send now?" not in shown:
            shown += os.read(ours, 4096).decode()
        os.write(ours, answer.encode())
        _drain(ours)
        assert process.wait(60) == code
    os.close(ours)
    assert "subscribers (" in shown
    assert len(sandbox.deliveries()) == sent


def _drain(terminal: int) -> None:
    """Until the other side is closed, which a terminal tells by an error."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        return
