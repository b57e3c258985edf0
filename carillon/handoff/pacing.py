"""The rate that processes share, counted in Redis. It may be away, and then each process counts for itself."""

import time
from math import ceil
from typing import TYPE_CHECKING

import redis

from carillon.handoff.avoiding import Avoiding, pool

if TYPE_CHECKING:
    from limits.storage import RedisStorage

_SOONEST = 0.01


class SharedWindows:
    """As `Windows` in `carillon/platforms/pacing.py`. Nothing is connected before the first request."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url, self._prefix = url, f"{namespace}:rate"
        self._kept: RedisStorage | None = None
        self._avoiding = Avoiding()

    def take(self, name: str, count: int, seconds: float) -> float | None:
        return self._avoiding.ask(lambda: self._take(name, count, ceil(seconds)))

    def close(self, name: str, seconds: float) -> None:
        self._avoiding.ask(lambda: self._close(name, ceil(seconds * 1000)))

    def _take(self, name: str, count: int, seconds: int) -> float:
        closed: int = self._client.pttl(self._closed(name))
        if closed > 0:
            return closed / 1000
        if self._storage.acquire_entry(name, count, seconds):
            return 0.0
        oldest, _ = self._storage.get_moving_window(name, count, seconds)
        return max(_SOONEST, oldest + seconds - time.time())

    def _close(self, name: str, milliseconds: int) -> float:
        self._client.set(self._closed(name), 1, px=max(1, milliseconds))
        return milliseconds / 1000

    def _closed(self, name: str) -> str:
        return f"{self._prefix}:{name}:closed"

    @property
    def _client(self) -> redis.Redis:
        client = self._storage.storage
        assert isinstance(client, redis.Redis)
        return client

    @property
    def _storage(self) -> "RedisStorage":
        if self._kept is None:
            from limits.storage import RedisStorage  # for those who ask platforms alone

            self._kept = RedisStorage(self._url, pool(self._url), self._prefix)
        return self._kept
