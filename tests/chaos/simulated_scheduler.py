"""One scheduler process: the product's beats, called when one of them would find something to do."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, func, select

from carillon import clock
from carillon.ledger import beats
from carillon.ledger.connect import Ledger
from carillon.ledger.states import State
from carillon.ledger.tables import Instant, alarms, attempts, broadcasts, creators
from carillon.platforms.roster import PLATFORMS
from chaos.simulated_queue import Queue
from chaos.simulated_time import Process, Timeline
from scheduler.missed import catch_up, gap
from scheduler.plan import plan
from scheduler.prepare import AHEAD, Preparations
from scheduler.publish import Publisher
from scheduler.release import release
from scheduler.rescue import Reminders, recheck_stopped, rescue
from scheduler.sweep import expire, sweep, sweep_all
from scheduler.watch import watch

_PLANS_EVERY = timedelta(hours=6)
_BEATS_EVERY = timedelta(hours=6)  # whoever dies is made to have beaten just before
_SWEEPS_EVERY = timedelta(seconds=5)
_WATCHES_AFTER = timedelta(seconds=2)
_WATCHES_EVERY = timedelta(minutes=1)
_SOON = timedelta(seconds=1)
_LEAST = 0.02
_LONGEST = 6 * 3600.0


def _first(instant: Any, *which: ColumnElement[bool]) -> Any:
    return select(func.min(instant)).where(*which).scalar_subquery()


def _count(table: Table, *which: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*which).scalar_subquery()


_STATE = broadcasts.c.state
_NOW = bindparam("now", type_=Instant)
_WAITING = _STATE.in_((State.PLANNED, State.QUEUED))
_SENDING = select(broadcasts.c.id).where(_STATE == State.SENDING)
_PULSE = select(
    _first(creators.c.wake_at).label("wake"),
    _first(broadcasts.c.due_at, _STATE == State.PLANNED, broadcasts.c.due_at > _NOW).label("due"),
    _first(broadcasts.c.expires_at, _WAITING).label("expires"),
    _first(broadcasts.c.hand_off_at, _STATE == State.QUEUED).label("lost"),
    _first(func.coalesce(broadcasts.c.hand_off_at, broadcasts.c.state_since), _STATE == State.UNKNOWN).label("unknown"),
    _first(attempts.c.lease_until, attempts.c.broadcast_id.in_(_SENDING)).label("lease"),
    _count(creators, creators.c.stopped_at.is_not(None)).label("stopped"),
    _count(broadcasts, _STATE.in_((State.QUEUED, State.SENDING, State.UNKNOWN))).label("under_way"),
    _count(broadcasts, _STATE == State.PLANNED, broadcasts.c.due_at < _NOW).label("overdue"),
    _count(broadcasts, _STATE.in_((State.UNKNOWN, State.HELD))).label("doubtful"),
    _count(alarms).label("alarms"),
    _count(alarms, alarms.c.cleared_at.is_(None)).label("open"),
)
"""When what would be found next, of everything that is under way, and what the watch would look at."""


class Scheduler:
    def __init__(self, process: Process, ledger: Ledger, queue: Queue, path: Path, timeline: Timeline) -> None:
        self.process = process
        self._ledger, self._queue, self._timeline = ledger, queue, timeline
        self._who = f"scheduler {process.pid}"
        self._publisher = Publisher(ledger, path, frozenset(PLATFORMS), self._who)
        self._preparations, self._reminders = Preparations(), Reminders()
        self._beat_at = self._planned_at = clock.now() - _PLANS_EVERY * 2
        self._has_beaten = False
        self._sweep_at = clock.now()
        self._watched_at = clock.now() - _PLANS_EVERY
        self._watched: tuple[int, ...] = ()

    def start(self, *, embedded: bool) -> None:
        self._publisher.start()
        missed = gap(self._ledger)
        assert self._publisher.catalogue is not None
        if missed:
            catch_up(self._ledger, self._publisher.catalogue, missed, self._who)
        self._beat()
        self._plan()
        if embedded:
            sweep_all(self._ledger, self._queue, self._who)

    def look(self) -> None:
        """The files were edited: once to see it, once more to see that it lasts."""
        for _ in range(2):
            if self._publisher.look():
                self._plan()

    def tick(self) -> float:
        """One round of beats; returns in how many seconds the next finds something to do."""
        now = clock.now()
        if not timedelta() <= now - self._beat_at < _BEATS_EVERY:
            self._beat()
        if not timedelta() <= now - self._planned_at < _PLANS_EVERY:
            self._plan()
        before = self._pulse()
        if before.expires is not None and before.expires <= now:
            expire(self._ledger, self._who)
        if before.lease is not None or before.unknown is not None:
            rescue(self._ledger, self._queue, self._reminders, self._who)
        if before.stopped:
            recheck_stopped(self._ledger, self._queue, self._reminders)
        if before.due is not None and before.due - AHEAD <= now:
            self._preparations.order(self._ledger, self._queue)
        assert self._publisher.catalogue is not None
        if before.wake is not None and before.wake <= now:
            release(self._ledger, self._queue, self._publisher.catalogue.campaigns.keys(), self._who)
        if before.lost is not None and before.lost <= now and now >= self._sweep_at:
            self._sweep_at = now + _SWEEPS_EVERY
            sweep(self._ledger, self._queue, self._who)
        self._watch(before, now)
        return self._next()

    def beaten_before(self, seconds: float) -> None:
        """Its last beat was that long ago, or later; who dies at the start may never have beaten."""
        if not self._has_beaten or clock.now() - self._beat_at <= timedelta(seconds=seconds):
            return
        self._timeline.offset -= timedelta(seconds=seconds)
        self._beat()
        self._timeline.offset += timedelta(seconds=seconds)

    def _watch(self, pulse: Any, now: datetime) -> None:
        """When it would find what it did not the last time, and each minute while anything may become late."""
        seen = _watched(pulse)
        since = now - self._watched_at
        new = seen != self._watched and abs(since) >= _WATCHES_AFTER
        if new or since >= _patience(pulse):
            watch(self._ledger)
            self._watched, self._watched_at = seen, now

    def _beat(self) -> None:
        beats.beat(self._ledger, "scheduler", self._who)
        self._beat_at, self._has_beaten = clock.now(), True

    def _plan(self) -> None:
        assert self._publisher.catalogue is not None
        plan(self._ledger, self._publisher.catalogue, self._publisher.generation, self._who)
        self._planned_at = clock.now()

    def _next(self) -> float:
        now, pulse = clock.now(), self._pulse()
        instants = [now + timedelta(seconds=_LONGEST)]
        instants += [at for at in (pulse.wake, pulse.expires, pulse.lease) if at is not None]
        instants += [now + _patience(pulse)]
        instants += [now + _WATCHES_AFTER] if _watched(pulse) != self._watched else []
        instants += [max(pulse.lost, self._sweep_at)] if pulse.lost is not None else []
        instants += [max(pulse.unknown, now + _SOON)] if pulse.unknown is not None else []
        instants += [at for at in (pulse.due, pulse.due and pulse.due - AHEAD) if at is not None and at > now]
        return max(_LEAST, (min(instants) - now).total_seconds())

    def _pulse(self) -> Any:
        with self._ledger.read() as session:
            return session.execute(_PULSE, {"now": clock.now()}).one()


def _watched(pulse: Any) -> tuple[int, ...]:
    """What it has no patience with."""
    return (pulse.doubtful, pulse.alarms, pulse.open)


def _patience(pulse: Any) -> timedelta:
    """How soon something may have stood too long; what is overdue mostly waits for hours, and rightly."""
    if pulse.under_way:
        return _WATCHES_EVERY
    return _WATCHES_EVERY * 15 if pulse.overdue else timedelta(seconds=_LONGEST)
