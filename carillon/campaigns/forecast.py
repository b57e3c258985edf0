"""When each broadcast of one account would go under its limit, quiet hours, priorities and expiries.

A plain function over occurrences: no ledger, no clock of its own. Broadcasts that wait go in the order of the
limit's rule (higher priority, earlier expiry, older due time), and a slot frees one window after its send.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import count
from zoneinfo import ZoneInfo

from carillon.campaigns.catalogue import Entry
from carillon.campaigns.creators import Creator
from carillon.campaigns.occurrences import Occurrence


@dataclass(frozen=True, slots=True)
class Outlook:
    """One broadcast to come. `goes` is None if it cannot go before it expires, or is left out by `overlap: skip`.

    `in_the_way` names the campaigns that have the slots instead, those with most of them first.
    """

    entry: Entry
    occurrence: Occurrence
    expires: datetime
    goes: datetime | None
    skipped: bool = False
    in_the_way: tuple[str, ...] = ()

    @property
    def conflict(self) -> bool:
        return self.goes is None and not self.skipped


def forecast(entries: Iterable[Entry], start: datetime, end: datetime) -> Iterator[Outlook]:
    """All broadcasts of one creator's entries that fall due in start < instant <= end, each as its fate is known."""
    return _run(list(entries), start, end, thinned=False)


def thinned_forecast(entries: Iterable[Entry], start: datetime, end: datetime) -> Iterator[Outlook]:
    """As `forecast`, but a flood does not pile up.

    Once a campaign surely has more waiting than can go in time, what comes on top is told as a conflict at once. So
    conflicts show early, though it may be an older broadcast of the campaign that could not go.
    """
    return _run(list(entries), start, end, thinned=True)


def _run(entries: list[Entry], start: datetime, end: datetime, thinned: bool) -> Iterator[Outlook]:
    if not entries:
        return iter(())
    return _Account(entries[0].creator, start, thinned).run(_arrivals(entries, start, end))


def _arrivals(entries: list[Entry], start: datetime, end: datetime) -> Iterator[tuple[Entry, Occurrence]]:
    streams = [_stream(entry, number, start, end) for number, entry in enumerate(entries)]
    ordered = merge(*streams) if len(streams) > 1 else streams[0]
    return ((entries[number], occurrence) for _, number, _, occurrence in ordered)


def _stream(
    entry: Entry, number: int, start: datetime, end: datetime
) -> Iterator[tuple[datetime, int, int, Occurrence]]:
    """In the order of due times: jitter may turn that of the instants."""
    early: list[tuple[datetime, int, int, Occurrence]] = []
    for index, occurrence in enumerate(entry.occurrences(start, end)):
        while early and early[0][0] <= occurrence.instant:
            yield heappop(early)
        heappush(early, (occurrence.due, number, index, occurrence))
    while early:
        yield heappop(early)


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    occurrence: Occurrence
    expires: datetime


class _Account:
    """The slots of one account, and what waits for them."""

    def __init__(self, creator: Creator, start: datetime, thinned: bool) -> None:
        self.now = start
        self.thinned = thinned
        self.limit = creator.limit
        self.quiet = creator.quiet_hours
        self.zone = ZoneInfo(creator.zone or "UTC")
        self.sent: deque[datetime] = deque(maxlen=creator.limit.count)
        self.history: deque[tuple[datetime, str]] = deque()
        self.waiting: list[tuple[int, datetime, datetime, int, _Waiting]] = []
        self.queued: defaultdict[str, deque[datetime]] = defaultdict(deque)  # expiries, by campaign
        self.order = count()

    def run(self, arrivals: Iterator[tuple[Entry, Occurrence]]) -> Iterator[Outlook]:
        following = next(arrivals, None)
        while following is not None or self.waiting:
            if not self.waiting and following is not None:
                self.now = max(self.now, following[1].due)
            self.now = self._free_slot()
            while following is not None and following[1].due <= self.now:
                yield from self._arrive(*following)
                following = next(arrivals, None)
            if self.waiting and self._open():
                yield self._next()

    def _free_slot(self) -> datetime:
        if len(self.sent) < self.limit.count:
            return self.now
        return max(self.now, self.sent[0] + self.limit.window)

    def _open(self) -> bool:
        """Whether something may go now; if it is quiet, time moves on to the end of it."""
        quiet_until = self._quiet_until(self.now)
        if quiet_until is not None:
            self.now = quiet_until
        return quiet_until is None

    def _quiet_until(self, instant: datetime) -> datetime | None:
        return self.quiet.ends_after(instant, self.zone) if self.quiet is not None else None

    def _arrive(self, entry: Entry, occurrence: Occurrence) -> Iterator[Outlook]:
        expires = (self._quiet_until(occurrence.due) or occurrence.due) + entry.expires_after
        queued = self._queued(entry)
        if entry.overlap == "skip" and queued:
            yield Outlook(entry, occurrence, expires, None, skipped=True)
            return
        if self.thinned and len(queued) >= self._most_slots(expires):
            yield Outlook(entry, occurrence, expires, None, in_the_way=self._in_the_way(entry, occurrence, expires))
            return
        queued.append(expires)
        waiting = _Waiting(entry, occurrence, expires)
        heappush(self.waiting, (-entry.priority, expires, occurrence.due, next(self.order), waiting))

    def _queued(self, entry: Entry) -> deque[datetime]:
        """What still waits of a campaign, first in, first out."""
        queued = self.queued[entry.campaign]
        while queued and queued[0] <= self.now:
            queued.popleft()
        return queued

    def _most_slots(self, expires: datetime) -> int:
        """At least as many as can free until then."""
        return self.limit.count * ((expires - self.now) // self.limit.window + 2)

    def _next(self) -> Outlook:
        head = heappop(self.waiting)[-1]
        queued = self._queued(head.entry)
        if head.expires <= self.now:
            return Outlook(
                head.entry,
                head.occurrence,
                head.expires,
                None,
                in_the_way=self._in_the_way(head.entry, head.occurrence, head.expires),
            )
        queued.popleft()
        self.sent.append(self.now)
        self._remember(head.entry)
        return Outlook(head.entry, head.occurrence, head.expires, self.now)

    def _remember(self, entry: Entry) -> None:
        self.history.append((self.now, entry.campaign))
        while len(self.history) > 2 * self.limit.count and self.history[0][0] < self.now - timedelta(days=1):
            self.history.popleft()

    def _in_the_way(self, entry: Entry, occurrence: Occurrence, expires: datetime) -> tuple[str, ...]:
        since = occurrence.due - self.limit.window
        names = Counter(campaign for sent, campaign in self.history if since < sent < expires)
        return tuple(campaign for campaign, _ in names.most_common()) or (entry.campaign,)
