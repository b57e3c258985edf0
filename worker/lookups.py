"""What platforms said about an account's lists and media, kept for a minute."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from carillon import clock

FRESH_SECONDS = 60

T = TypeVar("T")


class Lookups:
    """A small cache, safe among threads; a read that fails is not kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], read: Callable[[], T]) -> T:
        """The answer kept under `key`, or a new one. What `read` raises goes through."""
        with self._lock:
            kept = self._kept.get(key)
        if kept and clock.ticks() - kept[0] < FRESH_SECONDS:
            value: T = kept[1]
            return value
        value = read()
        with self._lock:
            self._forget_stale()
            self._kept[key] = (clock.ticks(), value)
        return value

    def _forget_stale(self) -> None:
        now = clock.ticks()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < FRESH_SECONDS}
