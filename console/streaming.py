"""Results that may be many, written as they come: plain lines, JSON or CSV. What fails at once prints nothing."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from carillon import clock
from console.options import WrongCommandError
from console.printing import table

Row = Sequence[Any]


def stream(heads: Sequence[str], rows: Iterable[Row], *, as_json: bool, csv_path: str | None) -> None:
    """`csv_path` is a file, which is replaced once all is there, or `-` for stdout."""
    if as_json and csv_path is not None:
        raise WrongCommandError("give one of --json and --csv")
    ready = _begun(map(_plain, rows))
    if csv_path is not None:
        with _opened(csv_path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(heads)
            writer.writerows([inert(value) for value in row] for row in ready)
    elif as_json:
        _write_json(heads, ready)
    else:
        _write_lines(heads, ready)


def inert(value: Any) -> Any:
    """For CSV: no text begins as a formula does, which a spreadsheet would run; fans choose their names themselves."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _begun(rows: Iterator[Row]) -> Iterator[Row]:
    """The same, with the first one there already: an error of the first request comes before any output."""
    first = next(rows, None)
    return iter(()) if first is None else chain([first], rows)


def _plain(row: Row) -> Row:
    return [clock.rfc3339(value) if isinstance(value, datetime) else value for value in row]


def _write_json(heads: Sequence[str], rows: Iterable[Row]) -> None:
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    before = "[\n  "
    for row in rows:
        sys.stdout.write(before + json.dumps(dict(zip(heads, row, strict=True)), ensure_ascii=plain))
        before = ",\n  "
    print("[]" if before == "[\n  " else "\n]", flush=True)


def _write_lines(heads: Sequence[str], rows: Iterable[Row]) -> None:
    """A page at a time: on a terminal each is a table, elsewhere lines."""
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == _PAGE:
            table(heads, page)
            page = []
    if page:
        table(heads, page)
    sys.stdout.flush()


_PAGE = 50


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    fresh = Path(f"{path}.{os.getpid()}.part")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            yield file
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
