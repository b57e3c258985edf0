"""What every long-running process of Carillon does alike: its name, its servers, and how it is told to stop."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import redis
import structlog

from carillon.ledger import schema
from carillon.ledger.connect import Ledger
from carillon.monitoring import systemd
from carillon.monitoring.health import Health
from carillon.settings import Settings
from console.failures import CommandError
from console.opening import connect

log = structlog.get_logger()

_PACE_SECONDS = 15.0
_GIVEN_UP_SECONDS = 60.0


def process_name() -> str:
    """What events and logs call this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def shared_ledger(settings: Settings, daemon: str) -> Ledger:
    """The ledger for one of many processes. Raises CommandError or LedgerError, each with its mend."""
    if not settings.database.startswith("postgresql"):
        raise CommandError(
            f"`carillon {daemon}` needs PostgreSQL: set CARILLON_DATABASE_URL to postgresql://USER@HOST/NAME, "
            "or run `carillon up`, which needs no server"
        )
    if settings.redis_url is None:
        raise CommandError(f"`carillon {daemon}` needs Redis or Valkey: set CARILLON_REDIS_URL to redis://HOST:PORT/0")
    _require_redis(settings.redis_url)
    ledger = connect(settings)
    schema.require_current(ledger)
    ledger.prove_durable()
    return ledger


def wait_for_the_end(stopping: threading.Event, wrong: Callable[[], list[str]]) -> None:
    """Until it is told to stop; meanwhile the service manager hears that all is well, for as long as it is."""
    systemd.notify("READY=1")
    pace = (systemd.watchdog_seconds() or 2 * _PACE_SECONDS) / 2
    in_a_row = 0
    while not stopping.wait(pace):  # one look that finds a fault is forgiven
        faults = wrong()
        in_a_row = in_a_row + 1 if faults else 0
        if not faults:
            systemd.notify("WATCHDOG=1")
            continue
        log.error("this process is not well", wrong=faults)
        if in_a_row * pace > _GIVEN_UP_SECONDS:
            log.critical("a beat hangs and cannot be ended; whoever watches this process must start it again")
            os._exit(1)
    systemd.notify("STOPPING=1")
    log.info("stopping: no new claim; what is on its way is finished and recorded")


def stopped_within(seconds: float, *stops: Callable[[], None]) -> bool:
    """Run these at once. False if one of them waits for a server that hangs: the ledger knows what was claimed."""
    threads = [threading.Thread(target=stop, name="stop", daemon=True) for stop in stops]
    give_up = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    hang = any(thread.is_alive() for thread in threads)
    if hang:
        log.warning("something hangs and is left behind")
    return not hang


def ended(code: int) -> int:
    """The exit code; or the end, here and now, if a thread would hold it up."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # told twice, it still ends as it should
    main = threading.main_thread()
    if any(thread.is_alive() and not thread.daemon and thread is not main for thread in threading.enumerate()):
        sys.stdout.flush()
        os._exit(code)
    return code


@contextmanager
def served(port: int | None, health: Health) -> Iterator[None]:
    """Health and metrics on this port, if one is set and free."""
    opened = port is not None and health.open(port)
    if opened:
        health.start()
    try:
        yield
    finally:
        if opened:
            health.close()


def _require_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, retry=None) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        place = urlsplit(url).hostname or urlsplit(url).path
        words = f"cannot use the Redis at {place}: {type(error).__name__}; see CARILLON_REDIS_URL"
        raise CommandError(words) from None
