"""The list of beats, and the scheduler that runs them.

`release` is armed anew for the ledger's next due instant; the other beats are sweeps that may run at any time, late or
twice, without harm. What this process's worker changes wakes `release` at once; what others change, within a second.
"""

import threading
from collections.abc import Callable
from datetime import datetime

import dramatiq
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.exc import DBAPIError

from carillon import clock
from carillon.ledger.connect import Ledger
from scheduler.missed import beat, catch_up
from scheduler.plan import plan
from scheduler.prepare import Preparations
from scheduler.publish import Publisher
from scheduler.release import next_wake, release
from scheduler.rescue import recheck_stopped, rescue
from scheduler.sweep import expire, sweep
from scheduler.watch import watch

log = structlog.get_logger()


class Timetable:
    """Runs the beats in threads of its own; one for a process."""

    def __init__(self, ledger: Ledger, broker: dramatiq.Broker, publisher: Publisher, who: str) -> None:
        self._ledger, self._broker, self._publisher, self._who = ledger, broker, publisher, who
        self._preparations = Preparations()
        self._releasing = threading.Lock()
        self._nudged = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(4), "release": ThreadPoolExecutor(2)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Catch up and plan first, so that nothing is released that was missed."""
        self._beat()
        self._plan()
        for seconds, run in (
            (0.4, self._look),
            (1, self._release),
            (1, self._prepare),
            (1, self._expire),
            (1, self._rescue),
            (2, self._recheck),
            (1, self._watch),
            (5, self._sweep),
            (10, self._beat),
            (10, self._plan),
        ):
            self._scheduler.add_job(_surviving(run), "interval", seconds=seconds, id=run.__name__.strip("_"))
        self._scheduler.start()
        self.nudge()

    def stop(self) -> None:
        """Let running beats finish."""
        self._scheduler.shutdown(wait=True)

    def nudge(self) -> None:
        """Something may go now: release without waiting for the next beat."""
        if not self._nudged.is_set():
            self._nudged.set()
            self._arm("nudge", clock.now())

    def _arm(self, name: str, at: datetime) -> None:
        if self._scheduler.running:
            self._scheduler.add_job(
                _surviving(self._release),
                DateTrigger(at, "UTC"),
                id=name,
                executor="release",
                max_instances=2,
                replace_existing=True,
            )

    def _release(self) -> None:
        with self._releasing:
            self._nudged.clear()
            catalogue = self._publisher.catalogue
            release(self._ledger, self._broker, catalogue.campaigns.keys() if catalogue else (), self._who)
        at = next_wake(self._ledger)
        if at is not None:
            self._arm("due", max(at, clock.now()))

    def _look(self) -> None:
        if self._publisher.look():
            self._plan()

    def _beat(self) -> None:
        gap = beat(self._ledger, self._who)
        if gap and self._publisher.catalogue:
            log.warning("no scheduler ran for a while", since=gap[0], until=gap[1])
            catch_up(self._ledger, self._publisher.catalogue, gap, self._who)

    def _plan(self) -> None:
        if self._publisher.catalogue:
            plan(self._ledger, self._publisher.catalogue, self._publisher.generation, self._who)
            self.nudge()

    def _prepare(self) -> None:
        self._preparations.order(self._ledger, self._broker)

    def _expire(self) -> None:
        expire(self._ledger, self._who)

    def _rescue(self) -> None:
        rescue(self._ledger, self._broker, self._who)

    def _recheck(self) -> None:
        recheck_stopped(self._ledger, self._broker)

    def _watch(self) -> None:
        watch(self._ledger)

    def _sweep(self) -> None:
        sweep(self._ledger, self._broker, self._who)


def _surviving(run: Callable[[], None]) -> Callable[[], None]:
    """A beat that meets a database that is away is tried again at its next turn."""

    def beat_once() -> None:
        try:
            run()
        except DBAPIError as error:
            log.error("the ledger cannot be used now", beat=run.__name__, error=str(error.orig))
        except Exception:
            log.exception("a beat failed", beat=run.__name__)

    return beat_once
