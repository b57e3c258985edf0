"""A house of Carillon in virtual time: its scheduler's beats, its workers' jobs, a queue and a SQLite ledger.

The product's own functions run; what is simulated is what calls them: the clock, the processes, the queue's server, the
platforms. Beats that find nothing to do are left out, and so weeks pass in seconds: the time of the next one that finds
something is asked of the ledger.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts
from chaos.simulated_database import opened
from chaos.simulated_logs import Told, told
from chaos.simulated_platform import Account, Platforms
from chaos.simulated_queue import Queue
from chaos.simulated_scheduler import Scheduler
from chaos.simulated_time import Killed, Process, Strand, Timeline, in_force
from chaos.simulated_worker import Worker

_THREADS = 32  # of a worker: eight for each platform


class House:
    """`embedded`: scheduler, worker and queue are one process, which lives and dies as one."""

    def __init__(self, folder: Path, migrated: Path, start: datetime, seed: int, *, embedded: bool = True) -> None:
        self.folder, self.embedded = folder, embedded
        self.random = random.Random(seed)
        self.timeline = Timeline(start)
        self.platforms = Platforms(self.timeline, self._state_of)
        self.platforms.read_seconds = lambda: self.random.uniform(0.01, 0.04)
        self.queue = Queue()
        self.scheduler: Scheduler | None = None
        self.workers: list[Worker] = []
        self.happened: list[tuple[float, str]] = []
        self.orders: list[tuple[float, float, int]] = []  # begun, ended, broadcast
        self.logged = Told()
        self.died: Callable[[Process], None] = lambda _: None
        self.campaigns = folder / "campaigns.yaml"
        self._person = Process("person", 1, "a")
        self._pids = {1}
        self._numbers = count(2)
        self._tick_at: float | None = None
        self._seed = seed
        self._migrated = migrated
        self._left = ExitStack()

    def __enter__(self) -> Self:
        random.seed(self._seed)  # what the product draws: backoff
        database = self.folder / "carillon.db"
        shutil.copyfile(self._migrated, database)
        self._environment = dict(os.environ)
        self._left.enter_context(in_force(self.timeline, self._pids.__contains__))
        self.logged = self._left.enter_context(told())
        self.ledger: Ledger = self._left.enter_context(opened(database, self.timeline))
        self._left.enter_context(self.timeline.as_process(self._person))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for strand in list(self.timeline.strands):
            self.timeline.kill(strand.process)
        self._left.close()
        os.environ.clear()
        os.environ.update(self._environment)

    def add_account(self, creator: str, platform: str) -> None:
        self.platforms.accounts[creator] = Account(platform, "")
        self.mend_key(creator, f"{creator}-1")

    def mend_key(self, creator: str, key: str) -> None:
        """Both the platform and Carillon have this key from now on."""
        self.platforms.accounts[creator].key = key
        os.environ[f"{creator.upper()}_KEY"] = key
        self.nudge(1.0)
        self.timeline.after(31.0, self.nudge)  # who was stopped for long is looked at each half minute

    def tell(self, words: str) -> None:
        self.happened.append((self.timeline.seconds, words))

    def run(self, seconds: float) -> None:
        self.timeline.run(seconds)

    def _state_of(self, broadcast_id: int) -> str:
        with self.timeline.as_process(self._person), self.ledger.read() as session:
            return str(session.scalar(select(broadcasts.c.state).where(broadcasts.c.id == broadcast_id)))

    # Processes

    def start(self, workers: int = 1) -> None:
        """Start what is not there: embedded both in one process, else a scheduler and so many workers."""
        if self.embedded:
            process = self._born("up")
            self._start_worker(process)
            self._start_scheduler(process)
            return
        while len(self.workers) < workers:
            self._start_worker(self._born("worker", "ab"[len(self.workers) % 2]))
        if self.scheduler is None:
            self._start_scheduler(self._born("scheduler"))

    def kill(self, process: Process) -> None:
        self.tell(f"{process.role} {process.pid} is killed")
        self.timeline.kill(process)
        self._bury()

    def _bury(self) -> None:
        """Processes that died, of whatever, are gone."""
        if self.scheduler and not self.scheduler.process.alive:
            self._pids.discard(self.scheduler.process.pid)
            self.scheduler.beaten_before(self.random.uniform(0, 10))
            dead, self.scheduler = self.scheduler.process, None
            self.died(dead)
        for worker in [worker for worker in self.workers if not worker.process.alive]:
            self._pids.discard(worker.process.pid)
            self.workers.remove(worker)
            self.timeline.kill(worker.process)
            self.nudge(1.0)
            if not self.embedded:
                self.died(worker.process)
        if self.embedded and not self.workers:
            self.queue.forget()

    def _born(self, role: str, host: str = "a") -> Process:
        process = Process(role, next(self._numbers), host)
        self._pids.add(process.pid)
        self.tell(f"{role} {process.pid} starts")
        return process

    def _start_worker(self, process: Process) -> None:
        self.workers.append(Worker(process, self.ledger, self.platforms, self.nudge))
        self._dispatch()

    def _start_scheduler(self, process: Process) -> None:
        self.scheduler = Scheduler(process, self.ledger, self.queue, self.campaigns, self.timeline)
        with self._surviving(process):
            self.scheduler.start(embedded=self.embedded)
        self._dispatch()
        self.nudge(0.0)

    @contextmanager
    def _surviving(self, process: Process) -> Iterator[None]:
        """As that process; the house outlives it."""
        try:
            with self.timeline.as_process(process):
                yield
        except Killed:
            self.tell(f"{process.role} {process.pid} is killed in the middle of a beat")
            process.alive = False
            self._bury()

    # The scheduler's beats

    def nudge(self, within: float = 0.2) -> None:
        """Something may go now: the scheduler looks soon."""
        self._tick_within(self.timeline.seconds, within)

    def edit(self, text: str) -> None:
        """The campaign files say this from now on."""
        self.write(text)
        if self.scheduler:
            with self._surviving(self.scheduler.process):
                self.scheduler.look()
        self.nudge()

    def write(self, text: str) -> None:
        """An edit that nobody sees yet. A real clock may not have moved between two, so the file's time is counted."""
        self.campaigns.write_text(text)
        os.utime(self.campaigns, ns=(0, next(self._numbers)))

    def _tick_within(self, at: float, within: float) -> None:
        at = max(at, self.timeline.seconds) + self.random.uniform(0, within)
        if self._tick_at is None or at < self._tick_at:
            self._tick_at = at
            self.timeline.at(at, self._tick)

    def _tick(self) -> None:
        if self._tick_at is None or self.timeline.seconds < self._tick_at - 1e-6:
            return
        self._tick_at = None
        if self.scheduler is None:
            return
        scheduler = self.scheduler
        with self._surviving(scheduler.process):
            wait = scheduler.tick()
            self._tick_within(self.timeline.seconds + wait, 0.1)
        self._dispatch()

    # The workers' orders

    def _dispatch(self) -> None:
        """Orders that lie on the queue are taken up, each a moment later."""
        able = [worker for worker in self.workers if worker.busy < _THREADS]
        while able and (message := self.queue.take()) is not None:
            worker = self.random.choice(able)
            worker.busy += 1
            self.timeline.after(self.random.uniform(0, 0.03), partial(self._carry_out, worker, message))
            able = [worker for worker in self.workers if worker.busy < _THREADS]

    def _carry_out(self, worker: Worker, message: Any) -> None:
        if not worker.process.alive:
            return
        begun = self.timeline.seconds

        def run() -> None:
            try:
                worker.carry_out(message)
            finally:
                worker.busy -= 1
                self.orders.append((begun, self.timeline.seconds, message.args[0]))
                self.timeline.after(0.0, self._after_an_order)

        self.timeline.begin(Strand(worker.process, message.args[0], run))

    def _after_an_order(self) -> None:
        self._bury()
        self._dispatch()
