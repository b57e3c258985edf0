"""The forecast: slots, priorities, expiries and quiet hours of one account."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from carillon.campaigns.catalogue import Entry
from carillon.campaigns.forecast import Outlook, forecast
from carillon.campaigns.load import check, load

NOW = datetime(2026, 11, 21, 0, tzinfo=UTC)
CREATOR = "creators: {{luna: {{platform: ofauth, account: a, credentials: 'env:K', timezone: UTC, {creator}}}}}\n"


def campaign(name: str, schedule: str, more: str = "priority: 0") -> str:
    return f"  {name}: {{creator: luna, users: [1], text: Hi, schedule: {{{schedule}}}, {more}}}\n"


def entries(folder: Path, *campaigns: str, creator: str = "limit: 2/1h") -> list[Entry]:
    file = folder / "campaigns.yaml"
    file.write_text(CREATOR.format(creator=creator) + "campaigns:\n" + "".join(campaigns))
    loaded = load(file, now=NOW)
    assert loaded.catalogue is not None, loaded.findings
    return list(loaded.catalogue.entries())


def fates(found: list[Entry], **length: Any) -> list[tuple[str, str]]:
    return [(outlook.entry.campaign, fate(outlook)) for outlook in forecast(found, NOW, NOW + timedelta(**length))]


def fate(outlook: Outlook) -> str:
    if outlook.goes is None:
        return "skipped" if outlook.skipped else "cannot"
    return f"{outlook.goes:%H:%M}"


def test_a_slot_frees_one_window_after_its_send(tmp_path: Path) -> None:
    found = entries(tmp_path, campaign("x", "every: 20m"))
    # due 00:20 to 02:00; two an hour
    assert fates(found, hours=2) == [
        ("x", "00:20"),
        ("x", "00:40"),
        ("x", "01:20"),
        ("x", "01:40"),
        ("x", "02:20"),
        ("x", "02:40"),
    ]


def test_higher_priority_then_earlier_expiry_then_older_due_time_goes_first(tmp_path: Path) -> None:
    found = entries(
        tmp_path,
        campaign("late", "at: 2026-11-21T01:00", "expires_after: 9h"),
        campaign("older", "at: 2026-11-21T00:50", "expires_after: 6h"),
        campaign("soon", "at: 2026-11-21T01:00", "expires_after: 3h"),
        campaign("vip", "at: 2026-11-21T01:00", "priority: 9"),
        campaign("first", "at: 2026-11-21T00:30", "priority: 9"),
        creator="limit: 1/30m",
    )
    assert fates(found, days=1) == [
        ("first", "00:30"),
        ("vip", "01:00"),
        ("soon", "01:30"),
        ("older", "02:00"),
        ("late", "02:30"),
    ]


def test_what_waits_too_long_cannot_go_and_names_what_is_in_the_way(tmp_path: Path) -> None:
    found = entries(
        tmp_path,
        campaign("a", "at: 2026-11-21T01:00", "priority: 1"),
        campaign("b", "at: 2026-11-21T01:00", "priority: 1"),
        campaign("c", "at: 2026-11-21T01:10", "expires_after: 50m"),
        creator="limit: 2/2h",
    )
    *_, last = forecast(found, NOW, NOW + timedelta(days=1))
    assert (last.entry.campaign, last.goes, last.in_the_way) == ("c", None, ("a", "b"))
    assert last.conflict


def test_quiet_hours_put_off_and_lengthen_the_expiry(tmp_path: Path) -> None:
    found = entries(
        tmp_path,
        campaign("x", "at: 2026-11-21T03:00", "expires_after: 1h"),
        campaign("y", "at: 2026-11-21T04:00", "expires_after: 1h"),
        campaign("z", "at: 2026-11-21T05:00", "expires_after: 1h"),
        creator="limit: 2/1h, quiet_hours: '02:00-08:00'",
    )
    assert fates(found, days=1) == [("x", "08:00"), ("y", "08:00"), ("z", "cannot")]


def test_overlap_skip_leaves_out_what_comes_while_one_waits(tmp_path: Path) -> None:
    found = entries(tmp_path, campaign("x", "every: 10m", "overlap: skip"), creator="limit: 1/30m")
    assert fates(found, minutes=60) == [
        ("x", "00:10"),
        ("x", "skipped"),
        ("x", "skipped"),
        ("x", "00:40"),
        ("x", "skipped"),
        ("x", "01:10"),
    ]


def test_jitter_is_part_of_the_due_time(tmp_path: Path) -> None:
    found = entries(tmp_path, campaign("x", "every: 1h, jitter: 50m"), creator="limit: 9/1h")
    outlooks = list(forecast(found, NOW, NOW + timedelta(days=1)))
    assert [outlook.goes for outlook in outlooks] == [outlook.occurrence.due for outlook in outlooks]


def test_nothing_to_come_is_no_forecast(tmp_path: Path) -> None:
    assert list(forecast([], NOW, NOW + timedelta(days=1))) == []
    assert fates(entries(tmp_path, campaign("x", "at: 2027-11-21T03:00")), days=7) == []


@pytest.mark.parametrize("schedule", ['cron: "* * * * *"', "every: 1s", "every: 1m, jitter: 1h"])
def test_a_flood_is_one_error_in_check_and_one_warning_in_load_and_quick(tmp_path: Path, schedule: str) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(
        CREATOR.format(creator="limit: 10/1h")
        + "campaigns:\n"
        + campaign("flood", schedule)
        + campaign("calm", "every: 6d", "priority: 9")
    )
    start = process_time()
    found = check(file, now=NOW)
    assert process_time() - start < 2
    assert [(finding.line, finding.column, finding.severity) for finding in found] == [(3, 3, "error")]
    assert "10/1h" in found[0].message
    loaded = load(file, now=NOW)
    assert loaded.catalogue is not None
    assert [finding.severity for finding in loaded.findings] == ["warning"]


def test_a_disabled_campaign_takes_no_slot(tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(
        CREATOR.format(creator="limit: 1/1h") + "campaigns:\n" + campaign("x", "every: 1m", "enabled: false")
    )
    assert check(file, now=NOW) == []


def test_a_week_of_every_minute_is_quick(tmp_path: Path) -> None:
    found = entries(tmp_path, campaign("x", 'cron: "* * * * *"'), creator="limit: 10/1h")
    start = process_time()
    outlooks = list(forecast(found, NOW, NOW + timedelta(days=7)))
    assert process_time() - start < 3
    assert len(outlooks) == 7 * 24 * 60
    assert sum(outlook.goes is not None for outlook in outlooks) == 10 * (7 * 24 + 2)
