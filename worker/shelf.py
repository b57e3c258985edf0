"""Where workers lay what platforms told them, for each other: Redis. It may be away, and then everybody asks anew."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import redis

from carillon.handoff.avoiding import Avoiding, pool
from carillon.platforms.contract import AudienceList


class Shelf:
    """Keys are digests, since they are made of accounts' keys; values are lists of an account, or a medium's state."""

    def __init__(self, url: str, namespace: str) -> None:
        self._client = redis.Redis.from_pool(pool(url))
        self._prefix = f"{namespace}:told:"
        self._avoiding = Avoiding()

    def get(self, key: Sequence[str | None]) -> tuple[float, Any] | None:
        """(seconds for which it is fresh, value), or None."""
        found: tuple[float, Any] | None = self._try(lambda: self._with_time_left(self._name(key)))
        return found

    def _with_time_left(self, name: str) -> tuple[float, Any] | None:
        with self._client.pipeline() as pipe:
            pipe.pttl(name)
            pipe.get(name)
            milliseconds, text = pipe.execute()
        return (milliseconds / 1000, _read(text)) if text is not None and milliseconds > 0 else None

    def put(self, key: Sequence[str | None], value: Any, seconds: float) -> None:
        if seconds > 0:
            self._try(lambda: self._client.set(self._name(key), _written(value), px=int(seconds * 1000) + 1))

    def remove(self, key: Sequence[str | None]) -> None:
        self._try(lambda: self._client.delete(self._name(key)))

    def _name(self, key: Sequence[str | None]) -> str:
        return self._prefix + sha256(json.dumps(list(key)).encode()).hexdigest()

    def _try(self, ask: Callable[[], Any]) -> Any:
        try:
            return self._avoiding.ask(ask)
        except (ValueError, TypeError, KeyError):  # laid there by another release
            return None


def _written(value: Any) -> str:
    lists = value is not None and not isinstance(value, str)
    return json.dumps({"lists": [asdict(known) for known in value]} if lists else {"state": value})


def _read(text: bytes) -> Any:
    told = json.loads(text)
    return tuple(AudienceList(**known) for known in told["lists"]) if "lists" in told else told["state"]
