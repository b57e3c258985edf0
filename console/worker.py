"""`carillon worker`: one of any number, each with processes that claim and send."""

import gc
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import structlog

from carillon import logs
from carillon.handoff import broker as brokers
from carillon.handoff.orders import QUEUES
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import require_current
from carillon.settings import Settings
from console.child import Hello, tell_parent
from console.daemons import process_name, shared_ledger, stop_on_signals, stopped_within

log = structlog.get_logger()

_STOP_SECONDS = 27.5
"""A little less than the one that watches gives it."""


def worker(settings: Settings, processes: int, threads: int | None) -> int:
    """Run until SIGTERM or Ctrl-C; `threads` is for each platform. Raises CommandError or LedgerError."""
    logs.set_up(settings.log)
    stopping = stop_on_signals()
    with closing(shared_ledger(settings, "worker")) as ledger:
        chosen, name = _threads(ledger, threads), installation(ledger)
    with _counted(settings.health_port is not None):
        _import_before_forking()
        from console.supervisor import Supervisor

        supervisor = Supervisor(processes, lambda hello: _work(settings, name, chosen, hello))
        log.info("starting", processes=processes, threads=dict(chosen))
        return supervisor.run(stopping, settings.health_port)


def _threads(ledger: Ledger, threads: int | None) -> Mapping[str, int]:
    from worker.threads import by_latency

    return by_latency(ledger) if threads is None else dict.fromkeys(QUEUES, threads)


@contextmanager
def _counted(wanted: bool) -> Iterator[None]:
    """Where the processes keep their counts, for the one that shows them; to be set before they are imported."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="carillon-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _import_before_forking() -> None:
    """The processes share what is there before them."""
    import worker.service  # noqa: F401

    gc.collect()
    gc.freeze()


def _work(settings: Settings, name: str, threads: Mapping[str, int], hello: Hello) -> None:
    """One process, from its start until it is told to stop or is alone."""
    from carillon.monitoring.notify import Notifier
    from worker.service import Service

    stopping = stop_on_signals()
    who = f"worker {process_name()}"
    with closing(Ledger(settings.database)) as ledger:
        require_current(ledger)
        broker = brokers.make(settings.redis_url, name)
        notifier = Notifier(ledger, settings.alarm_urls, who)
        service = Service(settings, ledger, broker, who, threads, tell=notifier.run)
        service.start()
        tell_parent(hello, stopping, service.wrong, service.hangs)
        service.stop_claiming()
        if not stopped_within(_STOP_SECONDS, service.stop, notifier.close):
            os._exit(0)
