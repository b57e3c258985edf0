"""When a campaign is due: one kind of schedule, a zone, and times that come."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from carillon.campaigns import creators
from carillon.campaigns.catalogue import zone_of
from carillon.campaigns.creators import Creator
from carillon.campaigns.file import SourceFile
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.occurrences import occurrences
from carillon.campaigns.report import CampaignReport
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.shape import Schedule as ScheduleShape
from carillon.campaigns.times import written_label
from carillon.clock import rfc3339
from carillon.platforms.roster import PLATFORMS
from carillon.wall_clock import times_shown

_KINDS = ("cron", "every", "at")
_TICK = timedelta(microseconds=1)


def check_schedule(
    layers: Layers, creator: Creator | None, folder: Folder, now: datetime, report: CampaignReport
) -> None:
    """Without a creator, what is wrong in any zone."""
    if layers.missing("schedule"):
        report.campaign("`schedule` is missing")
    given, file = layers.find("schedule"), layers.campaign.file
    if given is None:
        return
    zone = None if creator is None else _zone(layers, given, creator, folder, report)
    forwards = _check_order(given.value, given.path, zone, creator, report)
    if _one_kind(given, file, report) and forwards and creator is not None and zone is not None:
        schedule = Schedule.of(given.value, zone, creator.away)
        _check_times(schedule, given, file, creator, now, report)


def check_keeper(layers: Layers, platform: str | None, report: CampaignReport) -> None:
    """Who keeps the time: Carillon, or the platform's own scheduler, where there is one."""
    given, lead = layers.find("scheduled_by"), layers.stands("lead")
    if given is not None and given.value == "platform":
        if platform is not None and PLATFORMS[platform].calendar is None:
            report.value(given.path, f"{platform} has no scheduler of its own: Carillon keeps the time there")
    elif lead is not None and lead[0] == "campaigns" and (given is not None or layers.stands("scheduled_by") is None):
        report.key(lead, "`lead` goes with `scheduled_by: platform` alone")


def _zone(layers: Layers, given: Given, creator: Creator, folder: Folder, report: CampaignReport) -> ZoneInfo | None:
    """None where there is none, which is told, or where it was wrong."""
    file = layers.campaign.file
    if given.value.timezone is None:
        of_creator = creator.timezone is None and creators.lost(folder.creators[creator.key], folder, "timezone")
        if of_creator or file.lost((*given.path, "timezone")):
            return None
    zone = zone_of(layers, creator)
    if zone is None and not file.lost(("defaults", "timezone")):
        words = "no time zone: give `timezone` to the schedule, to the creator or to `defaults`"
        report.campaign(words, creator.key)
    return None if zone is None else ZoneInfo(zone)


def _one_kind(given: Given, file: SourceFile, report: CampaignReport) -> bool:
    """Whether there is one, and its value is right."""
    shape: ScheduleShape = given.value
    broken = [key for key in _KINDS if (*given.path, key) in file.broken]
    kinds = [key for key in _KINDS if shape.given(key) or key in broken]
    if not kinds and not any(file.lost((*given.path, key)) for key in _KINDS):
        report.value(given.path, "`schedule` needs one of cron, every and at")
    for second in report.in_order([(*given.path, kind) for kind in kinds])[1:]:
        report.key(second, f"`{second[-1]}` is one too many: a schedule has exactly one of cron, every and at")
    return len(kinds) == 1 and not broken


def _check_order(
    shape: ScheduleShape, path: tuple[str, ...], zone: ZoneInfo | None, creator: Creator | None, report: CampaignReport
) -> bool:
    """Whether the end is not before the start, as far as it can be known."""
    if shape.start is None or shape.end is None or (zone is None and shape.start.local != shape.end.local):
        return True
    schedule = Schedule(zone or ZoneInfo("UTC"), start=shape.start, end=shape.end)
    end = _end(schedule)
    if end is None or end >= schedule.first:
        return True
    report.value((*path, "end"), "the end is before the start", creator.key if creator else None)
    return False


def _check_times(
    schedule: Schedule, given: Given, file: SourceFile, creator: Creator, now: datetime, report: CampaignReport
) -> None:
    if schedule.at is not None:
        _check_at(schedule, (*given.path, "at"), creator, now, report)
    if (schedule.start is None and schedule.end is None) or file.lost((*given.path, "start")):
        return
    start = schedule.start.instant(schedule.zone) if schedule.start else None
    end = _end(schedule)
    if end is not None and end < now:
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
