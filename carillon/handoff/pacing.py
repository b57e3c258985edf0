"""The rate that processes share, counted in Redis. It may be away, and then each process counts for itself."""

import time
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

import redis

from carillon import clock

if TYPE_CHECKING:
    from limits.storage import RedisStorage

_PATIENCE_SECONDS = 0.2
_AVOIDED_SECONDS = 5.0
_SOONEST = 0.01


class SharedWindows:
    """As `Windows` in `carillon/platforms/pacing.py`. Nothing is connected before the first request."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url, self._prefix = url, f"{namespace}:rate"
        self._kept: RedisStorage | None = None
        self._avoided_until = 0.0

    def take(self, name: str, count: int, seconds: float) -> float | None:
        return self._try(lambda: self._take(name, count, ceil(seconds)))

    def close(self, name: str, seconds: float) -> None:
        self._try(lambda: self._close(name, ceil(seconds * 1000)))

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

            pool = redis.ConnectionPool.from_url(
                self._url, retry=None, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS
            )
            self._kept = RedisStorage(self._url, pool, self._prefix)
        return self._kept

    def _try(self, ask: Callable[[], float]) -> float | None:
        if clock.ticks() < self._avoided_until:
            return None
        try:
            return ask()
        except redis.RedisError:
            self._avoided_until = clock.ticks() + _AVOIDED_SECONDS
            return None
