"""Durations and rates as campaign files write them. Parsers raise ValueError with a sentence."""

import re
from datetime import timedelta

from carillon.platforms.limits import Rate

DURATION_FORM = r"(0|[1-9][0-9]{0,8})([smhd])"
RATE_FORM = rf"([1-9][0-9]{{0,5}})/{DURATION_FORM}"
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = timedelta(days=3_660)


def parse_duration(text: str) -> timedelta:
    """`90s`, `5m`, `2h`, `7d`."""
    match = re.fullmatch(DURATION_FORM, text)
    if match is None:
        raise ValueError("a duration is a whole number and one of s, m, h, d, such as 90s, 5m, 2h or 7d")
    duration = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if duration > _LONGEST:
        raise ValueError("a duration is at most 3660d")
    return duration


def parse_rate(text: str) -> Rate:
    """`10/1h`."""
    if not re.fullmatch(RATE_FORM, text):
        raise ValueError("a limit is COUNT/DURATION with a count from 1, such as 10/1h")
    count, _, window = text.partition("/")
    seconds = int(parse_duration(window).total_seconds())
    if not seconds:
        raise ValueError("a limit's window is at least 1s")
    return Rate(int(count), seconds)


def written(duration: timedelta) -> str:
    """The shortest form that `parse_duration` reads; whole seconds."""
    seconds = int(duration.total_seconds())
    unit = next((unit for unit in "dhm" if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"
