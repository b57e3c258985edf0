"""How results and errors look: tables on a terminal, plain lines elsewhere, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {
    "sent": "green",
    "ready": "green",
    "failed": "red",
    "held": "red bold",
    "unknown": "red",
    "stopped": "red bold",
    "expired": "yellow",
    "skipped": "yellow",
    "cancelled": "dim",
    "disabled": "dim",
    "paused": "yellow",
}


def as_json(value: object, *, indent: int | None = 2) -> None:
    """On stdout; what stdout cannot show is escaped."""
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    print(json.dumps(value, ensure_ascii=plain, indent=indent, default=str), flush=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table with heads on a terminal; elsewhere a line for each row, its cells parted by tabs."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_cell(value) for value in row))
        return
    drawn = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for head in heads:
        drawn.add_column(head, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_cell(value), style=_STYLES.get(_cell(value), "")) for value in row))
    Console().print(drawn)


def line(words: str) -> None:
    """One result on stdout, on one line."""
    print(_clean(words), flush=True)


def complain(words: str) -> None:
    """One error on stderr, on one line."""
    print(f"carillon: {_clean(words)}", file=sys.stderr, flush=True)


def note(words: str) -> None:
    """On stderr, on one line: not wrong, and no result either."""
    print(_clean(words), file=sys.stderr, flush=True)


def complain_of_file(words: str) -> None:
    """As `complain`, for what begins with the place in a file, which editors find only at a line's beginning."""
    print(_clean(words), file=sys.stderr, flush=True)


def dollars(cents: int) -> str:
    """Exactly."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}${whole}.{part:02}"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_clean(str(part)) for part in value) or "-"
    return _clean(str(value))


def _clean(words: str) -> str:
    """Without line breaks and whatever else could move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
