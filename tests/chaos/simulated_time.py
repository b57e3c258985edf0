"""Virtual time, and all that happens in it, one thing at a time: the same again for the same seed.

Processes of the simulated house are no processes. What they do while a platform is slow runs in strands: threads of
which exactly one runs at any moment, handed on by the timeline. A process that is killed has its strands end where
they wait, and forgets what it knew.
"""

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from unittest.mock import patch

from carillon.ledger.owners import Owner

_SECOND = 1_000_000  # of the timeline, which counts whole microseconds, so that no two runs round differently
_UP_FOR = 1_000.0  # what `ticks` says at the start


class Killed(BaseException):
    """The simulated process dies here: no `except Exception` of the product's may stop it."""


@dataclass(eq=False)
class Process:
    """A process of the house. After `doom` more of its statements it is killed; a frozen one goes on when it thaws."""

    role: str
    pid: int
    host: str
    alive: bool = True
    doom: int | None = None
    frozen_until: float = 0.0

    def meets_its_doom(self) -> bool:
        """To be asked before each statement, and before and after each commit."""
        if self.doom is not None:
            self.doom -= 1
        return self.doom is not None and self.doom < 0


class Strand:
    """One order that a process carries out; it waits for the platform while others go on."""

    def __init__(self, process: Process, subject: int, run: Callable[[], None]) -> None:
        self.process, self.subject = process, subject
        self.ended = self.killed = False
        self.error: Exception | None = None
        self._run = run
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._live, daemon=True).start()

    def resume(self) -> None:
        """Run it until it waits again, or ends. Raises what it raised."""
        self._go.release()
        self._back.acquire()
        if self.error:
            raise self.error

    def wait(self) -> None:
        """Called by the strand itself. Raises Killed."""
        self._back.release()
        self._go.acquire()
        if self.killed:
            raise Killed

    def _live(self) -> None:
        self._go.acquire()
        try:
            if not self.killed:
                self._run()
        except Killed:
            self.process.alive = False
        except Exception as error:  # noqa: BLE001  it is raised where the timeline runs
            self.error = error
        self.ended = True
        self._back.release()


@dataclass(order=True)
class _Entry:
    at: int
    number: int
    do: Callable[[], None] = field(compare=False)


class Timeline:
    """`seconds` since the start; `now` is what the host's clock shows, which may be wrong by `offset`."""

    def __init__(self, start: datetime) -> None:
        self.start, self.offset = start, timedelta()
        self.process: Process | None = None
        self.strands: list[Strand] = []
        self.steps: list[tuple[float, float]] = []
        self._now = 0
        self._current: Strand | None = None
        self._entries: list[_Entry] = []
        self._numbers = count()

    @property
    def seconds(self) -> float:
        return self._now / _SECOND

    def now(self) -> datetime:
        return self.start + timedelta(microseconds=self._now) + self.offset

    def true_now(self) -> datetime:
        """By the platforms' clock, which nobody steps."""
        return self.start + timedelta(microseconds=self._now)

    def ticks(self) -> float:
        return _UP_FOR + self.seconds

    def shown(self, seconds: float) -> datetime:
        """What the host's clock showed then."""
        return self.start + timedelta(seconds=seconds + sum(step for at, step in self.steps if at <= seconds))

    def seconds_at(self, instant: datetime) -> float:
        """When the host's clock first showed that, or will if nobody steps it again."""
        asked, offset, since = (instant - self.start).total_seconds(), 0.0, 0.0
        for at, step in self.steps:
            if asked - offset < at:
                break
            offset, since = offset + step, at
        return max(asked - offset, since)

    def step(self, seconds: float) -> None:
        """Set the host's clock."""
        self.offset += timedelta(seconds=seconds)
        self.steps.append((self.seconds, seconds))

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        entry = _Entry(max(self._now, round(seconds * _SECOND)), next(self._numbers), do)
        heapq.heappush(self._entries, entry)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.seconds + seconds, do)

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self._now + round(seconds * _SECOND)
        while self._entries and self._entries[0].at <= end:
            entry = heapq.heappop(self._entries)
            self._now = max(self._now, entry.at)
            entry.do()
        self._now = max(self._now, end)

    def begin(self, strand: Strand) -> None:
        self.strands.append(strand)
        self._resume(strand)

    def sleep(self, seconds: float) -> None:
        """Called by a strand: come back that much later. Raises Killed."""
        strand = self._current
        assert strand is not None, "only a strand may wait"
        self.after(seconds, lambda: self._resume(strand))
        strand.wait()

    def subject(self) -> int:
        """What the strand that runs now is about."""
        assert self._current is not None
        return self._current.subject

    def kill(self, process: Process) -> None:
        """SIGKILL: what it had begun ends where it waits, and none of it is finished."""
        process.alive = False
        for strand in [strand for strand in self.strands if strand.process is process and strand is not self._current]:
            strand.killed = True
            self._resume(strand)

    @contextmanager
    def as_process(self, process: Process) -> Iterator[None]:
        before, self.process = self.process, process
        try:
            yield
        finally:
            self.process = before

    def _resume(self, strand: Strand) -> None:
        if strand.ended:
            return
        strand.killed |= not strand.process.alive
        if strand.process.frozen_until > self.seconds and not strand.killed:
            self.at(strand.process.frozen_until, lambda: self._resume(strand))
            return
        before, self._current = self._current, strand
        with self.as_process(strand.process):
            strand.resume()
        self._current = before
        if strand.ended:
            self.strands.remove(strand)


@contextmanager
def in_force(timeline: Timeline, processes: Callable[[int], bool]) -> Iterator[None]:
    """Carillon reads this clock, and these are the processes of its hosts; `processes` says which pids live."""

    def this(_: int) -> Owner:
        process = timeline.process
        assert process is not None
        return Owner(process.host, process.pid, f"born {process.pid}")

    def host() -> str:
        return timeline.process.host if timeline.process else "a"

    def birth(pid: int) -> str | None:
        return f"born {pid}" if processes(pid) else None

    with (
        patch.multiple("carillon.clock", now=timeline.now, ticks=timeline.ticks),
        patch.multiple("carillon.ledger.owners", _of=this, _host=host, _birth=birth),
    ):
        yield
