"""Why a broadcast that was due could not go yet: whatever none of this explains was needless.

All from the script, the platforms' log and the schedules; of the ledger, only in which states a broadcast stood when.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from carillon.ledger.states import State
from carillon.wall_clock import instant_of
from chaos.simulated_house import House
from chaos.simulated_judge import Books
from chaos.simulated_platform import Sent, retry_after_seconds
from chaos.simulation_schedules import Creator

if TYPE_CHECKING:
    from chaos.simulation_checker import Script

LEFT_WITHIN = 0.5
_LEASE_AND_TIMEOUT = 50.0
_SWEPT_WITHIN = 36.0  # seconds after an order was given, for the first time; each later time twice that
_SWEPT_AT_MOST = 306.0
_ACTIVE = {State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN}
_AWAY_FROM_THE_WAY = {State.UNKNOWN, State.HELD, State.FAILED, State.SKIPPED, State.EXPIRED, State.CANCELLED}

Interval = tuple[float, float]


class Excuses:
    def __init__(self, house: House, script: "Script", books: Books, creators: Mapping[str, Creator]) -> None:
        self._house, self._script, self._books, self._creators = house, script, books, creators
        self._sends: dict[str, list[Sent]] = defaultdict(list)
        for sent in house.platforms.log:
            self._sends[sent.creator].append(sent)
        self._pairs: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in books.broadcasts.values():
            self._pairs[row.campaign, row.creator].append(row)
        self._everybodys = self._of_everybody()
        self.full = cache(self._full)

    def needlessly_late(self, sent: Sent, row: Any, due: float) -> tuple[float, float]:
        """(seconds, from when on): the longest time before the send in which nothing held it."""
        waits = (one for one in self._of(sent, row, due) if one[1] > due and one[0] < sent.began)
        full = (one for one in self.full(row.creator) if one[1] > due and one[0] < sent.began)
        worst, since, at = 0.0, due, due
        for begun, ended in [*sorted([*map(self._with_steps_back, waits), *full]), (sent.began, sent.began)]:
            if begun - at > worst:
                worst, since = begun - at, at
            at = max(at, ended)
        return worst, since

    def _with_steps_back(self, one: Interval) -> Interval:
        """Whatever waits for an instant waits so much longer."""
        begun, ended = one
        steps = self._house.timeline.steps
        return begun, ended - sum(step for at, step in steps if step < 0 and begun <= at <= ended)

    def asked_to_wait(self, sent: Sent) -> float:
        """By how much it began before the end of a Retry-After that had come back before, to somebody who lived on."""
        ends = [
            other.ended + (retry_after_seconds(other.fate) or 0.0)
            for other in self._sends[sent.creator]
            if other.fate.kind == "throttled" and other.ended is not None and other.ended < sent.began - 0.2
            if not self._unrecorded(other)
        ]
        # A step of the house's clock forward ends its waiting that much earlier.
        forward = sum(step for at, step in self._house.timeline.steps if step > 0)
        return max(0.0, max(ends, default=0.0) - sent.began - forward)

    def times_in(self, id_: int, states: Collection[State]) -> list[Interval]:
        found, since = [], None
        for event in self._books.events[id_]:
            at = self._house.timeline.seconds_at(event.at)
            if since is not None and event.target not in states:
                found.append((since, at))
                since = None
            elif since is None and event.target in states:
                since = at
        return found + ([(since, self._house.timeline.seconds)] if since is not None else [])

    def overlap(self, intervals: Sequence[Interval], since: float, until: float) -> float:
        return sum(max(0.0, min(until, ended) - max(since, begun)) for begun, ended in intervals)

    def _of(self, sent: Sent, row: Any, due: float) -> Iterator[Interval]:
        yield from self._everybodys
        yield from self._sweeps(due, sent.began)
        creator = self._creators[row.creator]
        yield from self._quiet(creator, due, sent.began)
        yield from self._cooling(row.creator)
        yield from self._script.stopped[row.creator]
        yield from ((begun, ended + 1_000) for begun, ended in self._script.outages[row.platform])
        yield from self._own_attempts(row.id)
        yield from self.times_in(row.id, _AWAY_FROM_THE_WAY)
        for other in self._pairs[row.campaign, row.creator]:
            if self._first_due(other) < due:
                yield from ((begun, ended + 0.3) for begun, ended in self._active(other.id))

    def _of_everybody(self) -> list[Interval]:
        script = self._script
        found = [(begun, ended + 0.3) for begun, ended in script.scheduler_down + script.worker_down]
        found += [(begun, ended + 6.0) for begun, ended in script.queue_away]
        # Who is frozen still takes orders; the sweep gives them again, each time after twice as long.
        found += [(begun, ended + min(_SWEPT_AT_MOST, _SWEPT_WITHIN + ended - begun)) for begun, ended in script.frozen]
        # What had just been released is not due any more after a step back, and is left to the sweep.
        swept = [(at - 0.5, at + abs(step) + _SWEPT_WITHIN) for at, step in self._house.timeline.steps if step < 0]
        return found + swept + [(at - 0.5, at + abs(step) + 1.0) for at, step in self._house.timeline.steps]

    def _sweeps(self, due: float, began: float) -> Iterator[Interval]:
        """An order that was lost is given again by the sweep, each time later."""
        patience = _SWEPT_WITHIN
        for at in sorted(self._script.lost_orders):
            if due - 1 <= at <= began:
                yield at, at + min(_SWEPT_AT_MOST, patience)
                patience *= 2

    def _quiet(self, creator: Creator, due: float, began: float) -> Iterator[Interval]:
        if creator.quiet is None:
            return
        timeline = self._house.timeline
        minute = timeline.start.replace(second=0) + timedelta(minutes=due // 60 - 2)
        while (begins := timeline.seconds_at(minute)) <= began:
            if creator.is_quiet(minute):
                yield begins - 0.5, begins + 60.2
            minute += timedelta(minutes=1)

    def _full(self, creator: str) -> tuple[Interval, ...]:
        """When every slot of the account was taken by what was, or may have been, accepted, or was under way."""
        count, changes = self._creators[creator].limit[0], []
        for sent, free in self._slots(creator):
            changes += [(sent.began - 0.3, 1), (free + 0.1, -1)]
        found, used, since = [], 0, 0.0
        for at, change in sorted(changes):
            if used < count <= used + change:
                since = at
            if used >= count > used + change:
                found.append((since, at))
            used += change
        return tuple(found)

    def _slots(self, creator: str) -> Iterator[tuple[Sent, float]]:
        """Each send, and when its slot was free again.

        Slots are kept by the house's clock. One that ended before a step back lasts so much longer, and after it none
        begins or ends before the latest that was taken.
        """
        timeline, window = self._house.timeline, timedelta(seconds=self._creators[creator].limit[2])
        kept = [sent for sent in self._sends[creator] if self._keeps_its_slot(sent)]
        latest = list(accumulate((sent.claimed_at for sent in kept), max))
        for sent in kept:
            unseen = sent.ended is None or self._unrecorded(sent)
            at, lasts = (sent.began, _LEASE_AND_TIMEOUT) if unseen else (sent.ended or sent.began, 0.0)
            before = bisect_right(kept, at, key=lambda one: one.began)
            ended = max(timeline.shown(at), latest[before - 1]) + timedelta(seconds=lasts)
            yield sent, timeline.seconds_at(ended + window)
        for sent in self._sends[creator]:
            if not self._keeps_its_slot(sent):
                yield sent, sent.ended or sent.began

    def _keeps_its_slot(self, sent: Sent) -> bool:
        return sent.taken or sent.in_doubt or self._unrecorded(sent)

    def _unrecorded(self, sent: Sent) -> bool:
        """Its answer came, and its owner died before it was written down."""
        return any(
            event.why.startswith("unknown_outcome: its worker")
            and sent.began < self._house.timeline.seconds_at(event.at) < sent.began + 60
            for event in self._books.events[sent.broadcast]
        )

    def _cooling(self, creator: str) -> Iterator[Interval]:
        """A broadcast goes by the 429s in a row that it was read with, whatever is accepted beside it."""
        in_a_row, counts = 0, [(0.0, 0)]
        for sent in sorted(self._sends[creator], key=lambda one: one.ended or one.began):
            if sent.fate.kind == "throttled" and sent.ended is not None:
                read_with = counts[bisect_right(counts, sent.began, key=lambda one: one[0]) - 1][1]
                asked = retry_after_seconds(sent.fate)
                waited = _backoff(max(in_a_row, read_with)) if asked is None else asked
                yield sent.began, sent.ended + max(1.0, waited) + 0.2
                in_a_row += 1
            elif sent.taken and not sent.in_doubt and not self._unrecorded(sent):
                in_a_row = 0
            counts.append((sent.ended or sent.began, in_a_row))

    def _own_attempts(self, id_: int) -> Iterator[Interval]:
        put_offs = 0
        for sent in self._house.platforms.log:
            if sent.broadcast == id_:
                ended = sent.ended if sent.ended is not None else sent.began + _LEASE_AND_TIMEOUT
                not_sent = sent.arrived is None or sent.in_doubt
                yield sent.began, ended + (_backoff(put_offs) if not_sent else 0.2)
                put_offs += not_sent
        for begun, ended in self.times_in(id_, {State.UNKNOWN}):
            yield begun, ended + _backoff(put_offs)

    def _first_due(self, row: Any) -> float:
        """Before a person had it go again, which makes it due anew."""
        local, _, zone = row.occurrence.partition(" ")
        named = instant_of(datetime.fromisoformat(local), ZoneInfo(zone)) if zone else datetime.fromisoformat(local)
        return min(self._house.timeline.seconds_at(at) for at in (row.due_at, named))

    @cache  # noqa: B019  one judge lives as long as its simulation
    def _active(self, id_: int) -> tuple[Interval, ...]:
        row = self._books.broadcasts[id_]
        due = self._first_due(row)
        gone = [since for since, _ in self.times_in(id_, set(State) - _ACTIVE)]
        again = [since for since, _ in self.times_in(id_, _ACTIVE)]
        begins = sorted([min(due, again[0] if again else due), *again])
        ends = sorted([*gone, self._house.timeline.seconds])
        return tuple((begun, ends[min(bisect_right(ends, begun), len(ends) - 1)]) for begun in begins)


def _backoff(tries: int) -> float:
    """The longest that is drawn after so many in a row."""
    return min(900.0, 2.0 * 2.0 ** min(tries, 20)) + 0.2
