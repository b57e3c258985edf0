"""The Dramatiq actors: one for each order. They carry an id, and never fail back into the queue."""

from collections.abc import Callable

import dramatiq
import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon.handoff.orders import COLLECT, DELIVER, FOLLOW, PREPARE, QUEUES, RECHECK, RECONCILE, UPLOAD
from carillon.ledger.connect import first_line
from carillon.monitoring import metrics
from worker.collect import begin_collect
from worker.deliver import deliver, prepare
from worker.follow import follow
from worker.means import Means
from worker.recheck import recheck
from worker.reconcile import reconcile
from worker.upload import begin_upload

log = structlog.get_logger()

_PAUSES = (0.1, 0.5, 2.0, 0.0)
"""Seconds after each try: a deadlock is over at once, a database that restarts in some seconds."""


def declare(broker: dramatiq.Broker, means: Means) -> None:
    """Make the broker's orders be carried out with `means`."""
    for order, job in (
        (PREPARE, prepare),
        (DELIVER, deliver),
        (RECONCILE, reconcile),
        (RECHECK, recheck),
        (FOLLOW, follow),
        (COLLECT, begin_collect),
        (UPLOAD, begin_upload),
    ):
        as_actor = dramatiq.actor(actor_name=order, queue_name=QUEUES[0], broker=broker)
        as_actor(_guarded(order, job, means))


def _guarded(order: str, job: Callable[[Means, int], None], means: Means) -> Callable[[int], None]:
    """Safe to begin again whatever had been done of it: each job asks the ledger first."""

    def carry_out(subject: int) -> None:
        for pause in _PAUSES:
            try:
                job(means, subject)
                return
            except SQLAlchemyError as error:
                metrics.database_error(order)
                why = first_line(error)
            except Exception:
                log.exception("an order failed; the ledger keeps what it was about", order=order, subject=subject)
                return
            if means.stopping.wait(pause):
                break
        log.error("no ledger now; the order is given again", order=order, subject=subject, error=why)

    return carry_out
