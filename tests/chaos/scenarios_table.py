"""Carillon's rows beside those of other job tools: `python -m chaos.scenarios_table FOLDER` prints them as Markdown.

The folder holds a JSON file for each run, as `test_scenarios.py` leaves them.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LIMITS_OWN_TIME = 16
"""Seconds: the third three of nine may go after two windows of eight."""

BUSY = 2 * (os.cpu_count() or 1)
"""A load that the runs before do not make by themselves."""

ROWS = {
    "embedded-askable": "Carillon, one process",
    "embedded-frontrow": "the same, on a platform that cannot be asked",
    "scale-askable": "Carillon at scale",
    "scale-frontrow": "the same, on a platform that cannot be asked",
}
Run = dict[str, Any]


def printed(runs: Sequence[Run]) -> str:
    """Both tables; several runs of a cell stand side by side, oldest first."""
    six = _table(
        "| doubles/lost of 60 | S1 kills | S1 lateness, median / worst "
        "| S2 cut answers | S4 flush | S4r flush + restart "
        "| S6 kills + outage | S6w the same, of sends alone |",
        runs,
        (
            ("S1", _losses),
            ("S1", _lateness),
            ("S2", _losses),
            ("S4", _losses),
            ("S4r", _losses),
            ("S6", _losses),
            ("S6w", _losses),
        ),
    )
    limit = _table(
        "| S3, of 36 | 429s drawn | tries in worst 8 s (3 allowed) | doubles / lost "
        f"| last send after the limit's own {LIMITS_OWN_TIME} s |",
        runs,
        (("S3", _throttled), ("S3", _tries), ("S3", _losses), ("S3", _overtime)),
    )
    return f"{six}\n\n{limit}\n\n{NOTES}"


NOTES = """(n) = so many in doubt: held, never sent again, each named with an alarm; a person decides.
* = the machine was busy with other things when the run began: over two wanted each processor."""


def _table(head: str, runs: Sequence[Run], columns: Sequence[tuple[str, Callable[[Run], str]]]) -> str:
    lines = [head, "|---" * (len(columns) + 1) + "|"]
    for row, words in ROWS.items():
        cells = [_cell([run for run in runs if run["cell"] == f"{name}-{row}"], say) for name, say in columns]
        if any(cells):
            lines.append(f"| {words} | " + " | ".join(cell or "-" for cell in cells) + " |")
    return "\n".join(lines)


def _cell(runs: Sequence[Run], say: Callable[[Run], str]) -> str:
    return ", ".join(say(run) + ("*" if run["load"] > BUSY else "") for run in runs)


def _losses(run: Run) -> str:
    doubt = f" ({len(run['in_doubt'])})" if run["in_doubt"] else ""
    return f"{len(run['doubles'])}/{len(run['lost'])}{doubt}"


def _lateness(run: Run) -> str:
    late = sorted(run["late"])
    return f"{late[len(late) // 2]:.1f} / {late[-1]:.1f} s"


def _throttled(run: Run) -> str:
    return str(run["throttled"])


def _tries(run: Run) -> str:
    return str(run["worst_tries"])


def _overtime(run: Run) -> str:
    return f"{run['last'] - LIMITS_OWN_TIME:.1f} s"


def read(folder: Path) -> list[Run]:
    """Oldest first."""
    return sorted((json.loads(file.read_text()) for file in folder.glob("*.json")), key=lambda run: float(run["at"]))


if __name__ == "__main__":
    found = read(Path(sys.argv[1]))
    print(printed(found) if found else "none of the six scenarios was run")
