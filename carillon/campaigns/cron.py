"""Unix cron lines, turned into what APScheduler 3 means by them.

Unix: Sunday is 0 and 7, and if both day fields are restricted (neither begins with `*`) one of them is enough.
APScheduler counts weekdays from Monday and wants both. So each line is read here in full, and handed over as
plain numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from itertools import pairwise

from apscheduler.triggers.cron import CronTrigger

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SHORTHAND = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PART = re.compile(r"(?P<first>\*|[0-9A-Za-z]+)(?:-(?P<last>[0-9A-Za-z]+))?(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Mapping[str, int] = field(default_factory=dict)

    def number(self, word: str) -> int:
        value = self.names.get(word.upper(), int(word) if word.isdigit() and len(word) <= 3 else None)
        if value is None:
            known = f" or one of {', '.join(self.names)}" if self.names else ""
            raise ValueError(f"`{word}` is no {self.name}: a number{known} is wanted")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"`{word}` is no {self.name}: it is {self.lowest} to {self.highest}")
        return value

    def read(self, text: str) -> frozenset[int]:
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, text: str) -> range:
        match = _PART.fullmatch(text)
        if match is None:
            raise ValueError(f"`{text}` is not understood as {self.name}: Unix cron has *, a-b, a,b and /step")
        first, last = self._bounds(match["first"], match["last"], text)
        if match["step"] is None:
            return range(first, last + 1)
        if match["first"] != "*" and match["last"] is None:
            raise ValueError(f"a step needs * or a range: write {first}-{self.highest}/{match['step']}")
        step = int(match["step"][:6])
        if not 1 <= step <= self.highest - self.lowest:
            raise ValueError(f"the step of `{text}` must be 1 to {self.highest - self.lowest}")
        return range(first, last + 1, step)

    def _bounds(self, first: str, last: str | None, text: str) -> tuple[int, int]:
        if first == "*":
            if last is not None:
                raise ValueError(f"`{text}` is not understood as {self.name}")
            return self.lowest, self.highest
        low = self.number(first)
        high = self.number(last) if last is not None else low
        if high < low:
            raise ValueError(f"`{text}` runs backwards; write the {self.name}s one by one, with commas")
        return low, high


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("weekday", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


@dataclass(frozen=True)
class CronLine:
    """One line, read. `weekdays` count from Monday as 0; `either_day`: one of both day fields is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def canonical(self) -> str:
        """The same for all spellings of the same times."""
        parts = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(_numbers(part) for part in parts) + (" or" if self.either_day else "")


@lru_cache(maxsize=16_384)
def parse_cron(text: str) -> CronLine:
    """Raises ValueError with a sentence for a person, also for a line that can never fire."""
    words = text.split()
    if text.strip() in _SHORTHAND:
        raise ValueError(f"`{text.strip()}` is not a cron line: write {_SHORTHAND[text.strip()]}")
    if len(words) != len(_FIELDS):
        raise ValueError(f"a cron line has five fields (minute, hour, day, month, weekday), and this has {len(words)}")
    minutes, hours, days, months, weekdays = (f.read(w) for f, w in zip(_FIELDS, words, strict=True))
    either = not (words[2].startswith("*") or words[4].startswith("*"))
    monday_first = frozenset((day - 1) % 7 for day in weekdays)
    line = CronLine(minutes, hours, days, months, monday_first, either)
    if not either and min(days) > max(_LONGEST_MONTHS[month - 1] for month in months):
        raise ValueError("this can never fire: no such month has that day")
    return line


@lru_cache(maxsize=16_384)
def canonical(text: str) -> str:
    """Of a line, the same for all spellings of the same times."""
    return parse_cron(text).canonical()


@lru_cache(maxsize=16_384)
def triggers(text: str) -> tuple[CronTrigger, ...]:
    """APScheduler's triggers for a line; their times are naive labels dressed as UTC."""
    line = parse_cron(text)
    days, weekdays = _field(line.days, 31), _field(line.weekdays, 7)
    if not line.either_day:
        return (_trigger(line, days, weekdays),)
    return _trigger(line, days, "*"), _trigger(line, "*", weekdays)


def _trigger(line: CronLine, days: str, weekdays: str) -> CronTrigger:
    return CronTrigger(
        minute=_field(line.minutes, 60),
        hour=_field(line.hours, 24),
        day=days,
        month=_field(line.months, 12),
        day_of_week=weekdays,
        second="0",
        timezone=UTC,
    )


def _field(numbers: frozenset[int], size: int) -> str:
    return "*" if len(numbers) == size else _numbers(numbers)


def _numbers(numbers: frozenset[int]) -> str:
    ordered = sorted(numbers)
    steps = {after - before for before, after in pairwise(ordered)}
    if len(ordered) > 2 and len(steps) == 1:
        return f"{ordered[0]}-{ordered[-1]}/{steps.pop()}"
    return ",".join(map(str, ordered))
