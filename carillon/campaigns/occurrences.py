"""From schedules to due times. APScheduler's triggers count; here labels become instants, and dates off fall out.

Cron counts naive wall-clock labels, so a trigger never sees a change of the clocks. `every` counts elapsed time.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from heapq import merge

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from carillon.campaigns.cron import triggers
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.times import Moment, written_label
from carillon.clock import rfc3339
from carillon.wall_clock import instant_of, shown

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One due time. `instant` is without jitter, `due` with it; `local` is what the wall clock shows, naive."""

    label: str
    instant: datetime
    due: datetime
    local: datetime

    @property
    def day(self) -> date:
        return self.local.date()


def occurrences(schedule: Schedule, seed: str, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """Those with after < instant <= until, in order. `seed` names campaign and creator, for the jitter."""
    for label, instant, local in _times(schedule, after, until):
        if instant > until:
            return
        if instant > after and _counts(schedule, instant, local):
            yield Occurrence(label, instant, instant + _jitter(schedule.jitter, f"{seed} {label}"), local)


def _times(schedule: Schedule, after: datetime, until: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    if schedule.cron:
        return _cron_times(schedule, after)
    if schedule.every is not None:
        return _every_times(schedule, after, until)
    return _at_time(schedule)


def _cron_times(schedule: Schedule, after: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    # Instants never fall as labels rise, so no label up to the one shown now can still be due.
    start = shown(after, schedule.zone)
    if schedule.start is not None:
        start = max(start, shown(schedule.start.instant(schedule.zone), schedule.zone) - timedelta(days=1))
    lines = [_fires(trigger, start) for line in schedule.cron for trigger in triggers(line)]
    before = None
    for label in merge(*lines) if len(lines) > 1 else lines[0]:
        if label != before:
            before = label
            yield f"{written_label(label)} {schedule.zone.key}", instant_of(label, schedule.zone), label


def _fires(trigger: BaseTrigger, after: datetime) -> Iterator[datetime]:
    dressed = (after + _TICK).replace(tzinfo=UTC)
    fire = trigger.get_next_fire_time(None, dressed)
    while fire is not None:
        yield fire.replace(tzinfo=None)
        fire = trigger.get_next_fire_time(fire, fire)


def _every_times(schedule: Schedule, after: datetime, until: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    assert schedule.every is not None
    trigger = IntervalTrigger(
        seconds=int(schedule.every.total_seconds()), start_date=schedule.first, end_date=until, timezone=UTC
    )
    for label in _fires(trigger, after.astimezone(UTC).replace(tzinfo=None)):
        instant = label.replace(tzinfo=UTC)
        yield rfc3339(instant), instant, shown(instant, schedule.zone)


def _at_time(schedule: Schedule) -> Iterator[tuple[str, datetime, datetime]]:
    assert schedule.at is not None
    instant = schedule.at.instant(schedule.zone)
    if not schedule.at.local:
        yield rfc3339(instant), instant, shown(instant, schedule.zone)
        return
    label = schedule.at.value
    yield f"{written_label(label)} {schedule.zone.key}", instant, label


def _counts(schedule: Schedule, instant: datetime, local: datetime) -> bool:
    if schedule.start is not None and _compare(schedule.start, instant, local) > timedelta():
        return False
    if schedule.end is not None and _compare(schedule.end, instant, local) < -_rest_of_day(schedule.end):
        return False
    return not any(span.holds(local.date()) for span in schedule.off)


def _compare(bound: Moment, instant: datetime, local: datetime) -> timedelta:
    """How far the bound lies ahead, by the wall clock if the bound is local."""
    return bound.value - (local if bound.local else instant)


def _rest_of_day(bound: Moment) -> timedelta:
    return timedelta(days=1) - _TICK if bound.whole_day else timedelta()


def _jitter(longest: timedelta, seed: str) -> timedelta:
    """0 to `longest`, in whole milliseconds, the same in every process."""
    if not longest:
        return longest
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    return timedelta(milliseconds=number % (int(longest.total_seconds() * 1000) + 1))
