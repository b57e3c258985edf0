"""Questions to a Redis that may be away: asked with little patience, and after a failure not at all for a while."""

from collections.abc import Callable
from typing import TypeVar

import redis

from carillon import clock

T = TypeVar("T")

_PATIENCE_SECONDS = 0.2
"""A broadcast that is due does not wait for a queue that hangs."""

_AVOIDED_SECONDS = 5.0


def pool(url: str) -> redis.ConnectionPool:
    """Connections that give up soon."""
    return redis.ConnectionPool.from_url(
        url, retry=None, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS
    )


class Avoiding:
    """Remembers that Redis was away."""

    def __init__(self) -> None:
        self._until = 0.0

    def ask(self, question: Callable[[], T]) -> T | None:
        """None while Redis is away."""
        if clock.ticks() < self._until:
            return None
        try:
            return question()
        except redis.RedisError:
            self._until = clock.ticks() + _AVOIDED_SECONDS
            return None
