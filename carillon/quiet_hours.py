"""Hours of a creator's day in which nothing is sent. The end is excluded; they may cross midnight."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from carillon.wall_clock import instant_of, shown, times_shown

TEXT_FORM = r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)"


@dataclass(frozen=True)
class QuietHours:
    """Quiet is what her clock shows: the second 02:30 of an autumn night is as quiet as the first."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Read `23:00-08:00`. Raises ValueError with a sentence for a person."""
        match = re.fullmatch(TEXT_FORM, text)
        if match is None:
            raise ValueError('quiet hours are "HH:MM-HH:MM", such as "23:00-08:00"')
        hours, minutes, end_hours, end_minutes = (int(part) for part in match.groups())
        start, end = time(hours, minutes), time(end_hours, end_minutes)
        if start == end:
            raise ValueError("quiet hours start and end at the same minute: leave the key out, or change one of them")
        return cls(start, end)

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def ends_after(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours that hold `instant` end, in UTC; None if it is not quiet then."""
        clock = shown(instant, zone)
        if not self._holds(clock.time()):
            return None
        return next(end for end in self._ends(clock, zone) if end > instant)

    def _holds(self, clock: time) -> bool:
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def _ends(self, clock: datetime, zone: ZoneInfo) -> list[datetime]:
        ends = []
        for days in (-1, 0, 1, 2):
            label = datetime.combine(clock.date() + timedelta(days=days), self.end)
            first = instant_of(label, zone)
            ends.append(first)
            if times_shown(label, zone) == 2:
                ends.append(_second_instant(label, zone, first))
        return sorted(ends)


def _second_instant(label: datetime, zone: ZoneInfo, first: datetime) -> datetime:
    return label.replace(tzinfo=zone, fold=1).astimezone(first.tzinfo)
