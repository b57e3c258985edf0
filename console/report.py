"""`carillon report`: what broadcasts brought in, as a table, JSON, CSV and a plot."""

import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carillon.ledger.questions import Wanted
from carillon.ledger.sums import By, Sum, sums
from carillon.settings import Settings
from console.failures import CommandError
from console.opening import ledger_to_read
from console.printing import as_json, dollars, line, table
from console.streaming import inert

STDOUT = Path("-")

_HEADS = (
    "broadcasts",
    "recipients",
    "views",
    "open rate",
    "purchases",
    "unlock rate",
    "revenue",
    "per recipient",
    "unknown",
)
_SHORT = {"recipients": "recipients", "views": "views", "purchases": "purchases", "revenue_cents": "revenue"}


@dataclass(frozen=True)
class Outputs:
    """Where it goes beside stdout; `csv` may be stdout, and then nothing else is printed."""

    json: bool = False
    csv: Path | None = None
    plot: Path | None = None


def report(settings: Settings, wanted: Wanted, by: By, outputs: Outputs) -> int:
    ledger = ledger_to_read(settings)
    rows: list[Sum] = []
    total = Sum(None)
    if ledger:
        with ledger.read() as session:
            rows, total = sums(session.connection(), wanted, by)
    if outputs.csv != STDOUT:
        _print(rows, total, by, json=outputs.json)
    for path, content in _files(rows, total, by, outputs):
        _write(path, content)
        if path != STDOUT and not outputs.json:
            line(f"wrote {path}")
    return 0


def _files(rows: list[Sum], total: Sum, by: By, outputs: Outputs) -> list[tuple[Path, bytes]]:
    files = []
    if outputs.csv:
        files.append((outputs.csv, as_csv(rows, by).encode()))
    if outputs.plot:
        from console.plot import drawn  # matplotlib takes its time

        files.append((outputs.plot, drawn(rows, total, by)))
    return files


def _write(path: Path, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}; name another file") from None


def _print(rows: list[Sum], total: Sum, by: By, *, json: bool) -> None:
    if json:
        as_json({"by": by, "rows": [_data(row, by) for row in rows], "total": _data(total, by)})
        return
    table((by, *_HEADS), [*((row.key or f"no {by}", *_cells(row)) for row in rows), ("total", *_cells(total))])


def _data(one: Sum, by: By) -> dict[str, Any]:
    return {
        by: one.key,
        "broadcasts": one.broadcasts,
        "recipients": one.known.get("recipients"),
        "views": one.known.get("views"),
        "open_rate": _rounded(one.opened.value),
        "purchases": one.known.get("purchases"),
        "unlock_rate": _rounded(one.unlocked.value),
        "revenue_cents": one.known.get("revenue_cents"),
        "revenue_per_recipient_cents": _rounded(one.earned.value),
        "tips_cents": one.tips_cents,
        "estimated": one.estimated,
        "unknown": {_SHORT[name]: count for name, count in one.unknown.items()},
    }


def _cells(one: Sum) -> tuple[Any, ...]:
    cents, each = one.known.get("revenue_cents"), one.earned.value
    revenue = None if cents is None else dollars(cents)
    return (
        one.broadcasts,
        one.known.get("recipients"),
        one.known.get("views"),
        _percent(one.opened.value),
        one.known.get("purchases"),
        _percent(one.unlocked.value),
        f"~{revenue}" if one.estimated else revenue,
        None if each is None else dollars(round(each)),
        [f"{_SHORT[name]} {count}" for name, count in one.unknown.items() if count],
    )


def as_csv(rows: list[Sum], by: By) -> str:
    """After RFC 4180, money in dollars; what is unknown is empty. No line of totals, so that columns can be summed."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([by, *_CSV])
    for row in rows:
        data = _data(row, by)
        unknown = [data["unknown"][name] for name in _SHORT.values()]
        each = row.earned.value
        money = (_amount(data["revenue_cents"]), None if each is None else f"{each / 100:.4f}", _amount(row.tips_cents))
        counts = [data[name] for name in ("broadcasts", "recipients", "views", "open_rate", "purchases", "unlock_rate")]
        estimated = "yes" if row.estimated else "no"
        writer.writerow([inert(row.key or ""), *counts, *money, estimated, *unknown])
    return out.getvalue()


_CSV = (
    "broadcasts",
    "recipients",
    "views",
    "open_rate",
    "purchases",
    "unlock_rate",
    "revenue",
    "revenue_per_recipient",
    "tips",
    "estimated",
    "unknown_recipients",
    "unknown_views",
    "unknown_purchases",
    "unknown_revenue",
)


def _amount(cents: int | None) -> str | None:
    """For programs: without the sign of dollars."""
    return None if cents is None else dollars(cents).replace("$", "")


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
