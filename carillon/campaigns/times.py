"""Dates and times as campaign files write them. Parsers raise ValueError with a sentence for a person."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from carillon.clock import rfc3339
from carillon.wall_clock import instant_of

DATE_FORM = r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME_FORM = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?"
MOMENT_FORM = rf"({DATE_FORM})(?:[T ]{_TIME_FORM}(Z|[-+][0-9]{{2}}:[0-9]{{2}})?)?"
_FIRST_YEAR, _LAST_YEAR = 1970, 2900


@dataclass(frozen=True)
class Moment:
    """What `at`, `start` and `end` hold: a local date, a local time (naive), or an instant (in UTC)."""

    value: datetime
    whole_day: bool = False

    @classmethod
    def parse(cls, text: str) -> "Moment":
        match = re.fullmatch(MOMENT_FORM, text)
        if match is None:
            raise ValueError(
                "a time is written 2026-12-31T23:59, with a Z or an offset such as +01:00 if it is not local"
            )
        day = parse_date(match[1])
        if match[2] is None:
            return cls(datetime.combine(day, time()), whole_day=True)
        local = datetime.combine(day, _time_of_day(match[2], match[3], match[4]))
        return cls(_with_offset(local, match[5]) if match[5] else local)

    @property
    def local(self) -> bool:
        return self.value.tzinfo is None

    def instant(self, zone: tzinfo) -> datetime:
        """When it is; a date begins at local midnight."""
        return instant_of(self.value, zone) if self.local else self.value

    def __str__(self) -> str:
        if not self.local:
            return rfc3339(self.value)
        return self.value.date().isoformat() if self.whole_day else written_label(self.value)


@dataclass(frozen=True, order=True)
class DateRange:
    """Local dates, both included."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> "DateRange":
        first, dots, last = text.partition("..")
        span = cls(parse_date(first), parse_date(last if dots else first))
        if span.last < span.first:
            raise ValueError(f"the range ends before it starts: {text}")
        return span

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}..{self.last}" if self.last != self.first else str(self.first)


def parse_date(text: str) -> date:
    """`2026-12-31`."""
    if not re.fullmatch(DATE_FORM, text):
        raise ValueError("a date is written 2026-12-31, a range of dates 2026-12-24..2026-12-26")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text} in the calendar") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"the year must be {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def written_label(local: datetime) -> str:
    """`2026-12-31T23:59`, seconds only if they are not 0."""
    return local.isoformat(timespec="seconds" if local.second else "minutes")


def _time_of_day(hours: str, minutes: str, seconds: str | None) -> time:
    try:
        return time(int(hours), int(minutes), int(seconds or 0))
    except ValueError:
        raise ValueError("a time of day is 00:00 to 23:59") from None


def _with_offset(local: datetime, offset: str) -> datetime:
    if offset == "Z":
        return local.replace(tzinfo=UTC)
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError("an offset is -14:00 to +14:00")
    shift = timedelta(hours=hours, minutes=minutes)
    return (local + shift if offset[0] == "-" else local - shift).replace(tzinfo=UTC)
