"""The platforms' general request rates, as token buckets that refill over a minute, and how often each was asked.

Fanvue, "Rate limits": 200 a minute for each creator, three X-RateLimit headers on every reply. FrontRow, API Reference:
60 reads and 30 writes a minute by key. OFAuth, "Rate Limiting": 60 a minute and connection with a burst of 90; of its
headers only X-RateLimit-Reset is named, its unit is taken as Fanvue's. OnlyFansAPI, "Rate Limits": 1,000 a minute on
the smallest plan, by key; its 429 is not documented and gets a Retry-After here, as elsewhere.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from console.sandbox.rules import Call, Refused
from console.sandbox.world import Account

_BY_KEY = ("frontrow", "onlyfansapi")


@dataclass(frozen=True)
class Rate:
    """`burst`: what a bucket holds, a minute's worth if not said; `writes` apart from reads, if said."""

    minute: int
    burst: int | None = None
    writes: int | None = None


DOCUMENTED = {
    "fanvue": Rate(200),
    "frontrow": Rate(60, writes=30),
    "ofauth": Rate(60, burst=90),
    "onlyfansapi": Rate(1_000),
}


@dataclass
class _Bucket:
    minute: int
    holds: int
    left: float
    at: float

    def take(self, now: float) -> bool:
        self.left = min(self.holds, self.left + max(0, now - self.at) * self.minute / 60)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def headers(self, platform: str) -> Mapping[str, str]:
        if platform == "onlyfansapi":
            names = {"x-rate-limit-limit-minute": self.minute, "x-rate-limit-remaining-minute": int(self.left)}
        elif platform == "frontrow":
            names = {}
        else:
            full = ceil(self.at + (self.holds - self.left) * 60 / self.minute)
            names = {
                "X-RateLimit-Limit": self.minute,
                "X-RateLimit-Remaining": int(self.left),
                "X-RateLimit-Reset": full,
            }
        return {name: str(value) for name, value in names.items()}

    def wait(self) -> int:
        return max(1, ceil((1 - self.left) * 60 / self.minute))


class Rates:
    """One for all platforms, under the sandbox's lock."""

    def __init__(self) -> None:
        self._rates: dict[str, Rate | None] = dict(DOCUMENTED)
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._asked: Counter[tuple[str, str, str]] = Counter()
        self._refused: Counter[tuple[str, str, str]] = Counter()

    def set(self, platform: str, rate: Rate | None) -> None:
        """None: no limit. Full buckets for all."""
        self._rates[platform] = rate
        self._buckets = {where: bucket for where, bucket in self._buckets.items() if where[0] != platform}

    def spend(self, account: Account, call: Call) -> Mapping[str, str]:
        """The headers to answer with. Raises Refused, status 429."""
        kind = "read" if call.method == "GET" else "write"
        self._asked[account.platform, account.id, kind] += 1
        rate = self._rates[account.platform]
        if rate is None:
            return {}
        bucket = self._bucket(account, rate, kind, call.arrived_at)
        if bucket.take(call.arrived_at):
            return bucket.headers(account.platform)
        self._refused[account.platform, account.id, kind] += 1
        headers = {"Retry-After": str(bucket.wait()), **bucket.headers(account.platform)}
        raise Refused("Too many requests", 429, "rate", headers)

    def _bucket(self, account: Account, rate: Rate, kind: str, now: float) -> _Bucket:
        who = account.key if account.platform in _BY_KEY else account.id
        where = (account.platform, who, kind if rate.writes else "")
        minute = rate.writes if rate.writes and kind == "write" else rate.minute
        holds = rate.burst or minute
        return self._buckets.setdefault(where, _Bucket(minute, holds, holds, now))

    def asked(self) -> list[dict[str, object]]:
        """How many calls each account made, and how many of them came too soon."""
        return [
            {"platform": where[0], "account": where[1], "kind": where[2], "calls": n, "refused": self._refused[where]}
            for where, n in self._asked.items()
        ]
