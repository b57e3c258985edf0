"""A platform's general rate, kept for all requests but sends: those never wait, and a tenth of the rate stays free.

What counts is a moving window. Where a platform fills a bucket (`Rates.burst`), the window is as much longer as the
bucket is larger than what a minute refills, which keeps to it exactly. What an answer's headers tell goes before.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from hashlib import sha256
from math import ceil, inf
from typing import Protocol

from carillon import clock
from carillon.platforms.answers import Answer, retry_after
from carillon.platforms.contract import Account, Caller, Platform, Request
from carillon.platforms.errors import Unreachable

PATIENCE_SECONDS = 2.0
"""What a read before a broadcast may wait for its turn."""

FOR_READS = 0.9
"""How much of the rate is not kept free for sends."""

_MINUTE = 60.0
_LONGEST_CLOSED = 900.0
_UNIX = 1e9
_REMAINING = ("X-RateLimit-Remaining", "x-rate-limit-remaining-minute")
_RESET = ("X-RateLimit-Reset",)
_LIMIT = ("X-RateLimit-Limit", "x-rate-limit-limit-minute")


class Windows(Protocol):
    """Requests that were let go, by the name of who shares a rate."""

    def take(self, name: str, count: int, seconds: float) -> float | None:
        """0 if one more may go in this window, which is counted, else seconds until it may; None: cannot be told."""

    def close(self, name: str, seconds: float) -> None:
        """Nothing more goes for so long."""


def counted(now: float, closed: float, gone: Iterable[float], count: int, seconds: float) -> tuple[float, list[float]]:
    """How long to wait, and what counts from now on, if one more wants to go; nothing goes before `closed`."""
    recent = [at for at in gone if now - seconds < at <= now]
    wait = max(closed - now, recent[-count] + seconds - now if len(recent) >= count else 0.0, 0.0)
    return wait, recent if wait else [*recent, now]


class OwnWindows:
    """Those of this process alone."""

    def __init__(self) -> None:
        self._gone: dict[str, list[float]] = {}
        self._closed: dict[str, float] = {}
        self._lock = threading.Lock()
        self._swept = clock.ticks()

    def take(self, name: str, count: int, seconds: float) -> float:
        now = clock.ticks()
        with self._lock:
            self._sweep(now)
            closed = self._closed.get(name, 0.0)
            wait, self._gone[name] = counted(now, closed, self._gone.get(name, ()), count, seconds)
        return wait

    def close(self, name: str, seconds: float) -> None:
        with self._lock:
            self._closed[name] = max(self._closed.get(name, 0.0), clock.ticks() + seconds)

    def _sweep(self, now: float) -> None:
        """So that accounts which are asked no more take no room."""
        if now - self._swept < _MINUTE:
            return
        self._swept = now
        self._gone = {name: gone for name, gone in self._gone.items() if gone and now - gone[-1] < _LONGEST_CLOSED}
        self._closed = {name: until for name, until in self._closed.items() if until > now}


@dataclass(frozen=True)
class Bucket:
    """Who shares a rate, and how much of it there is."""

    name: str
    count: int
    seconds: float
    refills: bool  # it holds more than a minute brings, so a limit that the platform tells is not a minute's


class Pace:
    """What may be asked now, for all requests of a process; `shared` counts those of others too, where it can."""

    def __init__(self, shared: Windows | None = None) -> None:
        self._own, self._shared = OwnWindows(), shared
        self._told: dict[str, int] = {}

    def take(self, bucket: Bucket, part: float = 1.0) -> float:
        """0 if a request may go now, and is counted; else seconds after which to ask again.

        `part`: of what may be used, so much is for this request and those like it; the rest stays for others.
        """
        count = max(1, int(self._told.get(bucket.name, bucket.count) * FOR_READS * part))
        if self._shared and (wait := self._shared.take(bucket.name, count, bucket.seconds)) is not None:
            return wait
        return self._own.take(bucket.name, count, bucket.seconds)

    def heard(self, bucket: Bucket, headers: Mapping[str, str], *, throttled: bool = False) -> None:
        """Take in what an answer says of the rate. A 429 need not say more than when the rate is there again."""
        limit = _number(headers, _LIMIT)
        if limit and limit >= 1 and not bucket.refills:
            self._told[bucket.name] = int(limit)
        if _number(headers, _REMAINING) == 0 or (throttled and _number(headers, _RESET) is not None):
            seconds = min(_until_reset(headers), _LONGEST_CLOSED)
            self._own.close(bucket.name, seconds)
            if self._shared:
                self._shared.close(bucket.name, seconds)


class Paced:
    """A caller that waits for its turn, at most `patience` seconds for each request, and then raises Unreachable.

    It uses no more than `part` of the rate; `rest` says whether to wait no longer. `observe` sees every answer of the
    platform. What goes elsewhere (the signed address of an upload) is not counted.
    """

    def __init__(
        self,
        caller: Caller,
        pace: Pace,
        platform: Platform,
        account: Account,
        patience: float = PATIENCE_SECONDS,
        observe: Callable[[Answer], None] | None = None,
        rest: Callable[[float], object] = time.sleep,
        part: float = 1.0,
    ) -> None:
        self._caller, self._pace, self._platform, self._account = caller, pace, platform, account
        self._patience, self._observe, self._rest, self._part = patience, observe, rest, part

    def get(self, request: Request) -> Answer:
        bucket = self._turn(request, writes=False)
        return self._heard(bucket, self._caller.get(request))

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        bucket = self._turn(request, writes=True)
        return self._heard(bucket, self._caller.write(request, seconds))

    def _turn(self, request: Request, *, writes: bool) -> Bucket | None:
        if not request.url.startswith(f"{self._account.url}/"):
            return None
        bucket = bucket_of(self._platform, self._account, writes=writes)
        give_up = clock.ticks() + self._patience
        while (wait := self._pace.take(bucket, self._part)) > 0:
            if clock.ticks() + wait > give_up or self._rest(wait):
                raise Unreachable(f"the rate of {self._platform.name} is used up for {ceil(wait)} s")
        return bucket

    def _heard(self, bucket: Bucket | None, answer: Answer) -> Answer:
        if bucket:
            self._pace.heard(bucket, answer.headers, throttled=answer.status == 429)
            if self._observe:
                self._observe(answer)
        return answer


def bucket_of(platform: Platform, account: Account, *, writes: bool) -> Bucket:
    """Named without telling the key."""
    rates = platform.rates
    apart = writes and rates.writes is not None
    asked = rates.writes if apart and rates.writes is not None else rates.reads
    count = asked if apart else rates.burst or asked
    who = account.id if rates.by == "account" and account.id is not None else account.secret
    digest = sha256(f"{platform.name}\n{account.url}\n{who}".encode()).hexdigest()
    return Bucket(f"{digest[:32]}:{'writes' if apart else 'all'}", count, _MINUTE * count / asked, count > asked)


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    """A header that comes twice is told as `1, 1`; what is no number tells nothing."""
    for name in names:
        value = headers.get(name, "").partition(",")[0].strip()
        if value.replace(".", "", 1).isdecimal() and value.isascii():
            return float(value)
    return None


def _until_reset(headers: Mapping[str, str]) -> float:
    """Seconds. Fanvue, "Rate limits": unix seconds; OFAuth names the header without its unit, so small is from now."""
    asked = retry_after(headers)
    if asked is not None:
        return asked
    reset = _number(headers, _RESET)
    if reset is None or reset == inf:
        return _MINUTE
    if reset < _UNIX:
        return reset
    reset = reset / 1000 if reset > 1000 * _UNIX else reset
    return max(0.0, reset - _platform_time(headers))


def _platform_time(headers: Mapping[str, str]) -> float:
    try:
        told = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return clock.now().timestamp()
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
