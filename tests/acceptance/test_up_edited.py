"""An edit while it runs: contents change in place, removed campaigns are cancelled, a moved time never sends twice.

What has to happen before a broadcast is due is timed from when `up` is ready, however long that took.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from carillon import clock
from ledger_rows import broadcast
from machine import wait_of
from running import Carillon, until
from standins import StandIn

HEAD = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:K, timezone: UTC}
campaigns:
"""


def one(text: str = "Hi", **schedule: str) -> str:
    times = ", ".join(f'{key}: "{value}"' for key, value in schedule.items())
    return f"  one: {{creator: bea, text: {text}, lists: {{include: [subscribers]}}, schedule: {{{times}}}}}\n"


TWO = '  two: {creator: bea, text: Two, lists: {include: [subscribers]}, schedule: {at: "2099-01-01T00:00"}}\n'


def instant(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def later() -> str:
    """A campaign whose broadcast is planned, and not due while the test runs."""
    return one("Later", at=instant(3600)).replace("one:", "later:")


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def carillon(tmp_path: Path, platform: StandIn) -> Iterator[Carillon]:
    with Carillon(tmp_path, {"frontrow": platform.url}, K="key") as running:
        yield running


def texts(platform: StandIn) -> list[str]:
    return [seen.json()["text"] for seen in platform.seen if seen.method == "POST"]


def states(carillon: Carillon) -> list[tuple[str, str]]:
    return [(row["state"], (row["reason"] or "").split(":")[0]) for row in carillon.broadcasts()]


def test_a_content_is_replaced_in_place(carillon: Carillon, platform: StandIn) -> None:
    carillon.declare(HEAD + TWO)
    carillon.up()
    at = instant(9)
    carillon.declare(HEAD + one("Before", at=at) + TWO)
    before = carillon.wait_for_states("planned")[0]
    carillon.declare(HEAD + one("After", at=at) + TWO)
    until(lambda: "After" in broadcast(carillon.ledger, int(before["id"])).content)
    after = carillon.wait_for_states("sent")[0]
    assert after["id"] == before["id"]
    assert texts(platform) == ["After"]


def test_a_removed_campaign_is_cancelled_and_one_declared_again_goes(carillon: Carillon, platform: StandIn) -> None:
    carillon.declare(HEAD + TWO)
    carillon.up()
    at = instant(12)
    carillon.declare(HEAD + one(at=at) + TWO)
    carillon.wait_for_states("planned")
    carillon.declare(HEAD + TWO)
    until(lambda: states(carillon) == [("cancelled", "removed")])
    carillon.declare(HEAD + one(at=at) + TWO)
    until(lambda: states(carillon) == [("planned", "")])
    carillon.wait_for_states("sent")
    assert texts(platform) == ["Hi"]


def test_an_edit_is_in_force_within_two_seconds(carillon: Carillon) -> None:
    at = instant(3600)
    carillon.declare(HEAD + one(at=at) + TWO)
    carillon.up()
    assert carillon.process
    with wait_of(carillon.process.pid) as wait:
        carillon.declare(HEAD + one(at=at).replace("text:", "enabled: false, text:") + TWO)
        declared = clock.now()
        until(lambda: states(carillon) == [("cancelled", "disabled")])
    (row,) = carillon.broadcasts()
    took = broadcast(carillon.ledger, int(row["id"])).state_since - declared
    assert took.total_seconds() < 2 + wait.seconds


def test_a_moved_at_goes_once(carillon: Carillon, platform: StandIn) -> None:
    carillon.declare(HEAD + one(at=instant(3600)) + TWO)
    carillon.up()
    carillon.declare(HEAD + one(at=instant(6)) + TWO)
    until(lambda: ("sent", "") in states(carillon))
    assert sorted(states(carillon)) == [("cancelled", "rescheduled"), ("sent", "")]
    carillon.declare(HEAD + one(at=instant(3)) + TWO.replace("Two", "Three"))
    until(lambda: "generation=3" in carillon.log)
    carillon.declare(HEAD + one("Other", at=instant(2)) + TWO)
    until(lambda: "generation=4" in carillon.log)
    assert carillon.stop() == 0
    carillon.up()
    assert len(carillon.broadcasts()) == 2
    assert texts(platform) == ["Hi"]


def test_a_moved_time_after_todays_send_is_held(carillon: Carillon, platform: StandIn) -> None:
    now = datetime.now(UTC)
    if now.hour == 23 and now.minute >= 57:
        pytest.skip("midnight is too near")
    carillon.declare(HEAD + TWO)
    carillon.up()
    carillon.declare(HEAD + one(every="12h", start=instant(6)) + TWO)
    until(lambda: ("sent", "") in states(carillon))
    carillon.declare(HEAD + one(every="12h", start=instant(6)) + TWO)
    until(lambda: ("held", "edited_after_send") in states(carillon))
    assert texts(platform) == ["Hi"]


def test_a_renamed_campaign_does_not_send_the_same_again(carillon: Carillon, platform: StandIn) -> None:
    carillon.declare(HEAD + one(at=instant(2)) + TWO)
    carillon.up()
    until(lambda: ("sent", "") in states(carillon))
    carillon.declare(HEAD + one(at=instant(3)).replace("one:", "uno:") + TWO)
    until(lambda: ("held", "edited_after_send") in states(carillon))
    held = carillon.broadcasts(state="held")[0]
    carillon.run("resolve", held["id"], "--not-sent", "--reason", "yes, once more")
    until(lambda: len(texts(platform)) == 2)


@pytest.mark.parametrize(
    "wrong",
    ["", HEAD + "  one: {creator: nobody}\n"],
    ids=["empty", "wrong"],
)
def test_a_wrong_file_changes_nothing(carillon: Carillon, platform: StandIn, wrong: str) -> None:
    carillon.declare(HEAD + one(at=instant(8)) + later())
    carillon.up()
    carillon.declare(wrong)
    until(lambda: "what was good before stays in force" in carillon.log)
    assert carillon.stop() == 0
    carillon.up()
    carillon.wait_for_states("sent", "planned")
    assert texts(platform) == ["Hi"]


def test_a_vanished_file_changes_nothing(carillon: Carillon, platform: StandIn) -> None:
    carillon.declare(HEAD + one(at=instant(7)) + later())
    carillon.up()
    carillon.file.unlink()
    until(lambda: "what was good before stays in force" in carillon.log)
    carillon.wait_for_states("sent", "planned")
    assert texts(platform) == ["Hi"]


def test_a_forecast_conflict_is_a_loud_warning_and_stops_nothing(carillon: Carillon, platform: StandIn) -> None:
    rushed = one(at=instant(4)) + "  two: {creator: bea, text: Two, lists: {include: [subscribers]}, "
    carillon.declare(HEAD.replace("env:K,", "env:K, limit: 1/1h,") + rushed + 'schedule: {cron: "* * * * *"}}\n')
    assert "campaigns.yaml:6:3: error: not all that is due" in carillon.run("check", code=1)
    carillon.up()
    until(lambda: "campaigns.yaml:6:3: warning: not all that is due" in carillon.log, 60)
    until(lambda: texts(platform))
