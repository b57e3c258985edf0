"""The list of beats, and the scheduler that runs them.

`release` is armed anew for the ledger's next due instant; the other beats are sweeps that may run at any time, late or
twice, without harm. What this process's worker changes wakes `release` at once; what others change, within a
quarter of a second.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import dramatiq
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.exc import DBAPIError

from carillon import clock
from carillon.ledger import beats
from carillon.ledger.connect import Ledger, WrongSchemaError
from carillon.monitoring import metrics
from carillon.monitoring.absent import Lookout
from scheduler.missed import GRACE, catch_up, gap
from scheduler.neighbours import look_for_neighbours
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

_HUNG_SECONDS = 120.0


class Timetable:
    """Runs the beats in threads of its own; one for a process. `tell` delivers alarms, `ping` says that all is well."""

    def __init__(
        self,
        ledger: Ledger,
        broker: dramatiq.Broker,
        publisher: Publisher,
        who: str,
        tell: Callable[[], None],
        ping: Callable[[], None],
    ) -> None:
        self._ledger, self._broker, self._publisher, self._who = ledger, broker, publisher, who
        self._tell, self._ping = tell, ping
        self._preparations, self._reminders = Preparations(), Reminders()
        self._lookout = Lookout(ledger, "scheduler")
        self._running: dict[str, float] = {}
        self._beating, self._releasing = threading.Lock(), threading.Lock()
        self._nudged, self._stopping = threading.Event(), threading.Event()
        self._last_beat = clock.ticks()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={
                "default": ThreadPoolExecutor(4),
                "release": ThreadPoolExecutor(2),
                "people": ThreadPoolExecutor(2),  # a channel that hangs holds up nothing else
            },
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Catch up and plan first, so that nothing is released that was missed."""
        self._beat()
        self._plan()
        for name, seconds, run in (
            ("release", 0.25, self._release),
            ("look", 0.4, self._look),
            ("prepare", 1, self._prepare),
            ("expire", 1, self._expire),
            ("rescue", 1, self._rescue),
            ("recheck", 1, self._recheck),
            ("watch", 2, self._watch),
            ("sweep", 5, self._sweep),
            ("beat", 10, self._beat),
            ("plan", 10, self._plan),
            ("neighbours", 60, self._neighbours),
        ):
            self._scheduler.add_job(self._surviving(name, run), "interval", seconds=seconds, id=name)
        for name, seconds, run in (("tell", 1, self._tell), ("ping", 60, self._ping)):
            turn = self._surviving(name, run)
            self._scheduler.add_job(
                turn, "interval", seconds=seconds, id=name, executor="people", next_run_time=clock.now()
            )
        self._scheduler.start()
        self.nudge()

    def stop(self) -> None:
        """Let running beats finish, and say good-bye."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        with suppress(DBAPIError):
            beats.leave(self._ledger, self._who)

    def hung(self) -> list[str]:
        """The beats that began long ago and have not come back."""
        long_ago = time.monotonic() - _HUNG_SECONDS
        return [f"the beat {name} hangs" for name, since in list(self._running.items()) if since < long_ago]

    def nudge(self) -> None:
        """Something may go now: release without waiting for the next beat."""
        if self._scheduler.running and not self._nudged.is_set():
            self._nudged.set()
            self._arm("nudge", timedelta(0))

    def _arm(self, name: str, wait: timedelta) -> None:
        if self._stopping.is_set():
            return
        self._scheduler.add_job(
            self._surviving("release", self._release),
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
            beats.beat(self._ledger, "scheduler", self._who)
            self._lookout.look()
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

    def _neighbours(self) -> None:
        look_for_neighbours(self._ledger, self._broker)

    def _surviving(self, name: str, run: Callable[[], None]) -> Callable[[], None]:
        """A beat that meets a database that is away is tried again at its next turn."""

        def once() -> None:
            if self._stopping.is_set():
                return
            begun = self._running[name] = time.monotonic()
            try:
                run()
            except DBAPIError as error:
                metrics.database_error(name)
                log.error("the ledger cannot be used now", beat=name, error=str(error.orig))
            except WrongSchemaError as error:
                log.error(str(error))
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                log.exception("a beat failed", beat=name)
            finally:
                self._running.pop(name, None)
                metrics.beat(name, time.monotonic() - begun)

        return once
