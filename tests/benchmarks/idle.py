"""What daemons cost that have nothing to do: processor time, and memory, shared pages by their part."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import psycopg
import redis
from sqlalchemy.engine import make_url

import servers
from benchmarks.results import Result
from daemons import Fleet
from running import Carillon

START_UP_SECONDS, WATCHED_SECONDS = 8.0, 15.0
_NOWHERE = {"frontrow": "http://127.0.0.1:1"}
_FILE = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:KEY, timezone: UTC}
campaigns:
  far: {creator: bea, text: Hi, lists: {include: [subscribers]}, schedule: {at: "2099-01-01T00:00"}}
"""


@dataclass(frozen=True)
class Daemon:
    """One kind, and the most it may take; None where there is no goal."""

    name: str
    percent: float | None = None
    mebibytes: float | None = None


WORKER = Daemon("idle worker, 2 processes of 8 threads for each platform", 0.5, 150)
SCHEDULER = Daemon("idle scheduler", 0.2, 80)
UP = Daemon("idle `carillon up` on SQLite")


@dataclass(frozen=True)
class Reading:
    """Of a daemon with all its processes: percent of one core over the time that was watched, memory at its end."""

    percent: float
    mebibytes: float
    processes: int


@dataclass(frozen=True)
class Asked:
    """What the servers were asked so far by all daemons together."""

    transactions: int
    commands: int


def rows(only: str = "", rounds: int = 3) -> Iterator[Result]:
    if only in WORKER.name or only in SCHEDULER.name:
        yield from _at_scale(rounds)
    if only in UP.name:
        readings = [_embedded() for _ in range(rounds)]
        yield from _results(UP, readings, "scheduler and worker in one process")


def _at_scale(rounds: int) -> Iterator[Result]:
    """Scheduler and worker run side by side, as they do."""
    workers, schedulers, transactions, commands = [], [], [], []
    with servers.postgresql(None) as database, servers.valkey(None) as queue:
        for _ in range(rounds):
            (scheduler, worker), asked = _fleet(database, queue)
            schedulers.append(scheduler)
            workers.append(worker)
            transactions.append(asked.transactions / WATCHED_SECONDS)
            commands.append(asked.commands / WATCHED_SECONDS)
    detail = f"both: {median(transactions):.1f} transactions and {median(commands):.1f} Redis commands a second"
    yield from _results(WORKER, workers, detail)
    yield from _results(SCHEDULER, schedulers, detail)


def _fleet(database: str, queue: str) -> tuple[list[Reading], Asked]:
    servers.empty(queue)
    with (
        servers.fresh_database(database) as url,
        _folder() as folder,
        Fleet(folder, _NOWHERE, url, queue, KEY="key") as fleet,
    ):
        fleet.declare(_FILE)
        fleet.run("migrate")
        daemons = fleet.start("scheduler"), fleet.start("worker", "--processes", "2", "--threads", "8")
        return _watched([daemon.process.pid for daemon in daemons if daemon.process], lambda: _asked(url, queue))


def _embedded() -> Reading:
    with _folder() as folder, Carillon(folder, _NOWHERE, KEY="key") as carillon:
        carillon.declare(_FILE)
        carillon.up()
        assert carillon.process
        [reading], _ = _watched([carillon.process.pid], lambda: Asked(0, 0))
    return reading


def _watched(daemons: Sequence[int], asked: Callable[[], Asked]) -> tuple[list[Reading], Asked]:
    time.sleep(START_UP_SECONDS)
    families = [_family(pid) for pid in daemons]
    before, begun, spent = asked(), time.monotonic(), [_cpu_seconds(pids) for pids in families]
    time.sleep(WATCHED_SECONDS)
    seconds = time.monotonic() - begun
    readings = [
        Reading((_cpu_seconds(pids) - cpu) / seconds * 100, sum(map(_mebibytes, pids)), len(pids))
        for pids, cpu in zip(families, spent, strict=True)
    ]
    after = asked()
    return readings, Asked(after.transactions - before.transactions, after.commands - before.commands)


def _results(daemon: Daemon, readings: Sequence[Reading], detail: str) -> Iterator[Result]:
    percents, sizes = [r.percent for r in readings], [r.mebibytes for r in readings]
    yield _result(f"{daemon.name}: processor", daemon.percent, "% of a core", percents, detail)
    of_them = f"proportional set size of {readings[0].processes} process(es)"
    yield _result(f"{daemon.name}: memory", daemon.mebibytes, "MiB", sizes, of_them)


def _result(what: str, most: float | None, unit: str, values: Sequence[float], detail: str) -> Result:
    return {
        "what": what,
        "goal": "none" if most is None else f"at most {most:g}",
        "unit": unit,
        "value": median(values),
        "floor": None,
        "ratio": None,
        "detail": f"{min(values):.3g} to {max(values):.3g} in {len(values)} rounds; {detail}",
    }


def _family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _cpu_seconds(pids: Sequence[int]) -> float:
    """By each process's own clock (clock_getcpuclockid), since /proc counts in hundredths of a second."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def _mebibytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _asked(database_url: str, redis_url: str) -> Asked:
    url = make_url(database_url)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        found = connection.execute(query).fetchone()
    assert found
    with redis.Redis.from_url(redis_url) as client:
        return Asked(found[0], client.info("stats")["total_commands_processed"])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="carillon-idle-") as folder:
        yield Path(folder)
