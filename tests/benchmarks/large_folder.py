"""A hundred thousand campaigns in a folder of files: the first start, a restart, the memory, a beat, an edit."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median

import psutil
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import func, select, update

import servers
from benchmarks import declared, durable
from benchmarks.processes import running
from benchmarks.results import Result
from benchmarks.work import milliseconds
from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import migrate
from carillon.ledger.tables import broadcasts, creators, cursors
from running import COMMAND, until
from scheduler.plan import plan
from scheduler.publish import Publisher
from scheduler.release import release

WHAT = "100,000 campaigns: "
CAMPAIGNS, CREATORS = 100_000, 1_000
_BEATS = 40
_PATIENCE_SECONDS = 1_800.0
_SETTLING_SECONDS = 10.0


def rows(rounds: int) -> Iterator[Result]:
    with (
        durable.postgresql() as server,
        durable.valkey() as queue,
        tempfile.TemporaryDirectory(prefix="carillon-folder-") as folder,
        servers.fresh_database(server) as url,
        closing(Ledger(url)) as ledger,
    ):
        migrate(ledger)
        files = Path(folder) / "files"
        files.mkdir()
        declared.many(files, CAMPAIGNS, CREATORS)
        scheduler = Scheduler(Path(folder), files, url, queue)
        yield _first_plan(scheduler, ledger)
        yield from _restarts(scheduler, rounds)
        yield _beat(ledger, files, queue)


class Scheduler:
    """A real `carillon scheduler`, which may take long to start."""

    def __init__(self, folder: Path, files: Path, database: str, queue: str) -> None:
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
        urls = {"CARILLON_DATABASE_URL": database, "CARILLON_REDIS_URL": queue}
        self._environment = {**quiet, **urls, "CARILLON_CAMPAIGNS": str(files), "CARILLON_LOG": "console"}
        self._log = folder / "scheduler.log"

    @contextmanager
    def up(self) -> Iterator[tuple[psutil.Process, float]]:
        """Its process, and how many seconds it took to say that it is up."""
        self._log.write_bytes(b"")
        begun = time.monotonic()
        with running([*COMMAND, "scheduler"], self._environment, self._log) as process:
            until(lambda: b"scheduler is up" in self._log.read_bytes(), _PATIENCE_SECONDS)
            yield process, time.monotonic() - begun
            process.terminate()
            process.wait(60)


def _first_plan(scheduler: Scheduler, ledger: Ledger) -> Result:
    begun = time.monotonic()
    with scheduler.up() as (process, ready):
        until(lambda: _planned(ledger) >= CAMPAIGNS, _PATIENCE_SECONDS)
        seconds, memory = time.monotonic() - begun, mebibytes(process)
    words = f"up after {ready:.1f} s, {memory:.0f} MiB"
    return _result("the first plan, of files that were never seen", "none", "s", [seconds], words)


def _restarts(scheduler: Scheduler, rounds: int) -> Iterator[Result]:
    ready, memory = [], []
    for _ in range(rounds):
        with scheduler.up() as (process, seconds):
            ready.append(seconds)
            time.sleep(_SETTLING_SECONDS)
            memory.append(mebibytes(process))
    yield _result(
        "scheduler ready after a restart", "at most 10", "s", ready, "from its start to its word that it is up"
    )
    yield _result("memory of the scheduler", "at most 300", "MiB", memory, "proportional set size 10 s after that")


def _beat(ledger: Ledger, files: Path, queue: str) -> Result:
    """In this process, on the same ledger and catalogue."""
    publisher = Publisher(ledger, files, frozenset(), "scheduler bench")
    publisher.start()
    catalogue = publisher.catalogue
    assert catalogue
    broker = brokers.make(queue, installation(ledger))
    assert isinstance(broker, RedisBroker)
    plan(ledger, catalogue, publisher.generation, "scheduler bench")
    names = catalogue.campaigns.keys()
    with ledger.write() as connection:
        connection.execute(update(creators).values(wake_at=None))  # others are due every second
    beats = [_one_due(ledger, broker, n, lambda: release(ledger, broker, names, "bench")) for n in range(_BEATS)]
    plans = [milliseconds(lambda: plan(ledger, catalogue, publisher.generation, "bench")) for _ in range(_BEATS)]
    looks = [milliseconds(publisher.look) for _ in range(_BEATS)]
    words = f"a plan with nothing to plan {median(plans):.1f} ms, a look at the files {median(looks):.1f} ms"
    return _result("a beat with one due", "at most 5", "ms", beats[5:], words)


def _one_due(ledger: Ledger, broker: RedisBroker, number: int, beat: Callable[[], int]) -> float:
    """Milliseconds of the beat that moves it and puts its order on the queue."""
    now = clock.now()
    with ledger.write() as connection:
        of_it = select(broadcasts).where(broadcasts.c.campaign == f"drop-{number}").order_by(broadcasts.c.due_at)
        row = connection.execute(of_it.limit(1)).one()
        soon = {"due_at": now - timedelta(seconds=1), "expires_at": now + timedelta(hours=1), "state": "planned"}
        connection.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(soon))
        connection.execute(update(creators).where(creators.c.id == row.creator_id).values(wake_at=now))
    before = broker.do_qsize("frontrow")
    spent = milliseconds(beat)
    assert broker.do_qsize("frontrow") > before
    return spent


def _planned(ledger: Ledger) -> int:
    with ledger.read() as session:
        done = (
            select(func.count()).select_from(cursors).where(cursors.c.planned_until > clock.now() + timedelta(hours=1))
        )
        return session.scalar(done) or 0


def mebibytes(process: psutil.Process) -> float:
    size: int = process.memory_full_info().pss
    return size / 2**20


def _result(what: str, goal: str, unit: str, values: list[float], words: str) -> Result:
    return {
        "what": WHAT + what,
        "goal": goal,
        "unit": unit,
        "value": median(values),
        "floor": None,
        "ratio": None,
        "detail": f"{min(values):.3g} to {max(values):.3g}; {words}",
    }
