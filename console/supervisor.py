"""Keeps a worker's processes running: starts them, starts them again, stops them, and answers for them.

It has one thread, since it forks: a lock that another thread held in that moment would stay held for ever.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

import structlog

from carillon.ledger.connect import LedgerError, WrongSchemaError
from carillon.monitoring import metrics, systemd
from carillon.monitoring.health import Health
from console.child import Hello

log = structlog.get_logger()

_SILENT_SECONDS = 60.0
"""On a clock that stands still while the machine is suspended: after that nobody has had a chance to speak."""

_FROZEN_SECONDS = 5.0
_STOP_SECONDS = 28.0
_STEADY_SECONDS = 10.0
"""A process that lived for so long is started again at once; one that did not, after a growing pause."""

_LONGEST_PAUSE = 30.0

_IN_VAIN = 78
"""The exit code of a process whose next one would end the same way (EX_CONFIG of sysexits.h)."""


@dataclass
class _Place:
    """One of the processes, and when it may be started again."""

    process: ForkProcess | None = None
    pipe: "Connection[None, list[str]] | None" = None
    started: float = 0
    heard: float = 0
    wrong: list[str] = field(default_factory=lambda: ["it has only just started"])
    spoke: bool = False
    not_before: float = 0
    pause: float = 0.5

    def faults(self) -> list[str]:
        """What it said last, or that it says nothing."""
        return ["it does not speak"] if time.monotonic() - self.heard > _FROZEN_SECONDS else self.wrong


class Supervisor:
    """`work` is what each process runs."""

    def __init__(self, processes: int, work: Callable[[Hello], None]) -> None:
        self._work = work
        self._places = [_Place() for _ in range(processes)]
        self._up, self._in_vain = False, False
        self._last_round = time.monotonic()
        self._fork = multiprocessing.get_context("fork")
        self._health = Health(list, self.wrong, metrics.exposition)  # who answers does not hang, and kills what does

    def run(self, stopping: threading.Event, health_port: int | None) -> int:
        """Until `stopping` is set; returns the exit code."""
        answers = health_port is not None and self._health.open(health_port)
        while not stopping.is_set() and not self._in_vain:
            self._start_missing()
            self._hear(answers)
            self._forgive_a_freeze()
            self._kill_silent()
            self._say_that_all_is_well()
        systemd.notify("STOPPING=1")
        log.info("stopping: no new claim; what is on its way is finished and recorded")
        self._stop()
        self._health.close()
        return int(self._in_vain)

    def wrong(self) -> list[str]:
        """What keeps the processes from working."""
        missing = sum(place.process is None for place in self._places)
        faults = [f"{missing} of {len(self._places)} processes do not run"] if missing else []
        return faults + [f"process {p.process.pid}: {fault}" for p in self._places if p.process for fault in p.faults()]

    def _start_missing(self) -> None:
        for place in self._places:
            if place.process is None and time.monotonic() >= place.not_before:
                self._start(place)

    def _start(self, place: _Place) -> None:
        place.pipe, theirs = self._fork.Pipe(duplex=False)
        hello = Hello(theirs, os.getpid())
        place.process = self._fork.Process(target=self._become, args=(hello,))
        place.process.start()
        theirs.close()
        place.started = place.heard = time.monotonic()

    def _become(self, hello: Hello) -> None:
        """In the new process: let go of what belongs to the one that watches, then work."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until it listens itself
        self._health.close()
        for place in self._places:
            if place.pipe:
                place.pipe.close()
        try:
            self._work(hello)
        except LedgerError as error:
            log.error(str(error))
            sys.exit(_IN_VAIN if isinstance(error, WrongSchemaError) else 1)

    def _hear(self, answers: bool) -> None:
        waiting: list[object] = [self._health] if answers else []
        for place in self._places:
            if place.process:
                waiting += [place.process.sentinel, place.pipe]
        for ready in wait(waiting, timeout=1):  # type: ignore[arg-type]
            self._attend(ready)

    def _attend(self, ready: object) -> None:
        if ready is self._health:
            self._health.handle()
        for place in self._places:
            if place.process is None:
                continue
            if ready is place.pipe:
                self._listen(place)
            elif ready == place.process.sentinel:
                self._bury(place)

    def _listen(self, place: _Place) -> None:
        assert place.pipe
        with suppress(EOFError):  # its end comes next
            while place.pipe.poll():
                place.wrong, place.heard, place.spoke = place.pipe.recv(), time.monotonic(), True

    def _say_that_all_is_well(self) -> None:
        if not self._up and all(place.spoke for place in self._places):
            self._up = True
            log.info("worker is up", processes=len(self._places))
            systemd.notify("READY=1")
        systemd.notify("WATCHDOG=1")

    def _forgive_a_freeze(self) -> None:
        """Where this process stood still, the others did too, and had no chance to speak."""
        now = time.monotonic()
        if now - self._last_round > _FROZEN_SECONDS:
            for place in self._places:
                place.heard = now
        self._last_round = now

    def _kill_silent(self) -> None:
        long_ago = time.monotonic() - _SILENT_SECONDS
        for place in self._places:
            if place.process and place.heard < long_ago:
                log.error("a worker process hangs; it is killed", pid=place.process.pid)
                place.process.kill()
                place.heard = time.monotonic()

    def _bury(self, place: _Place) -> None:
        assert place.process
        assert place.pipe
        pid, code = place.process.pid, place.process.exitcode
        log.error("a worker process ended; another one takes its place", pid=pid, code=code)
        self._forget(pid or 0)
        place.process.join()
        place.process.close()
        place.pipe.close()
        self._in_vain = self._in_vain or code == _IN_VAIN
        steady = time.monotonic() - place.started > _STEADY_SECONDS
        place.pause = 0.0 if steady else min(_LONGEST_PAUSE, max(0.5, place.pause * 2))
        place.not_before = time.monotonic() + place.pause
        place.process, place.pipe = None, None

    def _forget(self, pid: int) -> None:
        try:
            metrics.forget_process(pid)
        except Exception:
            log.exception("what a process had counted is lost", pid=pid)

    def _stop(self) -> None:
        running = [place.process for place in self._places if place.process]
        for process in running:
            process.terminate()
        give_up = time.monotonic() + _STOP_SECONDS
        for process in running:
            process.join(max(0.0, give_up - time.monotonic()))
            if process.is_alive():
                log.error("a worker process does not stop; it is killed", pid=process.pid)
                process.kill()
                process.join()
