"""A campaign's schedule for one creator, its zone decided."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from carillon.campaigns.cron import canonical
from carillon.campaigns.shape import Schedule as ScheduleShape
from carillon.campaigns.times import DateRange, Moment
from carillon.clock import rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Schedule:
    """Exactly one of `cron` (lines for `cron.triggers`), `every` and `at` is given; dates in `off` are left out."""

    zone: ZoneInfo
    cron: tuple[str, ...] = ()
    every: timedelta | None = None
    at: Moment | None = None
    start: Moment | None = None
    end: Moment | None = None
    jitter: timedelta = timedelta()
    off: tuple[DateRange, ...] = ()

    @classmethod
    def of(cls, shape: ScheduleShape, zone: ZoneInfo, away: Iterable[DateRange]) -> "Schedule":
        return cls(
            zone=zone,
            cron=shape.cron,
            every=shape.every,
            at=shape.at,
            start=shape.start,
            end=shape.end,
            jitter=shape.jitter or timedelta(),
            off=(*shape.except_, *away),
        )

    @property
    def kind(self) -> Literal["cron", "every", "at"]:
        if self.cron:
            return "cron"
        return "every" if self.every else "at"

    @property
    def local(self) -> bool:
        """Whether occurrences are labelled by the wall clock; else by their instant in UTC."""
        return bool(self.cron) or (self.at is not None and self.at.local)

    @property
    def first(self) -> datetime:
        """What `every` counts from."""
        return self.start.instant(self.zone) if self.start else EPOCH

    def revision(self) -> str:
        """The same as long as the due times are."""
        dated = any(moment is not None and moment.local for moment in (self.start, self.end)) or self.off
        words = {
            "zone": self.zone.key if self.local or dated else None,
            "cron": sorted({canonical(line) for line in self.cron}),
            "every": self.every.total_seconds() if self.every else None,
            "at": str(self.at),
            "start": _bound(self.start),
            "end": _bound(self.end, last=True),
            "jitter": self.jitter.total_seconds(),
            "off": sorted(map(str, set(self.off))),
        }
        return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


def _bound(moment: Moment | None, last: bool = False) -> str | None:
    if moment is None:
        return None
    if not moment.local:
        return rfc3339(moment.value)
    day_end = last and moment.whole_day
    return (datetime.combine(moment.value, time(23, 59, 59)) if day_end else moment.value).isoformat()
