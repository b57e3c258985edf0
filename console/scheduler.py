"""`carillon scheduler`: one of any number, which plan and hand over what is due."""

from contextlib import closing

import structlog

from carillon import logs
from carillon.handoff import broker as brokers
from carillon.ledger.installation import installation
from carillon.monitoring.health import Health
from carillon.monitoring.ledger_metrics import LedgerMetrics
from carillon.monitoring.reach import unreachable
from carillon.settings import Settings
from console.daemons import (
    ended,
    process_name,
    served,
    shared_ledger,
    stop_on_signals,
    stopped_within,
    wait_for_the_end,
)
from console.failures import nothing_in_force
from scheduler.publish import NothingInForceError
from scheduler.service import Service

log = structlog.get_logger()

_STOP_SECONDS = 20.0


def scheduler(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code. Raises CommandError or LedgerError."""
    logs.set_up(settings.log)
    stopping = stop_on_signals()
    with closing(shared_ledger(settings, "scheduler")) as ledger:
        broker = brokers.make(settings.redis_url, installation(ledger))
        service = Service(settings, ledger, broker, f"scheduler {process_name()}")
        try:
            service.read_files()
        except NothingInForceError as error:
            return nothing_in_force(error)
        service.start()
        health = Health(service.hung, lambda: unreachable(ledger, broker), LedgerMetrics(ledger).exposition)
        with served(settings.health_port, health):
            log.info("scheduler is up", campaigns=str(settings.campaigns), ledger=ledger.shown)
            wait_for_the_end(stopping, service.hung)
            stopped_within(_STOP_SECONDS, service.stop)
        return ended(0)
