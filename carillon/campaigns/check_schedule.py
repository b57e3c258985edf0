"""When a campaign is due: one kind of schedule, a zone, and times that come."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from carillon.campaigns.catalogue import zone_of
from carillon.campaigns.creators import Creator
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.occurrences import occurrences
from carillon.campaigns.report import CampaignReport
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.shape import Schedule as ScheduleShape
from carillon.campaigns.times import written_label
from carillon.clock import rfc3339
from carillon.wall_clock import times_shown

_KINDS = ("cron", "every", "at")
_TICK = timedelta(microseconds=1)


def check_schedule(layers: Layers, creator: Creator, now: datetime, report: CampaignReport) -> bool:
    """Whether the campaign can be resolved for this creator."""
    given = layers.find("schedule")
    if given is None:
        report.campaign("`schedule` is missing")
        return False
    zone = zone_of(layers, creator)
    if zone is None:
        words = "no time zone: give `timezone` to the schedule, to the creator or to `defaults`"
        report.campaign(words, creator.key)
    if not _one_kind(given, report) or zone is None:
        return False
    schedule = Schedule.of(given.value, ZoneInfo(zone), creator.away)
    _check_times(schedule, given, creator, now, report)
    return True


def _one_kind(given: Given, report: CampaignReport) -> bool:
    shape: ScheduleShape = given.value
    kinds = [key for key in _KINDS if shape.given(key)]
    if not kinds:
        report.value(given.path, "`schedule` needs one of cron, every and at")
    for second in report.in_order([(*given.path, kind) for kind in kinds])[1:]:
        report.key(second, f"`{second[-1]}` is one too many: a schedule has exactly one of cron, every and at")
    return len(kinds) == 1


def _check_times(schedule: Schedule, given: Given, creator: Creator, now: datetime, report: CampaignReport) -> None:
    if schedule.at is not None:
        _check_at(schedule, (*given.path, "at"), creator, now, report)
    if schedule.start is None and schedule.end is None:
        return
    start = schedule.start.instant(schedule.zone) if schedule.start else None
    end = _end(schedule)
    if start is not None and end is not None and end < start:
        report.value((*given.path, "end"), "the end is before the start", creator.key)
    elif end is not None and end < now:
        report.warn((*given.path, "end"), f"this was over at {rfc3339(end)}: nothing is due any more", creator.key)
    elif not _ever_due(schedule, start or now, end or now):
        kind = next(key for key in _KINDS if given.value.given(key))
        words = "this is never due between its start and its end" if start else "this is never due before its end"
        report.value((*given.path, kind), words, creator.key)


def _end(schedule: Schedule) -> datetime | None:
    if schedule.end is None:
        return None
    last = schedule.end.instant(schedule.zone)
    return last + timedelta(days=1) - _TICK if schedule.end.whole_day else last


def _ever_due(schedule: Schedule, start: datetime, end: datetime) -> bool:
    if schedule.end is None:
        return True
    return next(occurrences(schedule, "", start - _TICK, end), None) is not None


def _check_at(
    schedule: Schedule, path: tuple[str, ...], creator: Creator, now: datetime, report: CampaignReport
) -> None:
    assert schedule.at is not None
    instant = schedule.at.instant(schedule.zone)
    if next(occurrences(schedule, "", instant - _TICK, instant), None) is None:
        report.value(path, "this falls on a day, or outside of a start and end, that rules it out", creator.key)
    if instant < now:
        report.warn(path, f"{rfc3339(instant)} is past: it goes at once, or not at all if it has expired", creator.key)
    if schedule.at.local and times_shown(schedule.at.value, schedule.zone) != 1:
        label = f"{written_label(schedule.at.value)} {schedule.zone.key}"
        report.warn(path, f"the clocks change: {label} is taken as {rfc3339(instant)}", creator.key)
