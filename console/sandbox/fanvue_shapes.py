"""Fanvue's pages and instants, as its reference has them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from console.sandbox.rules import Call

Row = TypeVar("Row")


def page(call: Call, rows: list[Row], shown: Callable[[Row], object] = lambda row: row) -> object:
    number, size = call.whole("page", 1, 1), call.whole("size", 15, 1, 50)
    part = [shown(row) for row in rows[(number - 1) * size : number * size]]
    return {"data": part, "pagination": {"page": number, "size": len(part), "hasMore": number * size < len(rows)}}


def cursor(call: Call, rows: list[object]) -> object:
    """The cursor is where to go on; no page says what it looks like."""
    start, size = call.whole("cursor", 0, 0), call.whole("size", 20, 1, 50)
    more = start + size < len(rows)
    return {"data": rows[start : start + size], "nextCursor": str(start + size) if more else None}


def instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(at: float) -> str:
    return instant(int(at))
