"""The embedded shape: scheduler, worker and dashboard in one process, on the same code that runs at scale."""

import fcntl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog

from carillon import logs
from carillon.handoff import broker as brokers
from carillon.handoff.broker import Queue
from carillon.handoff.orders import QUEUES
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import migrate
from carillon.monitoring.health import Health
from carillon.monitoring.ledger_metrics import LedgerMetrics
from carillon.monitoring.reach import unreachable
from carillon.settings import Settings
from console.daemons import ended, process_name, served, stop_on_signals, stopped_within, wait_for_the_end
from console.failures import nothing_in_force
from scheduler import service as scheduler
from scheduler.publish import NothingInForceError
from scheduler.sweep import sweep_all
from worker import service as worker

log = structlog.get_logger()

THREADS = 8
"""For each platform; one machine's creators need no more."""

STOP_SECONDS = 28.0

_LOCK = "up.lock"
_PATIENCE = 1.0
"""Seconds; whoever asks whether an `up` is running holds its lock for a moment."""


def up(settings: Settings, *, with_dashboard: bool) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code. Raises CommandError or LedgerError."""
    logs.set_up(settings.log)
    if with_dashboard:
        _require_safe_address(settings)
    with _only_one(settings.home, _PATIENCE) as mine:
        if not mine:
            print(f"carillon: another `carillon up` runs on {settings.home}; stop it first", file=sys.stderr)
            return 1
        ledger = Ledger(settings.database)
        ledger.prove_durable()
        migrate(ledger)
        try:
            return _run(settings, ledger, with_dashboard)
        except NothingInForceError as error:
            return nothing_in_force(error)
        finally:
            ledger.close()


def is_running(home: Path) -> bool:
    """Whether an `up` holds this home."""
    if not (home / _LOCK).exists():
        return False
    with _only_one(home) as mine:
        return not mine


def _run(settings: Settings, ledger: Ledger, with_dashboard: bool) -> int:
    stopping = stop_on_signals()
    who = process_name()
    broker = brokers.make(settings.redis_url, installation(ledger))
    when = scheduler.Service(settings, ledger, broker, f"scheduler {who}")
    threads = dict.fromkeys(QUEUES, THREADS)
    jobs = worker.Service(settings, ledger, broker, f"worker {who}", threads, when.nudge)
    when.read_files()
    jobs.start()
    when.start()
    if settings.redis_url is None:
        sweep_all(ledger, broker, f"scheduler {who}")
    stops = _serve(settings, ledger, broker, f"dashboard {who}", when.nudge) if with_dashboard else ()
    health = Health(when.hung, lambda: unreachable(ledger, broker), LedgerMetrics(ledger).exposition)
    with served(settings.health_port, health):
        log.info("up", campaigns=str(settings.campaigns), ledger=ledger.shown)
        wait_for_the_end(stopping, when.hung)
        jobs.stop_claiming()
        stopped_within(STOP_SECONDS, when.stop, jobs.stop, *stops)
    return ended(0)


def _require_safe_address(settings: Settings) -> None:
    from console.dashboard import require_safe_address  # which loads a web server

    require_safe_address(settings)


def _serve(
    settings: Settings, ledger: Ledger, broker: Queue, who: str, nudge: Callable[[], None]
) -> Sequence[Callable[[], None]]:
    """What stops the dashboard again; nothing if its port is taken, which must not keep broadcasts from going out."""
    from console.dashboard import Dashboard

    dashboard = Dashboard(settings, ledger, broker, who, nudge)
    try:
        dashboard.open()
    except OSError as error:
        log.warning("no dashboard and no webhooks here: free the port, or set CARILLON_DASHBOARD_PORT", why=str(error))
        return ()
    dashboard.start()
    log.info("dashboard", url=dashboard.url)
    return (dashboard.stop,)


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
