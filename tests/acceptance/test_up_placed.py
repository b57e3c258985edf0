"""Campaigns whose time the platforms keep: a real `up` places, edits and withdraws them at three sandbox platforms."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.sandbox import Sandbox
from console.sandbox.records import Delivery
from running import Carillon, until

FILE = """version: 1
defaults: {{timezone: UTC}}
creators:
  ann: {{platform: fanvue, credentials: env:ANN_KEY}}
  cleo: {{platform: ofauth, account: conn_demo, credentials: env:CLEO_KEY}}
  dora: {{platform: onlyfansapi, account: acct_demo, credentials: env:DORA_KEY}}
campaigns:
  kept: {{creator: ann, text: Kept, lists: {{include: [subscribers]}}, schedule: {{every: 7d}}}}
{drop}"""
DROP = """  drop:
    creators: [ann, cleo, dora]
    lists: {{include: [fans], exclude: [recent]}}
    for:
      ann: {{lists: {{include: [subscribers]}}}}
      cleo: {{lists: {{include: ["1"]}}}}
    text: {text}
    schedule: {{at: "{at:%Y-%m-%dT%H:%M:%SZ}"}}
    scheduled_by: platform
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def carillon(tmp_path: Path, sandbox: Sandbox) -> Iterator[Carillon]:
    keys = {"ANN_KEY": "fanvue", "CLEO_KEY": "ofauth", "DORA_KEY": "onlyfansapi"}
    with Carillon(tmp_path, sandbox.urls, **{name: sandbox.keys[key] for name, key in keys.items()}) as carillon:
        yield carillon


def alive(sandbox: Sandbox) -> list[Delivery]:
    return [one for one in sandbox.scheduled() if not one.withdrawn]


def texts(sandbox: Sandbox) -> dict[str, object]:
    return {one.platform: one.body["text"] for one in alive(sandbox)}


def states(carillon: Carillon) -> set[str]:
    return {row["state"] for row in carillon.broadcasts(campaign="drop")}


def test_what_the_file_says_is_what_the_platforms_keep(carillon: Carillon, sandbox: Sandbox) -> None:
    at = (datetime.now(UTC) + timedelta(hours=20)).replace(microsecond=0)
    carillon.declare(FILE.format(drop=DROP.format(text="First", at=at)))
    carillon.up()
    until(lambda: states(carillon) == {"placed"})
    assert texts(sandbox) == dict.fromkeys(("fanvue", "ofauth", "onlyfansapi"), "First")
    assert {round(one.goes_at) for one in alive(sandbox)} == {round(at.timestamp())}
    rows = carillon.broadcasts(campaign="drop")
    assert {row["due_at"] for row in rows} == {f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    assert all(row["platform_message_id"] and row["sent_at"] is None for row in rows)

    carillon.declare(FILE.format(drop=DROP.format(text="Second", at=at)))
    until(lambda: [one.body["text"] for one in alive(sandbox)] == ["Second"] * 3 and states(carillon) == {"placed"})
    carillon.kill()  # an outage: the platforms have them
    assert len(alive(sandbox)) == 3, "never two of one"
    carillon.up()
    moved = at + timedelta(hours=1)
    carillon.declare(FILE.format(drop=DROP.format(text="Second", at=moved)))
    until(lambda: {round(one.goes_at) for one in alive(sandbox)} == {round(moved.timestamp())}, 30)
    until(lambda: len(alive(sandbox)) == 3)

    carillon.declare(FILE.format(drop=""))
    until(lambda: states(carillon) == {"cancelled"})
    assert alive(sandbox) == []
    assert sandbox.deliveries() == [], "nothing reached a fan"
