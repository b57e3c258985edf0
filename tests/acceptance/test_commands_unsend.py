"""`carillon unsend`, and `cancel` of what is placed, as commands on a real ledger against the sandbox."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.sandbox import Sandbox
from running import COMMAND, Carillon, until

FILE = """version: 1
defaults: {{timezone: UTC}}
creators:
  ann: {{platform: fanvue, credentials: env:ANN_KEY}}
  bea: {{platform: frontrow, credentials: env:BEA_KEY}}
  cleo: {{platform: ofauth, account: conn_demo, credentials: env:CLEO_KEY}}
  dora: {{platform: onlyfansapi, account: acct_demo, credentials: env:DORA_KEY}}
campaigns:
  drop:
    creators: [ann, bea, cleo, dora]
    lists: {{include: [subscribers]}}
    for:
      cleo: {{lists: {{include: ["1"]}}}}
      dora: {{lists: {{include: [fans]}}}}
    text: Hello
    schedule: {{every: 30d}}
  later:
    creator: ann
    lists: {{include: [subscribers]}}
    text: Later
    schedule: {{at: "{at:%Y-%m-%dT%H:%M:%SZ}"}}
    scheduled_by: platform
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def carillon(tmp_path: Path, sandbox: Sandbox) -> Iterator[Carillon]:
    keys = {"ANN_KEY": "fanvue", "BEA_KEY": "frontrow", "CLEO_KEY": "ofauth", "DORA_KEY": "onlyfansapi"}
    with Carillon(tmp_path, sandbox.urls, **{name: sandbox.keys[key] for name, key in keys.items()}) as carillon:
        carillon.declare(FILE.format(at=datetime.now(UTC) + timedelta(hours=20)))
        yield carillon


def said(carillon: Carillon, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMMAND, *words], cwd=carillon.folder, env=carillon.environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_whole_campaign_is_taken_back_where_it_can_be(carillon: Carillon, sandbox: Sandbox) -> None:
    carillon.run("send", "drop", "--yes")
    assert "add --yes" in carillon.complaint("unsend", "--campaign", "drop", code=2)
    code, out, err = said(carillon, "unsend", "--campaign", "drop", "--reason", "a slip", "--yes")
    assert (code, len(out.splitlines()), len(err.splitlines())) == (1, 3, 1), (out, err)
    assert "frontrow takes nothing back" in err
    assert all("is unsent; " in line for line in out.splitlines())
    states = {row["creator"]: (row["state"], row["reason"]) for row in carillon.broadcasts(campaign="drop")}
    taken_back = ("unsent", "by_person: recalled: a slip")
    assert states == {"ann": taken_back, "bea": ("sent", None), "cleo": taken_back, "dora": taken_back}
    withdrawn = {one.platform for one in sandbox.deliveries() if one.withdrawn}
    assert withdrawn == {"fanvue", "ofauth", "onlyfansapi"}
    code, _, err = said(carillon, "unsend", carillon.broadcasts(creator="ann", campaign="drop")[0]["id"], "--yes")
    assert (code, "is unsent" in err) == (1, True)


def test_what_is_placed_is_cancelled_with_and_without_a_running_up(carillon: Carillon, sandbox: Sandbox) -> None:
    carillon.up()
    (row,) = until(lambda: [row for row in carillon.broadcasts(campaign="later") if row["state"] == "placed"])
    carillon.kill()
    assert "is cancelled" in carillon.run("cancel", row["id"], "--reason", "not today")
    assert [one.withdrawn for one in sandbox.scheduled()] == [True]
    (row,) = carillon.broadcasts(campaign="later")
    assert (row["state"], row["reason"]) == ("cancelled", "by_person: cancelled: not today")
