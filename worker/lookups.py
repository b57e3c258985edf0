"""What platforms said about an account's lists and media, kept for a minute, and shared among workers through Redis.

Whoever asked shortly before a broadcast is due need not be the process that sends it.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from carillon import clock
from worker.shelf import Shelf

FRESH_SECONDS = 60.0

T = TypeVar("T")

Key = tuple[str | None, ...]


class Lookups:
    """A small cache, safe among threads; a read that fails is not kept. Where processes share it, by `shelf`."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._kept: dict[Key, tuple[float, Any]] = {}
        self._shelf = shelf
        self._lock = threading.Lock()
        self._swept = clock.ticks()

    def get(self, key: Key, read: Callable[[], T], fresh_seconds: float = FRESH_SECONDS) -> T:
        """The answer kept under `key`, if it is fresh, or a new one. What `read` raises goes through."""
        found = self._find(key, fresh_seconds)
        if found:
            known: T = found[1]
            return known
        begun, value = clock.ticks(), read()
        self._keep(key, begun, value)
        if self._shelf:
            self._shelf.put(key, value, FRESH_SECONDS - (clock.ticks() - begun))
        return value

    def forget(self, key: Key) -> None:
        with self._lock:
            self._kept.pop(key, None)
        if self._shelf:
            self._shelf.remove(key)

    def _find(self, key: Key, fresh_seconds: float) -> tuple[float, Any] | None:
        with self._lock:
            kept = self._kept.get(key)
        if kept and clock.ticks() - kept[0] < fresh_seconds:
            return kept
        if not self._shelf or not fresh_seconds:
            return None
        found = self._shelf.get(key)
        if found is None:
            return None
        seconds_left, value = found
        return self._keep(key, clock.ticks() - (FRESH_SECONDS - seconds_left), value)

    def _keep(self, key: Key, begun: float, value: Any) -> tuple[float, Any]:
        with self._lock:
            self._forget_stale()
            self._kept[key] = (begun, value)
        return begun, value

    def _forget_stale(self) -> None:
        now = clock.ticks()
        if now - self._swept < FRESH_SECONDS:
            return
        self._swept = now
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < FRESH_SECONDS}
