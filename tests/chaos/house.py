"""A house under test: its real processes, forked by `nursery.py`, which a test may kill, freeze and start again."""

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from repository import ROOT
from running import until

_READY = {"up": "[info     ] up ", "scheduler": "scheduler is up", "worker": "worker is up"}
_number = itertools.count(1)


class Nursery:
    """The program that forks; one for a test process. All that it has forked dies with it."""

    def __init__(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CARILLON_", "COV"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        )
        self._forked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ended: dict[int, int] = {}
        self._changed = threading.Condition()
        self._listener = threading.Thread(target=self._hear, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._listener.join()
        self._process.stdout.close()

    def fork(self, **order: object) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._forked.get(timeout=30)

    def has_ended(self, pid: int) -> int | None:
        """Its exit code, or minus the signal; None while it lives."""
        with self._changed:
            return self._ended.get(pid)

    def wait(self, pid: int, seconds: float) -> int:
        with self._changed:
            assert self._changed.wait_for(lambda: pid in self._ended, seconds), f"{pid} lives on after {seconds} s"
            return self._ended[pid]

    def _hear(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            said = json.loads(line)
            if "forked" in said:
                self._forked.put(said["forked"])
                continue
            with self._changed:
                self._ended[said["ended"]] = said["code"]
                self._changed.notify_all()


class House:
    """One process of an installation: an `up`, a `scheduler` or a `worker`, which may have children of its own."""

    def __init__(self, nursery: Nursery, role: str, folder: Path, environment: Mapping[str, str], wire: Path) -> None:
        self.role = role
        self._nursery, self._folder, self._environment, self._wire = nursery, folder, environment, wire
        self._log = folder / f"{role}-{next(_number)}.log"
        self.pid = 0

    def start(self, *, wait: bool = True) -> Self:
        before = len(self.log)
        self.pid = self._nursery.fork(
            role=self.role,
            folder=str(self._folder),
            environment=dict(self._environment),
            wire=str(self._wire),
            log=str(self._log),
        )
        if wait:
            until(lambda: _READY[self.role] in self.log[before:] or self._gone(), 30)
        return self

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def lives(self) -> bool:
        return bool(self.pid) and self._nursery.has_ended(self.pid) is None

    def children(self) -> list[int]:
        """The processes that a worker's own one has forked."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def kill_alone(self) -> None:
        """SIGKILL to its first process; its children live on."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def kill(self) -> None:
        """SIGKILL to it and to its children, as when a machine dies."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self, seconds: float = 40) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self._nursery.wait(self.pid, seconds)

    def stop(self, seconds: float = 40) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(seconds)

    def _gone(self) -> bool:
        assert self.lives, self.log
        return False
