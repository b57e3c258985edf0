"""Due times: Unix cron, elapsed time, one time; clocks that change; dates off; jitter."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.campaigns.cron import parse_cron
from carillon.campaigns.occurrences import Occurrence, occurrences
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.shape import Schedule as ScheduleShape
from carillon.campaigns.times import DateRange


def schedule(zone: str = "Europe/Berlin", away: Iterable[str] = (), **keys: Any) -> Schedule:
    shape = ScheduleShape.model_validate({key.rstrip("_"): value for key, value in keys.items()})
    return Schedule.of(shape, ZoneInfo(zone), [DateRange.parse(span) for span in away])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(found: Iterable[Occurrence]) -> list[str]:
    return [f"{occurrence.instant:%Y-%m-%dT%H:%M}" for occurrence in found]


def cron_days(line: str, first: str = "2026-11-01", days: int = 29) -> list[int]:
    start = utc(first)
    found = occurrences(
        schedule("UTC", cron=line), "", start - timedelta(seconds=1), start + timedelta(days=days, hours=23)
    )
    return [occurrence.day.day for occurrence in found]


SUNDAYS = [1, 8, 15, 22, 29]  # of November 2026


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 0 * * 0", SUNDAYS),
        ("0 0 * * 7", SUNDAYS),
        ("0 0 * * SUN", SUNDAYS),
        ("0 0 * * sun", SUNDAYS),
        ("0 0 * * 1", [2, 9, 16, 23, 30]),
        ("0 0 * * FRI", [6, 13, 20, 27]),
        ("0 0 * * 5-7", [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29]),
        ("0 0 * * 0-1", [1, 2, 8, 9, 15, 16, 22, 23, 29, 30]),
        ("0 0 13 * *", [13]),
        ("0 0 13 * FRI", [6, 13, 20, 27]),
        ("0 0 14 * FRI", [6, 13, 14, 20, 27]),
        ("0 0 1-7 * */7", [1]),
        ("0 0 */10 * *", [1, 11, 21]),
        ("0 0 31 * *", []),
        ("0 0 1,15 NOV *", [1, 15]),
        ("0 0 1 DEC *", []),
        ("0 0 10-20/5 nov-dec *", [10, 15, 20]),
    ],
)
def test_days_of_unix_cron(line: str, days: list[int]) -> None:
    assert cron_days(line) == days


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("0 20 * * *", ["20:00"]),
        ("*/25 3 * * *", ["03:00", "03:25", "03:50"]),
        ("5-15/5 0 * * *", ["00:05", "00:10", "00:15"]),
        ("0 */8 * * *", ["00:00", "08:00", "16:00"]),
        ("0,30 9-10 * * *", ["09:00", "09:30", "10:00", "10:30"]),
    ],
)
def test_times_of_unix_cron(line: str, times: list[str]) -> None:
    found = occurrences(schedule("UTC", cron=line), "", utc("2026-11-20T23:59:59"), utc("2026-11-21T23:59"))
    assert [f"{occurrence.local:%H:%M}" for occurrence in found] == times


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "*/60 * * * *",
        "5-1 * * * *",
        "1/5 * * * *",
        "*-5 * * * *",
        "1,,2 * * * *",
        "a * * * *",
        "-1 * * * *",
        "* * L * *",
        "* * ? * *",
        "* * * * FRI#2",
        "@daily",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "1²3 * * * *",
        "99999999999999999999 * * * *",
    ],
)
def test_what_is_no_cron_line_or_never_fires(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_cron(line)


def test_a_leap_day_is_found() -> None:
    found = occurrences(schedule("UTC", cron="0 0 29 2 *"), "", utc("2026-01-01T00:00"), utc("2040-01-01T00:00"))
    assert due(found) == ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]


def test_lines_of_a_list_that_meet_are_one_occurrence() -> None:
    both = schedule("UTC", cron=["0 12 * * *", "0 */12 * * *"])
    assert due(occurrences(both, "", utc("2026-11-20T23:59"), utc("2026-11-21T23:59"))) == [
        "2026-11-21T00:00",
        "2026-11-21T12:00",
    ]


# The clocks go forward on 2027-03-28 at 02:00 local (01:00 UTC) and back on 2026-10-25 at 03:00 local (01:00 UTC).
@pytest.mark.parametrize(
    ("zone", "line", "after", "until", "labels", "instants"),
    [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2027-03-26T12:00",
            "2027-03-29T12:00",
            ["2027-03-27T02:30", "2027-03-28T02:30", "2027-03-29T02:30"],
            ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"],
        ),
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-24T12:00",
            "2026-10-26T12:00",
            ["2026-10-25T02:30", "2026-10-26T02:30"],
            ["2026-10-25T00:30", "2026-10-26T01:30"],
        ),
        ("Europe/Berlin", "30 2 25 10 *", "2026-10-25T00:30", "2026-10-25T12:00", [], []),
        ("Europe/Berlin", "45 2 25 10 *", "2026-10-25T01:10", "2026-10-25T12:00", [], []),
        (
            "Europe/Berlin",
            "0 2-3 25 10 *",
            "2026-10-24T12:00",
            "2026-10-25T12:00",
            ["2026-10-25T02:00", "2026-10-25T03:00"],
            ["2026-10-25T00:00", "2026-10-25T02:00"],
        ),
        (
            "Europe/Berlin",
            "0 2 28 3 *",
            "2027-03-28T00:59",
            "2027-03-28T01:00",
            ["2027-03-28T02:00"],
            ["2027-03-28T01:00"],
        ),
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-03T00:00",
            "2026-10-04T00:00",
            ["2026-10-04T02:15"],
            ["2026-10-03T15:30"],
        ),
        (
            "Pacific/Apia",
            "0 10 * 12 *",
            "2011-12-29T12:00",
            "2011-12-31T00:00",
            ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"],
            ["2011-12-29T20:00", "2011-12-30T10:00", "2011-12-30T20:00"],
        ),
    ],
)
def test_cron_where_the_clocks_change(
    zone: str, line: str, after: str, until: str, labels: list[str], instants: list[str]
) -> None:
    found = list(occurrences(schedule(zone, cron=line), "", utc(after), utc(until)))
    assert [occurrence.label for occurrence in found] == [f"{label} {zone}" for label in labels]
    assert due(found) == instants


def test_every_counts_elapsed_time_through_a_change_of_the_clocks() -> None:
    found = list(
        occurrences(
            schedule(every="12h", start="2026-10-24T18:00"), "", utc("2026-10-01T00:00"), utc("2026-10-26T00:00")
        )
    )
    assert [occurrence.label for occurrence in found] == [
        "2026-10-24T16:00:00Z",
        "2026-10-25T04:00:00Z",
        "2026-10-25T16:00:00Z",
    ]
    assert [f"{occurrence.local:%H:%M}" for occurrence in found] == ["18:00", "05:00", "17:00"]


def test_every_without_a_start_counts_from_1970() -> None:
    found = occurrences(schedule(every="7d"), "", utc("2026-11-18T00:00"), utc("2026-12-01T00:00"))
    assert due(found) == ["2026-11-19T00:00", "2026-11-26T00:00"]  # Thursdays, as 1970-01-01 was


@pytest.mark.parametrize(
    ("at", "label", "instant"),
    [
        ("2026-12-31T23:59", "2026-12-31T23:59 Europe/Berlin", "2026-12-31T22:59"),
        ("2026-12-31 23:59:30", "2026-12-31T23:59:30 Europe/Berlin", "2026-12-31T22:59"),
        ("2026-12-31T23:59Z", "2026-12-31T23:59:00Z", "2026-12-31T23:59"),
        ("2026-12-31T23:59-05:00", "2027-01-01T04:59:00Z", "2027-01-01T04:59"),
        ("2027-03-28T02:30", "2027-03-28T02:30 Europe/Berlin", "2027-03-28T01:00"),
    ],
)
def test_at_is_due_once(at: str, label: str, instant: str) -> None:
    found = list(occurrences(schedule(at=at), "", utc("2026-01-01T00:00"), utc("2030-01-01T00:00")))
    assert [occurrence.label for occurrence in found] == [label]
    assert due(found) == [instant]


@pytest.mark.parametrize("keys", [{"at": "2026-12-01T12:00Z"}, {"every": "12h"}, {"cron": "0 12 * * *"}])
def test_a_window_holds_its_end_and_not_its_beginning(keys: dict[str, Any]) -> None:
    plan, noon, second = schedule("UTC", **keys), utc("2026-12-01T12:00"), timedelta(seconds=1)
    assert due(occurrences(plan, "", noon - second, noon)) == ["2026-12-01T12:00"]
    assert due(occurrences(plan, "", noon, noon + second)) == []


@pytest.mark.parametrize(
    ("keys", "days"),
    [
        ({"start": "2026-11-22", "end": "2026-11-23"}, [22, 23]),
        ({"start": "2026-11-22T20:00", "end": "2026-11-23T20:00"}, [22, 23]),
        ({"start": "2026-11-22T20:01", "end": "2026-11-24T19:59"}, [23]),
        ({"start": "2026-11-22T19:00Z", "end": "2026-11-23T19:00Z"}, [22, 23]),
        ({"start": "2026-11-22T19:01Z", "end": "2026-11-24T18:59:59Z"}, [23]),
        ({"end": "2026-11-25", "except_": ["2026-11-22", "2026-11-24..2026-11-30"]}, [21, 23]),
        ({"end": "2026-11-25", "away": ["2026-11-21..2026-11-24"]}, [25]),
    ],
)
def test_starts_ends_and_dates_off(keys: dict[str, Any], days: list[int]) -> None:
    daily = schedule(cron="0 20 * * *", **keys)
    found = occurrences(daily, "", utc("2026-11-21T00:00"), utc("2026-12-21T00:00"))
    assert [occurrence.day.day for occurrence in found] == days


def test_dates_off_are_local_also_for_elapsed_time() -> None:
    hourly = schedule("Pacific/Auckland", every="12h", except_=["2026-11-22"])
    found = occurrences(hourly, "", utc("2026-11-21T00:00"), utc("2026-11-23T00:00"))
    assert due(found) == ["2026-11-22T12:00", "2026-11-23T00:00"]


def test_jitter_is_told_by_campaign_creator_and_label_alone() -> None:
    daily = schedule(cron="0 20 * * *", jitter="5m")

    def dues(seed: str) -> list[datetime]:
        found = occurrences(daily, seed, utc("2026-11-21T00:00"), utc("2026-12-21T00:00"))
        return [occurrence.due for occurrence in found]

    assert dues("x luna") == dues("x luna")
    assert dues("x luna") != dues("x mia")
    assert dues("x luna")[0] == utc("2026-11-21T19:04:12.747000")


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
INSTANTS = st.integers(0, 4 * 366 * 86_400).map(lambda seconds: utc("2025-01-01T00:00") + timedelta(seconds=seconds))
LINES = st.sampled_from(["30 2 * * *", "*/20 1-3 * * *", "0 * * * *", "5 0 1 * MON", "59 23 * * SUN"])
KEYS = st.one_of(
    LINES.map(lambda line: {"cron": line}),
    st.integers(600, 10**6).map(lambda seconds: {"every": f"{seconds}s"}),
)


@given(ZONES, KEYS, INSTANTS, st.integers(0, 12 * 86_400), st.integers(0, 12 * 86_400))
def test_windows_that_touch_find_everything_once(
    zone: str, keys: dict[str, Any], start: datetime, one: int, other: int
) -> None:
    middle, end = start + timedelta(seconds=one), start + timedelta(seconds=one + other)
    plan = schedule(zone, jitter="10m", **keys)
    whole = list(occurrences(plan, "s", start, end))
    assert whole == [*occurrences(plan, "s", start, middle), *occurrences(plan, "s", middle, end)]
    assert [found.instant for found in whole] == sorted(found.instant for found in whole)
    assert len({found.label for found in whole}) == len(whole)
    for found in whole:
        assert start < found.instant <= end
        assert timedelta() <= found.due - found.instant <= timedelta(minutes=10)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"every": "60m"}, {"every": "1h"}, True),
        ({"cron": "0 0 * * 0"}, {"cron": ["0  0 * * SUN"]}, True),
        ({"cron": "0 0 * * 0"}, {"cron": "0 1 * * 0"}, False),
        ({"cron": "0 0 1 * 0"}, {"cron": "0 0 1 * *"}, False),
        ({"every": "1h"}, {"every": "1h", "start": "2026-12-01"}, False),
        ({"every": "1h"}, {"every": "1h", "jitter": "5m"}, False),
        ({"every": "1h"}, {"every": "1h", "except": ["2026-12-01"]}, False),
        ({"at": "2026-12-31T23:59Z"}, {"at": "2027-01-01T00:59+01:00"}, True),
        ({"at": "2026-12-31T23:59"}, {"at": "2026-12-31 23:59:00"}, True),
        ({"cron": "0 0 * * *", "start": "2026-12-01"}, {"cron": "0 0 * * *", "start": "2026-12-01T00:00"}, True),
    ],
)
def test_a_revision_changes_with_the_due_times(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert (schedule(**one).revision() == schedule(**other).revision()) is same


def test_a_revision_knows_the_zone_where_it_matters() -> None:
    assert schedule("UTC", cron="0 0 * * *").revision() != schedule("Europe/Berlin", cron="0 0 * * *").revision()
    assert schedule("UTC", every="1h").revision() == schedule("Europe/Berlin", every="1h").revision()
    assert schedule(away=["2026-12-24"], every="1h").revision() != schedule(every="1h").revision()


def test_endless_schedules_are_read_as_far_as_asked() -> None:
    minutely = schedule("UTC", cron="* * * * *")
    found = islice(occurrences(minutely, "", utc("2026-11-21T00:00"), utc("2999-01-01T00:00")), 3)
    assert [occurrence.day for occurrence in found] == [date(2026, 11, 21)] * 3
