"""Random creators and campaigns for a simulation, and the file that declares them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

PLATFORMS = ("fanvue", "frontrow", "ofauth", "onlyfansapi")
_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
)
STARTS = (
    datetime(2026, 10, 22, tzinfo=UTC),  # Berlin, 25 October
    datetime(2026, 10, 29, 21, 13, tzinfo=UTC),  # New York, 1 November; Cairo, 30 October
    datetime(2026, 10, 1, 3, 7, tzinfo=UTC),  # Lord Howe, 4 October, by half an hour
    datetime(2027, 3, 11, 12, tzinfo=UTC),  # New York, 14 March
    datetime(2027, 3, 25, 18, 31, tzinfo=UTC),  # Berlin, 28 March
    datetime(2027, 4, 1, 9, tzinfo=UTC),  # Lord Howe and Santiago, 4 April
    datetime(2026, 9, 3, tzinfo=UTC),  # Santiago, 6 September, at midnight
)
"""Each a few days before clocks change somewhere."""


@dataclass(frozen=True)
class Creator:
    key: str
    platform: str
    zone: str
    quiet: tuple[time, time] | None
    limit: tuple[int, str, int]  # count, window as it is written, in seconds

    def is_quiet(self, instant: datetime) -> bool:
        if self.quiet is None:
            return False
        shown = instant.astimezone(ZoneInfo(self.zone)).time()
        start, end = self.quiet
        return start <= shown < end if start < end else shown >= start or shown < end

    def declared(self) -> dict[str, Any]:
        own: dict[str, Any] = {"platform": self.platform, "credentials": f"env:{self.key.upper()}_KEY"}
        own |= {"timezone": self.zone, "limit": f"{self.limit[0]}/{self.limit[1]}"}
        if self.quiet:
            own["quiet_hours"] = f"{self.quiet[0]:%H:%M}-{self.quiet[1]:%H:%M}"
        return own | ({"account": self.key} if self.platform in {"ofauth", "onlyfansapi"} else {})


@dataclass(frozen=True)
class Campaign:
    """`cron`, `every` (seconds) or `at` (a local label) is given. It ends with the local day `end`."""

    name: str
    creators: tuple[Creator, ...]
    end: date
    cron: tuple[str, ...] = ()
    every: int = 0
    start: datetime | None = None
    at: datetime | None = None
    off: date | None = None
    jitter: int = 0
    catch_up: str = "latest"
    expires: int = 7200
    overlap: str = "queue"
    priority: int = 0
    on_unknown: str = "hold"
    alike: bool = False

    def declared(self) -> dict[str, Any]:
        text = (
            "Hello, and good luck"
            if self.alike
            else "{{ campaign.name }}, {{ occurrence.local }}, {{ occurrence.number }}"
        )
        return {
            "creators": [creator.key for creator in self.creators],
            "lists": "fans",
            "text": text,
            "schedule": self._schedule(),
            "catch_up": self.catch_up,
            "expires_after": f"{self.expires}s",
            "overlap": self.overlap,
            "priority": self.priority,
            "on_unknown": self.on_unknown,
        }

    def _schedule(self) -> dict[str, Any]:
        if self.at:
            return {"at": f"{self.at:%Y-%m-%dT%H:%M}"}
        due: dict[str, Any] = {"cron": list(self.cron)} if self.cron else {"every": f"{self.every}s"}
        due["end"] = self.end.isoformat()
        if self.start:
            due["start"] = f"{self.start:%Y-%m-%dT%H:%M}"
        if self.off:
            due["except"] = [self.off.isoformat()]
        return due | ({"jitter": f"{self.jitter}s"} if self.jitter else {})


def file_of(creators: Sequence[Creator], campaigns: Sequence[Campaign]) -> str:
    """JSON is YAML."""
    lists = {name: {"include": ["fans" if name.startswith("o") else "subscribers"]} for name in PLATFORMS}
    return json.dumps(
        {
            "version": 1,
            "creators": {creator.key: creator.declared() for creator in creators},
            "audiences": {"fans": lists},
            "campaigns": {campaign.name: campaign.declared() for campaign in campaigns},
        }
    )


def random_creators(random: Random) -> list[Creator]:
    limits = ((10, "1h", 3600), (3, "1h", 3600), (2, "30m", 1800), (4, "2h", 7200), (1, "20m", 1200))
    names = ("luna", "mia", "zoe", "eve", "kim", "ava")[: random.randint(3, 6)]
    return [
        Creator(
            key=name,
            platform=PLATFORMS[number] if number < len(PLATFORMS) else random.choice(PLATFORMS),
            zone=random.choice(_ZONES),
            quiet=random.choice([None, None, (time(23), time(8)), (time(1, 30), time(2, 30)), (time(12), time(13, 7))]),
            limit=random.choice(limits),
        )
        for number, name in enumerate(names)
    ]


def random_campaigns(random: Random, creators: Sequence[Creator], start: datetime, days: int) -> list[Campaign]:
    return [_random_campaign(random, f"c{number}", creators, start, days) for number in range(random.randint(4, 7))]


def _random_campaign(random: Random, name: str, creators: Sequence[Creator], start: datetime, days: int) -> Campaign:
    end = (start + timedelta(days=days)).date()
    naive = start.replace(tzinfo=None)
    rules: dict[str, Any] = {
        "name": name,
        "creators": tuple(random.sample(creators, random.randint(1, min(4, len(creators))))),
        "end": end,
        "catch_up": random.choice(["latest", "all", "skip"]),
        "expires": random.choice([600, 3600, 7200, 21_600]),
        "overlap": random.choice(["queue", "queue", "skip"]),
        "priority": random.choice([0, 0, 0, 1, 5]),
        "on_unknown": random.choice(["hold", "hold", "hold", "resend"]),
        "alike": random.random() < 0.15,
    }
    kind = random.choice(["cron", "cron", "cron", "every", "every", "at"])
    if kind == "at":
        hours = random.uniform(-2, days * 24 - 26)
        at = (naive + timedelta(hours=hours)).replace(second=0, microsecond=0)
        return Campaign(at=at, **rules)
    rules["off"] = random.choice([None, None, (start + timedelta(days=random.randint(1, days))).date()])
    rules["jitter"] = random.choice([0, 0, 0, 300, 1200])
    if kind == "every":
        every = random.choice([3 * 3600, 5 * 3600, 7 * 3600 + 1800, 86_400])
        begun = random.choice([None, naive.replace(minute=30, second=0) + timedelta(hours=random.randint(0, 30))])
        return Campaign(every=every, start=begun, **rules)
    return Campaign(cron=_random_cron(random), **rules)


def _random_cron(random: Random) -> tuple[str, ...]:
    minute, hour = random.choice([0, 0, 17, 30, 59]), random.choice([0, 1, 2, 2, 2, 3, 9, 18, 20])
    return random.choice(
        [
            (f"{minute} {hour} * * *",),
            (f"{minute} */{random.choice([4, 6, 8])} * * *",),
            (f"*/30 {hour} * * *",),
            (f"0,15,45 {hour},{hour + 3} * * 1-5",),
            (f"{minute} {hour} 1-7 * 0", f"{minute} 12 * * *"),
            (f"{minute} {hour}-{hour + 2} * * 0,6", "30 2 * * *"),
            (f"0-20/5 {hour} */2 * *",),
        ]
    )
