"""The list of beats, and the scheduler that runs them.

`release` is armed anew for the ledger's next due instant; the other beats are sweeps that may run at any time, late or
twice, without harm. What this process's worker changes wakes `release` at once; what others change, within a
quarter of a second.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

import dramatiq
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.exc import DBAPIError

from carillon import clock
from carillon.ledger.connect import Ledger
from scheduler.missed import GRACE, beat, catch_up, gap
from scheduler.plan import plan
from scheduler.prepare import Preparations
from scheduler.publish import Publisher
from scheduler.release import next_wake, release
from scheduler.rescue import Reminders, recheck_stopped, rescue
from scheduler.sweep import expire, sweep
from scheduler.watch import watch

log = structlog.get_logger()

_SOON = timedelta(seconds=5)
"""What is further ahead than this is armed later, by the beats."""

_LEAST = timedelta(milliseconds=20)


class Timetable:
    """Runs the beats in threads of its own; one for a process."""

    def __init__(self, ledger: Ledger, broker: dramatiq.Broker, publisher: Publisher, who: str) -> None:
        self._ledger, self._broker, self._publisher, self._who = ledger, broker, publisher, who
        self._preparations, self._reminders = Preparations(), Reminders()
        self._beating, self._releasing = threading.Lock(), threading.Lock()
        self._nudged, self._stopping = threading.Event(), threading.Event()
        self._last_beat = clock.ticks()
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
            (0.25, self._release),
            (0.4, self._look),
            (1, self._prepare),
            (1, self._expire),
            (1, self._rescue),
            (1, self._recheck),
            (2, self._watch),
            (5, self._sweep),
            (10, self._beat),
            (10, self._plan),
        ):
            self._scheduler.add_job(self._surviving(run), "interval", seconds=seconds, id=run.__name__.strip("_"))
        self._scheduler.start()
        self.nudge()

    def stop(self) -> None:
        """Let running beats finish."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)

    def nudge(self) -> None:
        """Something may go now: release without waiting for the next beat."""
        if self._scheduler.running and not self._nudged.is_set():
            self._nudged.set()
            self._arm("nudge", timedelta(0))

    def _arm(self, name: str, wait: timedelta) -> None:
        if self._stopping.is_set():
            return
        self._scheduler.add_job(
            self._surviving(self._release),
            DateTrigger(clock.now() + wait, "UTC"),
            id=name,
            executor="release",
            max_instances=2,
            replace_existing=True,
        )

    def _release(self) -> None:
        with self._releasing:
            self._nudged.clear()
            if clock.ticks() - self._last_beat > GRACE.total_seconds():
                self._beat()  # the machine slept: what was missed comes before what is due
            catalogue = self._publisher.catalogue
            release(self._ledger, self._broker, catalogue.campaigns.keys() if catalogue else (), self._who)
            wait = next_wake(self._ledger)
            if wait is not None and wait < _SOON:
                self._arm("due", max(wait, _LEAST))

    def _look(self) -> None:
        if self._publisher.look():
            self._plan()

    def _beat(self) -> None:
        with self._beating:
            missed = gap(self._ledger)
            if missed and self._publisher.catalogue:
                log.warning("no scheduler ran for a while", since=missed[0], until=missed[1])
                catch_up(self._ledger, self._publisher.catalogue, missed, self._who)
            beat(self._ledger, self._who)
            self._last_beat = clock.ticks()

    def _plan(self) -> None:
        if self._publisher.catalogue:
            catalogue, generation = self._publisher.catalogue, self._publisher.generation
            plan(self._ledger, catalogue, generation, self._who, self._stopping.is_set)
            self.nudge()

    def _prepare(self) -> None:
        self._preparations.order(self._ledger, self._broker)

    def _expire(self) -> None:
        expire(self._ledger, self._who)

    def _rescue(self) -> None:
        rescue(self._ledger, self._broker, self._reminders, self._who)

    def _recheck(self) -> None:
        recheck_stopped(self._ledger, self._broker, self._reminders)

    def _watch(self) -> None:
        watch(self._ledger)

    def _sweep(self) -> None:
        sweep(self._ledger, self._broker, self._who)

    def _surviving(self, run: Callable[[], None]) -> Callable[[], None]:
        """A beat that meets a database that is away is tried again at its next turn."""

        def once() -> None:
            if self._stopping.is_set():
                return
            try:
                run()
            except DBAPIError as error:
                log.error("the ledger cannot be used now", beat=run.__name__, error=str(error.orig))
            except Exception:
                log.exception("a beat failed", beat=run.__name__)

        return once
