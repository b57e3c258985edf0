"""The list of beats, and the scheduler that runs them.

`release` is armed anew for the ledger's next due instant, and whoever changes something nudges it. The other beats are
sweeps that may run at any time, late or twice, without harm. They rest for long: a look at the ledger, every now and
then, calls those that have something to do, and arms `release` for what nobody told.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import dramatiq
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.handoff.broker import QueueOnRedis
from carillon.handoff.doorbell import RELEASE, Listener
from carillon.ledger import beats
from carillon.ledger.connect import Ledger
from carillon.monitoring.absent import Lookout
from scheduler.agenda import Agenda
from scheduler.clock_guard import ClockGuard
from scheduler.clock_steps import ClockSteps
from scheduler.collect import collect
from scheduler.files import forget_gone
from scheduler.missed import GRACE, catch_up, gap
from scheduler.neighbours import look_for_neighbours
from scheduler.orphans import Orphans
from scheduler.placed import follow_placed
from scheduler.plan import plan
from scheduler.prepare import Preparations
from scheduler.publish import Publisher
from scheduler.pulse import Pulse
from scheduler.release import next_wake, release
from scheduler.rescue import Reminders, recheck_stopped, rescue
from scheduler.signs import Question
from scheduler.sweep import expire, sweep
from scheduler.turns import Turns
from scheduler.uploads import order_uploads, tidy_store
from scheduler.watch import watch

log = structlog.get_logger()

_SOON = timedelta(seconds=5)
"""What is further ahead than this is armed later, after another look."""

_LEAST = timedelta(milliseconds=20)

_PAUSE = 0.1
"""Seconds at least from one release to one that is only nudged: while thousands are sent, each says something."""

_AT_THE_START = 2.0
"""Seconds that planning may take before the other beats begin; the rest is planned beside them."""


class Timetable:
    """Runs the beats in threads of its own; one for a process. `tell` delivers alarms, `ping` says that all is well."""

    def __init__(
        self,
        ledger: Ledger,
        broker: dramatiq.Broker,
        publisher: Publisher,
        agenda: Agenda,
        who: str,
        tell: Callable[[], None],
        ping: Callable[[], None],
    ) -> None:
        self._ledger, self._broker, self._publisher, self._who = ledger, broker, publisher, who
        self._agenda, self._tell, self._ping = agenda, tell, ping
        self._preparations, self._reminders, self._orphans = Preparations(), Reminders(), Orphans()
        self._lookout = Lookout(ledger, "scheduler")
        self._turns = Turns()
        self._guard, self._steps = ClockGuard(self._wind_up), ClockSteps(ledger)
        self._question = Question(ledger)
        glance = self._turns.of("glance", self._glance, is_beat=False)
        self._pulse = Pulse(glance, self._question.close)
        self._doorbell = Listener(broker, RELEASE, lambda _: self.nudge(), self._hear)
        self._beating, self._releasing = threading.Lock(), threading.Lock()
        self._nudged, self._stopping = threading.Event(), threading.Event()
        self._last_beat = self._tried = self._released = clock.ticks()
        self._stood_still = True  # until its first beat it has not run at all
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(4), "release": ThreadPoolExecutor(2)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Catch up first, so that nothing is released that was missed."""
        self._beat()
        begun = clock.ticks()
        self._plan(lambda: clock.ticks() - begun > _AT_THE_START)
        for name, rest, run in (
            ("look", 30, self._look),
            ("prepare", 120, self._prepare),
            ("expire", 120, self._expire),
            ("rescue", 120, self._rescue),
            ("recheck", 120, self._recheck),
            ("follow", 120, self._follow),
            ("collect", 120, self._collect),
            ("uploads", 120, self._uploads),
            ("watch", 30, self._watch),
            ("sweep", 120, self._sweep),
            ("beat", 10, self._beat),
            ("plan", 60, self._plan),
            ("tell", 20, self._tell),
            ("neighbours", 60, self._neighbours),
            ("tidy", 60, self._tidy),
            ("store", 3600, self._tidy_store),
            ("ping", 60, self._ping),
        ):
            turn = self._turn(name, run)
            self._scheduler.add_job(turn, "interval", seconds=rest, id=name, next_run_time=clock.now())
        self._scheduler.start()
        for watcher in (self._guard, self._pulse, self._doorbell):
            watcher.start()
        self.nudge()

    def stop(self) -> None:
        """Let running beats finish, and say good-bye."""
        self._stopping.set()
        for watcher in (self._guard, self._pulse, self._doorbell):
            watcher.stop()
        self._scheduler.shutdown(wait=True)
        with suppress(SQLAlchemyError):
            beats.leave(self._ledger, self._who)

    def hung(self) -> list[str]:
        """The beats that have not come back, or do not begin."""
        return self._turns.hung()

    def wrong(self) -> list[str]:
        """The same, and whether the ledger has been away: then no alarm could reach anybody."""
        late = clock.ticks() - self._last_beat > GRACE.total_seconds()
        return self.hung() + (["this scheduler could not beat for a minute"] if late else [])

    def nudge(self) -> None:
        """Something may go now: release, for many nudges in a moment only once."""
        if self._scheduler.running and not self._nudged.is_set():
            self._nudged.set()
            self._arm("nudge", timedelta(seconds=max(0.0, self._released + _PAUSE - clock.ticks())))

    def _hear(self, hears: bool) -> None:
        self._pulse.hear(hears and isinstance(self._broker, QueueOnRedis))  # elsewhere no command can ring
        self._orphans.doubt()
        self.nudge()

    def _glance(self) -> None:
        signs = self._question.ask()
        for name in self._agenda.due(signs, self._publisher.generation):
            self._scheduler.modify_job(name, next_run_time=clock.now())
        self._arm_for(signs.wake_at - signs.now if signs.wake_at else None, "seen")
        self._steps.look(signs)

    def _arm_for(self, wait: timedelta | None, name: str) -> None:
        """Each who knows of a time by a name of its own, so that none puts off what another one knows of."""
        if wait is not None and wait < _SOON:
            self._arm(name, max(wait, _LEAST))

    def _arm(self, name: str, wait: timedelta) -> None:
        if self._stopping.is_set():
            return
        self._scheduler.add_job(
            self._turn("release", self._release),
            DateTrigger(clock.now() + wait, "UTC"),
            id=name,
            executor="release",
            max_instances=2,
            replace_existing=True,
        )

    def _release(self) -> None:
        with self._releasing:
            self._nudged.clear()
            self._released = clock.ticks()
            if clock.ticks() - self._last_beat > GRACE.total_seconds():
                self._beat()  # the machine slept: what was missed comes before what is due
            catalogue = self._publisher.catalogue
            release(self._ledger, self._broker, catalogue.campaigns.keys() if catalogue else (), self._who)
            wait = next_wake(self._ledger)
            if wait is not None and wait <= timedelta(0):
                self.nudge()  # woken meanwhile, as by each send that ends
            else:
                self._arm_for(wait, "due")

    def _look(self) -> None:
        changed = self._publisher.look()
        self._agenda.looked()
        if changed:
            self._plan()

    def _beat(self) -> None:
        with self._beating:
            self._stood_still |= clock.ticks() - self._tried >= GRACE.total_seconds()
            try:
                self._beat_once()
            finally:
                self._tried = clock.ticks()

    def _beat_once(self) -> None:
        """A scheduler that ran on and could not beat, as its database was away, has missed nothing: it is late."""
        missed = gap(self._ledger) if self._stood_still else None
        if missed and self._publisher.catalogue:
            log.warning("no scheduler ran for a while", since=missed[0], until=missed[1])
            catch_up(self._ledger, self._publisher.catalogue, missed, self._who, self._ends("beat"))
            if self._stopping.is_set():
                return  # what was not caught up yet is missed until it is
        beats.beat(self._ledger, "scheduler", self._who)
        self._stood_still = False
        self._lookout.look()
        self._last_beat = clock.ticks()

    def _plan(self, enough: Callable[[], bool] | None = None) -> None:
        if self._publisher.catalogue:
            catalogue, generation = self._publisher.catalogue, self._publisher.generation
            plan(self._ledger, catalogue, generation, self._who, enough or self._ends("plan"))
            self.nudge()

    def _prepare(self) -> None:
        self._preparations.order(self._ledger, self._broker)

    def _expire(self) -> None:
        expire(self._ledger, self._who)

    def _rescue(self) -> None:
        rescue(self._ledger, self._broker, self._reminders, self._who)

    def _recheck(self) -> None:
        recheck_stopped(self._ledger, self._broker, self._reminders)

    def _follow(self) -> None:
        follow_placed(self._ledger, self._broker, self._reminders)

    def _collect(self) -> None:
        collect(self._ledger, self._broker, self._reminders)

    def _uploads(self) -> None:
        order_uploads(self._ledger, self._broker, self._reminders)

    def _watch(self) -> None:
        watch(self._ledger)

    def _sweep(self) -> None:
        self._orphans.look(self._ledger)
        sweep(self._ledger, self._broker, self._who)

    def _neighbours(self) -> None:
        look_for_neighbours(self._ledger, self._broker)

    def _tidy(self) -> None:
        forget_gone(self._ledger)
        self._steps.clear_old()

    def _tidy_store(self) -> None:
        if self._publisher.store:
            tidy_store(self._ledger, self._publisher.store)

    def _ends(self, name: str) -> Callable[[], bool]:
        """Asked by a beat that takes long: whether it shall end. Who asks does not hang."""

        def asked() -> bool:
            self._turns.go_on(name)
            return self._stopping.is_set()

        return asked

    def _turn(self, name: str, run: Callable[[], None]) -> Callable[[], None]:
        turn = self._turns.of(name, run)
        return lambda: None if self._stopping.is_set() else turn()

    def _wind_up(self) -> None:
        """The host's clock was set: each beat begins anew from now."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=clock.now())
