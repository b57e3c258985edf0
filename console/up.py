"""The embedded shape: scheduler and worker in one process, on the same code that runs at scale."""

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog

from carillon import logs
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.platforms.client import Client
from carillon.settings import Settings
from console.daemons import process_name, stop_on_signals
from scheduler import outlook
from scheduler.publish import NothingInForceError, Publisher
from scheduler.sweep import sweep_all
from scheduler.timetable import Timetable
from worker.means import Means
from worker.pool import Pool

log = structlog.get_logger()

_LOCK = "up.lock"
_PATIENCE = 1.0
"""Seconds; whoever asks whether an `up` is running holds its lock for a moment."""


def up(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code. Raises LedgerError."""
    logs.set_up(settings.log)
    with _only_one(settings.home, _PATIENCE) as mine:
        if not mine:
            print(f"carillon: another `carillon up` runs on {settings.home}; stop it first", file=sys.stderr)
            return 1
        ledger = Ledger(settings.database)
        ledger.prove_durable()
        migrate(ledger)
        try:
            return _run(settings, ledger)
        except NothingInForceError as error:
            print(error)
            print("carillon: the campaign files are wrong, and none was ever in force", file=sys.stderr)
            return 1
        finally:
            ledger.close()


def is_running(home: Path) -> bool:
    """Whether an `up` holds this home."""
    if not (home / _LOCK).exists():
        return False
    with _only_one(home) as mine:
        return not mine


def _run(settings: Settings, ledger: Ledger) -> int:
    who = process_name()
    stopping = stop_on_signals()
    path, overridden = settings.campaigns, frozenset(settings.platform_urls)
    publisher = Publisher(ledger, path, overridden, f"scheduler {who}", lambda: outlook.tell(path, overridden))
    publisher.start()
    broker = brokers.make(settings.redis_url)
    timetable = Timetable(ledger, broker, publisher, f"scheduler {who}")
    client = Client(settings.http_timeout)
    means = Means(ledger, client, f"worker {who}", settings.http_timeout, settings.platform_urls, timetable.nudge)
    pool = Pool(broker, means)
    pool.start()
    timetable.start()
    if settings.redis_url is None:
        sweep_all(ledger, broker, f"scheduler {who}")
    log.info("up", campaigns=str(settings.campaigns), ledger=ledger.url.render_as_string(hide_password=True))
    stopping.wait()
    log.info("stopping: no new claim; what is on its way is finished and recorded")
    pool.stop_claiming()
    timetable.stop()
    pool.stop()
    client.close()
    return 0


@contextmanager
def _only_one(home: Path, patience: float = 0) -> Iterator[bool]:
    """Hold this home's lock; False if another process keeps it. The kernel lets go when a process dies."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    give_up = time.monotonic() + patience
    with (home / _LOCK).open("a") as lock:
        while not (mine := _try_lock(lock)) and time.monotonic() < give_up:
            time.sleep(0.05)
        yield mine


def _try_lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
