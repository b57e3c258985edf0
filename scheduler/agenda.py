"""Which beats have something to do, told from what the ledger shows at a glance; the others rest."""

from datetime import datetime, timedelta
from pathlib import Path

from carillon.ledger.tracking import RIPE
from scheduler.prepare import AHEAD
from scheduler.signs import Signs
from scheduler.traces import Trace, traces

_PACE = {
    "prepare": 1.0,
    "expire": 1.0,
    "rescue": 1.0,
    "recheck": 1.0,
    "follow": 1.0,
    "collect": 1.0,
    "uploads": 1.0,
    "sweep": 1.0,
    "watch": 2.0,
    "tell": 2.0,
}
"""Seconds from one run of a beat to the next while it has something to do; those not named here go at each look."""

_AFTER_A_CHANGE = {"watch": 5.0, "tell": 90.0}
"""For so long a change keeps a beat going: alarms are raised soon after, and told in two parts."""

_LOOKS = 10
"""So many looks at the files take up an edit, which must settle, and tell whether they differ from what is in force."""

_WATCH_EVERY = 10.0
"""Seconds, while something is with the workers, and may stay with them for too long."""

_BLIND_SECONDS = 3.0
"""After such a time without a look, as when the ledger was away, everything counts as changed."""

_FILES_EVERY = 0.8


class Agenda:
    """Of one scheduler, which has the campaign files at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ran: dict[str, float] = {}
        self._changed: dict[str, float] = {}
        self._newest: tuple[int | None, int | None] | None = None
        self._traces: frozenset[Trace] | None = None
        self._traced_at = self._shown_at = 0.0
        self._looked = self._looks_wanted = 0

    def due(self, signs: Signs, generation: int) -> list[str]:
        """The names of the beats to run now; `generation` is that of the catalogue which this scheduler follows."""
        self._note_changes(signs, generation)
        names = [name for name in self._stirred(signs) if signs.ended - self._ran.get(name, 0) >= _PACE.get(name, 0)]
        self._ran |= dict.fromkeys(names, signs.ended)
        return names

    def looked(self) -> None:
        """Said after each look at the files that came to its end: on a busy machine that may be long after its call."""
        self._looked += 1

    def _note_changes(self, signs: Signs, generation: int) -> None:
        if signs.ended - self._shown_at > _BLIND_SECONDS:
            self._newest = self._traces = None
        self._shown_at = signs.ended
        newest = (signs.newest_event, signs.newest_alarm)
        if newest != self._newest:
            self._changed["watch"] = signs.ended
        if self._newest is None or newest[1] != self._newest[1]:
            self._changed["tell"] = signs.ended
        self._newest = newest
        if signs.generation != generation or self._files_changed(signs.ended):
            self._looks_wanted = self._looked + _LOOKS

    def _stirred(self, signs: Signs) -> list[str]:
        with_workers = signs.queued or signs.under_way
        stirs = {
            "look": self._looked < self._looks_wanted,
            "prepare": signs.wake_at is not None and signs.wake_at - signs.now <= AHEAD + timedelta(seconds=1),
            "expire": signs.expires_at is not None and signs.expires_at <= signs.now,
            "rescue": signs.under_way,
            "recheck": signs.stopped,
            "follow": _is_past(signs.follow_at, signs),
            "collect": _is_past(signs.collect_at, signs) or _is_past(signs.untracked_since, signs, RIPE),
            "uploads": _is_past(signs.upload_at, signs),
            "sweep": signs.queued,
            **{name: self._changed_within(name, seconds, signs) for name, seconds in _AFTER_A_CHANGE.items()},
        }
        stirs["watch"] |= with_workers and signs.ended - self._ran.get("watch", 0) >= _WATCH_EVERY
        return [name for name, stir in stirs.items() if stir]

    def _changed_within(self, name: str, seconds: float, signs: Signs) -> bool:
        return name in self._changed and signs.ended - self._changed[name] <= seconds

    def _files_changed(self, ticks: float) -> bool:
        if ticks - self._traced_at < _FILES_EVERY:
            return False
        before, self._traces, self._traced_at = self._traces, traces(self._path), ticks
        return self._traces != before


def _is_past(at: datetime | None, signs: Signs, by: timedelta = timedelta(0)) -> bool:
    return at is not None and at <= signs.now - by
