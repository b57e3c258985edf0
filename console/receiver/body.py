"""The body of a webhook: its raw bytes, bounded in size and time, and the one JSON object that they may be."""

import asyncio
import json
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NoReturn

from starlette.requests import Request

from console.receiver.refusal import RefusedError

MOST_BYTES = 1024 * 1024
MOST_SECONDS = 10.0
"""For the whole of it, however slowly it comes."""

_DEEPEST = 50


def require_plain_json(request: Request) -> None:
    """As it is, that is: nothing is unpacked here. Raises RefusedError."""
    types = request.headers.getlist("content-type")
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
    if any(coding.strip().lower() != "identity" for coding in request.headers.getlist("content-encoding")):
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not taken")


async def read(request: Request) -> bytes:
    """Raises RefusedError, and ClientDisconnect."""
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:  # the server let none pass that is no number
        _refuse_large()
    raw = bytearray()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MOST_BYTES:
                    _refuse_large()
    except TimeoutError:
        raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly") from None
    return bytes(raw)


def parse(raw: bytes) -> dict[str, Any]:
    """A JSON object that all readers read alike. Raises RefusedError."""
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
        if isinstance(found, dict) and _depth(found) <= _DEEPEST:
            return found
    except (ValueError, RecursionError):
        pass
    raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not a JSON object in UTF-8, flat and with each key once")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _depth(value: Any) -> int:
    """Level by level, since what is deep is what may be sent to break this."""
    depth, level = 0, [value]
    while level:
        depth += 1
        held = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for several in held for one in several]
    return depth


def _refuse_large() -> NoReturn:
    raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MOST_BYTES} bytes")
