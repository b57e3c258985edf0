"""A stand-in that is told what to answer, call by call."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standins import Reply, Seen, StandIn

Said = Reply | dict[str, Any] | list[Any] | tuple[Reply, ...] | Callable[[Seen], Any]


def routed(routes: Mapping[str, Said], nothing: Reply | None = None) -> StandIn:
    """By `METHOD /path`, and then without its query. A tuple of replies is used up, but for its last."""
    used: dict[str, int] = {}
    missing = nothing or Reply(404, {"error": "There is no such route", "type": "ROUTE_NOT_FOUND"})

    def answer(seen: Seen) -> Reply:
        key = f"{seen.method} {seen.path}"
        key = key if key in routes else key.partition("?")[0]
        said = routes.get(key, missing)
        if isinstance(said, tuple):
            at = used[key] = used.get(key, -1) + 1
            said = said[min(at, len(said) - 1)]
        found = said(seen) if callable(said) else said
        return found if isinstance(found, Reply) else Reply(200, found)

    return StandIn(answer)


def asked(seen: Seen) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(seen.path).query).items()}


def calls(platform: StandIn) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in platform.seen]
