"""Sends a second, beside bare Dramatiq and httpx with the same processes, threads and queue."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import servers
from benchmarks import durable, floor
from benchmarks.installed import Installed, rate
from benchmarks.processes import Platform, cpu_seconds, platform_that_answers_after, running, wait_for
from benchmarks.results import Result
from running import COMMAND, until

SENDS = 3_000
_QUIET = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}


@dataclass(frozen=True)
class Case:
    """One row: what is run, and how long the platform takes to answer."""

    what: str
    goal: float
    answers_after: float
    threads: int
    processes: int = 2
    embedded: bool = False


CASES = (
    Case("sends a second, PostgreSQL, 2 x 32 threads, answers after 100 ms", 0.95, 0.1, 32),
    Case("sends a second, PostgreSQL, 2 x 8 threads, answers at once", 0.40, 0, 8),
    Case("sends a second, SQLite, embedded, 8 threads, answers at once", 0.45, 0, 8, processes=1, embedded=True),
)


@dataclass(frozen=True)
class Run:
    """Sends a second, and what each kind of process spent on one, in CPU milliseconds."""

    rate: float
    spent: dict[str, float]

    def __str__(self) -> str:
        each = ", ".join(f"{kind} {ms:.2f}" for kind, ms in sorted(self.spent.items()))
        return f"{sum(self.spent.values()):.2f} ({each})"


def rows(only: str = "", rounds: int = 3) -> Iterator[Result]:
    chosen = [case for case in CASES if only in case.what]
    with durable.postgresql() as database, durable.valkey() as queue:
        for case in chosen:
            yield row(case, database, queue, rounds)


def row(case: Case, database: str, queue: str, rounds: int) -> Result:
    """Round by round, since what else the machine does changes meanwhile."""
    pairs = [(bare(case, queue), carillon(case, database, queue)) for _ in range(rounds)]
    ours, theirs = median(pair[1].rate for pair in pairs), median(pair[0].rate for pair in pairs)
    ratios = sorted(pair[1].rate / pair[0].rate for pair in pairs)
    middle = sorted((pair[1] for pair in pairs), key=lambda run: run.rate)[len(pairs) // 2]
    return {
        "what": case.what,
        "goal": f"at least {case.goal}",
        "unit": "sends/s",
        "value": ours,
        "floor": theirs,
        "ratio": ours / theirs,
        "detail": f"round by round {ratios[0]:.2f} to {ratios[-1]:.2f}; CPU ms a send {middle}, floor {pairs[-1][0]}; "
        f"{SENDS} sends, each with its claim and record; no read of the platform for a send",
    }


def bare(case: Case, queue: str) -> Run:
    """The floor."""
    with platform_that_answers_after(case.answers_after) as platform, tempfile.TemporaryDirectory() as folder:
        servers.empty(queue)
        if not case.embedded:
            floor.fill(queue, SENDS)
        source = str(SENDS) if case.embedded else queue
        command = ["-m", "benchmarks.floor", platform.url, str(case.threads), str(case.processes), source]
        environment = {**_QUIET, "PYTHONPATH": os.pathsep.join(sys.path)}
        with running([sys.executable, *command], environment, Path(folder, "log")):
            spent = _drained(platform, lambda: None)
        return Run(rate(platform.taken()["answered"]), spent)


def carillon(case: Case, database: str, queue: str) -> Run:
    """The real worker, or the real `up`, on what was planned and handed off before."""
    with ExitStack() as stack:
        platform = stack.enter_context(platform_that_answers_after(case.answers_after))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carillon-bench-")))
        sqlite = nullcontext(f"sqlite:///{folder / 'carillon.db'}")
        url = stack.enter_context(sqlite if case.embedded else servers.fresh_database(database))
        servers.empty(queue)
        here = Installed(folder, url, None if case.embedded else queue, SENDS)
        here.prepare()
        here.warm()
        worker = ("worker", "--processes", str(case.processes), "--threads", str(case.threads))
        command = [*COMMAND, *(("up", "--no-dashboard") if case.embedded else worker)]
        with running(command, {**_QUIET, **here.environment(platform.url)}, folder / "log"):
            spent = _drained(platform, lambda: until(lambda: not here.unrecorded(), 60))
        taken = platform.taken()
        assert taken["posts"] == taken["distinct"] == SENDS, f"the platform took {taken['posts']}"
        return Run(rate(here.recorded_at()), spent)


def _drained(platform: Platform, recorded: Callable[[], object]) -> dict[str, float]:
    """CPU milliseconds a send of each kind of process, once all is done."""
    wait_for(platform, SENDS // 10)
    before, begun = cpu_seconds(), platform.count()
    wait_for(platform, SENDS)
    recorded()
    after, count = cpu_seconds(), SENDS - begun
    return {kind: (after[kind] - before.get(kind, 0.0)) * 1000 / count for kind in after}
