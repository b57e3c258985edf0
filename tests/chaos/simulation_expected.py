"""What should fall due by a simulation's schedules: by brute force, minute by minute, with nothing of the product's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo

from chaos.simulation_schedules import Campaign, Creator

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Expected:
    """One occurrence that has to be accounted for; it is due from `instant`, at the latest `jitter` seconds later."""

    campaign: Campaign
    creator: Creator
    label: str
    instant: datetime

    @property
    def latest(self) -> datetime:
        return self.instant + timedelta(seconds=self.campaign.jitter)


@dataclass(frozen=True)
class WallClock:
    """What a clock on the wall of a zone shows, minute by minute; the first time counts, and in a gap its end."""

    zone: str
    first: datetime
    last: datetime

    @cached_property
    def shows(self) -> dict[datetime, datetime]:
        shown: dict[datetime, datetime] = {}
        zone = ZoneInfo(self.zone)
        for instant in self.instants():
            shown.setdefault(instant.astimezone(zone).replace(tzinfo=None, fold=0), instant)
        return shown

    def instants(self) -> Iterator[datetime]:
        instant = self.first
        while instant <= self.last:
            yield instant
            instant += _MINUTE

    def labels(self) -> Iterator[tuple[datetime, datetime]]:
        """Every minute that can be written for those days, shown or not, and when it is."""
        label, last = min(self.shows), max(self.shows)
        while label <= last:
            later = label
            while later not in self.shows:
                later += _MINUTE
            yield label, self.shows[later]
            label += _MINUTE

    def instant(self, label: datetime) -> datetime:
        while label not in self.shows:
            label += _MINUTE
        return self.shows[label]


@lru_cache(maxsize=32)
def _wall_clock(zone: str, first: datetime, last: datetime) -> WallClock:
    return WallClock(zone, first, last)


def expected(campaigns: Sequence[Campaign], since: datetime, until: datetime) -> list[Expected]:
    """All that falls due after `since`, when the file was first loaded, and whatever `at` it names."""
    found = []
    for campaign in campaigns:
        for creator in campaign.creators:
            clock = _wall_clock(creator.zone, since - timedelta(days=2), until + timedelta(days=2))
            for label, instant in _due(campaign, clock):
                if campaign.at or since < instant:
                    found.append(Expected(campaign, creator, label, instant))
    return sorted(found, key=lambda one: (one.instant, one.campaign.name, one.creator.key))


def _due(campaign: Campaign, clock: WallClock) -> Iterator[tuple[str, datetime]]:
    zone = ZoneInfo(clock.zone)
    if campaign.at:
        yield _written(campaign.at, clock), clock.instant(campaign.at)
    elif campaign.cron:
        for label, instant in clock.labels():
            if any(_fires(line, label) for line in campaign.cron) and _counts(campaign, label):
                yield _written(label, clock), instant
    else:
        first = clock.instant(campaign.start) if campaign.start else datetime(1970, 1, 1, tzinfo=UTC)
        for instant in clock.instants():
            behind = (instant - first).total_seconds()
            if behind < 0 or behind % campaign.every:
                continue
            if _counts(campaign, instant.astimezone(zone).replace(tzinfo=None)):
                yield f"{instant:%Y-%m-%dT%H:%M:%SZ}", instant


def _written(label: datetime, clock: WallClock) -> str:
    return f"{label:%Y-%m-%dT%H:%M} {clock.zone}"


def _counts(campaign: Campaign, local: datetime) -> bool:
    begun = campaign.start is None or local >= campaign.start
    return begun and local.date() <= campaign.end and local.date() != campaign.off


def _fires(line: str, label: datetime) -> bool:
    minute, hour, day, month, weekday = _fields(line)
    if not (_holds(minute, label.minute) and _holds(hour, label.hour) and _holds(month, label.month, first=1)):
        return False
    days = (
        _holds(day, label.day, first=1),
        _holds(weekday, label.isoweekday() % 7) or _holds(weekday, label.isoweekday()),
    )
    either = not day.startswith("*") and not weekday.startswith("*")
    return any(days) if either else all(days)


@cache
def _fields(line: str) -> list[str]:
    return line.split()


@cache
def _holds(field: str, number: int, first: int = 0) -> bool:
    """`first` is the lowest that the field knows: steps of `*` count from it."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        begin, end = (first, 99) if low == "*" else (int(low), int(high or low))
        if begin <= number <= end and (number - begin) % int(step or 1) == 0:
            return True
    return False
