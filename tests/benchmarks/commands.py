"""How soon a command answers, from its start to its end."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import declared
from benchmarks.results import Result
from running import COMMAND

CAMPAIGNS, CREATORS = 1_000, 100
_CHECK, _HELP = "`carillon check` on 1,000 campaigns", "`carillon --help`"


def rows(only: str, rounds: int) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="carillon-check-") as folder:
        declared.many(Path(folder), CAMPAIGNS, CREATORS)
        for what, goal, words in ((_CHECK, 1.5, ("--campaigns", folder, "check")), (_HELP, 0.3, ("--help",))):
            if only in what:
                yield _row(what, goal, [_seconds(*words) for _ in range(rounds + 1)][1:])


def _seconds(*words: str) -> float:
    begun = time.perf_counter()
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter() - begun


def _row(what: str, goal: float, values: list[float]) -> Result:
    return {
        "what": what,
        "goal": f"at most {goal}",
        "unit": "s",
        "value": median(values),
        "floor": None,
        "ratio": None,
        "detail": f"{min(values):.2f} to {max(values):.2f} in {len(values)} rounds",
    }
