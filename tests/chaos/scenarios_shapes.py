"""Both shapes of Carillon as one session: real processes, started together, killed together with all their children."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from daemons import Fleet
from running import COMMAND, Carillon, until

UP = {"up": "[info     ] up ", "scheduler": "scheduler is up", "worker": "worker is up"}
"""What each says when it is ready."""


class Program:
    """One command with a process group of its own; its log goes on over its lives."""

    def __init__(self, carillon: Carillon, words: Sequence[str]) -> None:
        self.words = words
        self._carillon = carillon
        self._log = carillon.folder / f"{words[0]}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._begin = 0

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                [*COMMAND, *self.words],
                cwd=self._carillon.folder,
                env=self._carillon.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return UP[self.words[0]].encode() in self._log.read_bytes()[self._begin :]

    def kill(self) -> None:
        """kill -9 of the process and of all that it has forked."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)


class Session:
    """One installation that runs."""

    def __init__(self, carillon: Carillon) -> None:
        self.carillon = carillon
        at_scale = isinstance(carillon, Fleet)
        commands = [("scheduler",), ("worker",)] if at_scale else [("up", "--no-dashboard")]
        self.programs = [Program(carillon, words) for words in commands]

    @property
    def log(self) -> str:
        return "\n".join(program.log for program in self.programs)

    def start(self) -> None:
        for program in self.programs:
            program.start()

    def wait_until_up(self) -> None:
        until(lambda: all(program.is_up() for program in self.programs), 30)

    def kill(self) -> None:
        for program in self.programs:
            program.kill()

    def stop(self) -> list[int]:
        return [program.stop() for program in self.programs]

    def flush(self, *, around_a_restart: bool) -> None:
        """FLUSHALL; with the worker killed before and started after it, or left running."""
        assert isinstance(self.carillon, Fleet)
        worker = self.programs[1]
        if around_a_restart:
            worker.kill()
        self.carillon.flush_queue()
        if around_a_restart:
            worker.start()


def sleep_until(instant: float) -> None:
    """On the wall clock, in seconds since 1970."""
    time.sleep(max(0.0, instant - time.time()))
