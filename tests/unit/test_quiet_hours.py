"""Quiet hours by the creator's clock, also where it changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.quiet_hours import QuietHours
from carillon.wall_clock import instant_of, shown, times_shown

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo(key) for key in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")]
LABELS = st.integers(0, 5 * 366 * 86_400).map(
    lambda seconds: datetime.fromisoformat("2024-01-01T00:00:00") + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("hours", "instant", "end"),
    [
        ("23:00-08:00", "2026-11-21T21:59:59", None),
        ("23:00-08:00", "2026-11-21T22:00:00", "2026-11-22T07:00:00"),
        ("23:00-08:00", "2026-11-22T06:59:59", "2026-11-22T07:00:00"),
        ("23:00-08:00", "2026-11-22T07:00:00", None),
        ("12:00-13:00", "2026-11-21T11:30:00", "2026-11-21T12:00:00"),
        ("12:00-13:00", "2026-11-21T12:00:00", None),
        ("00:00-06:00", "2026-11-20T23:00:00", "2026-11-21T05:00:00"),
        ("22:00-00:00", "2026-11-21T22:30:00", "2026-11-21T23:00:00"),
        # clocks forward on 2027-03-28 at 01:00 UTC: 02:00 to 03:00 is never shown
        ("23:00-02:30", "2027-03-28T00:59:00", "2027-03-28T01:00:00"),
        ("23:00-08:00", "2027-03-28T00:30:00", "2027-03-28T06:00:00"),
        # clocks back on 2026-10-25 at 01:00 UTC: 02:00 to 03:00 is shown twice
        ("23:00-02:30", "2026-10-25T00:10:00", "2026-10-25T00:30:00"),
        ("23:00-02:30", "2026-10-25T00:40:00", None),
        ("23:00-02:30", "2026-10-25T01:10:00", "2026-10-25T01:30:00"),
        ("23:00-02:30", "2026-10-25T01:40:00", None),
    ],
)
def test_when_quiet_hours_end(hours: str, instant: str, end: str | None) -> None:
    expected = None if end is None else datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert QuietHours.parse(hours).ends_after(datetime.fromisoformat(instant).replace(tzinfo=UTC), BERLIN) == expected


@given(LABELS, st.sampled_from(ZONES), st.times(), st.times())
def test_after_their_end_it_is_not_quiet(label: datetime, zone: ZoneInfo, start: object, end: object) -> None:
    text = f"{start:%H:%M}-{end:%H:%M}"
    if text[:5] == text[6:]:
        return
    quiet, instant = QuietHours.parse(text), label.replace(tzinfo=UTC)
    until = quiet.ends_after(instant, zone)
    if until is not None:
        assert instant < until < instant + timedelta(hours=26)
        assert quiet.ends_after(until, zone) is None


@pytest.mark.parametrize("text", ["", "23-8", "23:00-24:00", "9:00-10:00", "23:00–08:00", "08:00-08:00"])
def test_what_is_no_quiet_hours(text: str) -> None:
    with pytest.raises(ValueError, match=r"quiet hours"):
        QuietHours.parse(text)


def test_the_written_form_comes_back() -> None:
    assert str(QuietHours.parse("23:00-08:00")) == "23:00-08:00"


@given(LABELS, LABELS, st.sampled_from(ZONES))
def test_instants_never_fall_as_labels_rise(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    earlier, later = sorted((one, other))
    assert instant_of(earlier, zone) <= instant_of(later, zone)


@given(LABELS, st.sampled_from(ZONES))
def test_a_label_is_the_first_instant_that_shows_it_or_the_end_of_its_gap(label: datetime, zone: ZoneInfo) -> None:
    instant = instant_of(label, zone)
    if times_shown(label, zone) == 0:
        assert shown(instant, zone) > label
        assert shown(instant - timedelta(seconds=1), zone) < label
    else:
        assert shown(instant, zone) == label
        assert shown(instant - timedelta(hours=1), zone) != label
