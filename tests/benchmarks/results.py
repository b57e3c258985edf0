"""What a row of the bench says, as a table for people and as JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import psutil
from rich.console import Console
from rich.table import Table

_PACKAGES = ("dramatiq", "httpx", "psycopg", "redis", "sqlalchemy", "apscheduler")
_GOAL = re.compile(r"(at least|at most) ([0-9.]+)")


class Result(TypedDict):
    """`goal` is `at least N` or `at most N`: of the ratio where there is one, else of the value; or any words.

    `floor` is the same figure of the bare parts, measured in the same run, and `ratio` is `value / floor`.
    """

    what: str
    goal: str
    unit: str
    value: float
    floor: float | None
    ratio: float | None
    detail: str


def reached(result: Result) -> bool | None:
    """Whether the goal is met; None where it is not a figure."""
    goal = _GOAL.match(result["goal"])
    if goal is None:
        return None
    figure = result["value"] if result["ratio"] is None else result["ratio"]
    return figure >= float(goal[2]) if goal[1] == "at least" else figure <= float(goal[2])


def show(results: Iterable[Result]) -> None:
    table = Table("what", "goal", "value", "floor", "ratio", "", "detail", expand=True)
    for result in results:
        mark = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[reached(result)]
        unit = result["unit"]
        floor = "" if result["floor"] is None else f"{_figure(result['floor'])} {unit}"
        ratio = "" if result["ratio"] is None else f"{result['ratio']:.2f}"
        table.add_row(
            result["what"],
            result["goal"],
            f"{_figure(result['value'])} {unit}",
            floor,
            ratio,
            mark,
            result["detail"],
        )
    Console().print(table)


def write(path: Path, results: Sequence[Result]) -> None:
    found = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "machine": machine(),
        "versions": versions(),
        "results": [{**row, "met": reached(row)} for row in results],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {os.uname().sysname} {os.uname().release}"


def versions() -> dict[str, str]:
    found = {package: version(package) for package in ("carillon", *_PACKAGES)}
    return {"python": ".".join(map(str, sys.version_info[:3])), **found}


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
