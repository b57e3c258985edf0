"""What platforms said about an account's lists and media, kept for a minute."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from carillon import clock

FRESH_SECONDS = 60.0

T = TypeVar("T")


class Lookups:
    """A small cache, safe among threads; a read that fails is not kept."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._swept = clock.ticks()

    def get(self, key: Hashable, read: Callable[[], T], fresh_seconds: float = FRESH_SECONDS) -> T:
        """The answer kept under `key`, if it is fresh, or a new one. What `read` raises goes through."""
        with self._lock:
            kept = self._kept.get(key)
        if kept and clock.ticks() - kept[0] < fresh_seconds:
            known: T = kept[1]
            return known
        begun, value = clock.ticks(), read()
        with self._lock:
            self._forget_stale()
            self._kept[key] = (begun, value)
        return value

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def _forget_stale(self) -> None:
        now = clock.ticks()
        if now - self._swept < FRESH_SECONDS:
            return
        self._swept = now
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < FRESH_SECONDS}
