"""Processes of the bench: started, watched for the CPU they take, and ended, whatever happens."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

TESTS = Path(__file__).parents[1]


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """In a process group of its own, which is killed at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=log.parent, start_new_session=True
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Platform:
    """The stand-in for a platform, as seen from outside; see `taker.py`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def count(self) -> int:
        """How many answers to posts went out."""
        answered: int = self._ask("/count")
        return answered

    def taken(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("/taken")
        return found

    def _ask(self, path: str) -> Any:
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())


@contextmanager
def platform_that_answers_after(seconds: float) -> Iterator[Platform]:
    """An own process for each run, so that nothing of the last one is left."""
    command = [sys.executable, "-m", "benchmarks.taker", str(seconds)]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Platform(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def cpu_seconds() -> dict[str, float]:
    """User and system time so far of this process's descendants, by what they are; of those that ended too."""
    spent: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times, kind = process.cpu_times(), _kind(process)
            of_ended = times.children_user + times.children_system
            spent[kind] = spent.get(kind, 0.0) + times.user + times.system + of_ended
    return spent


def _kind(process: psutil.Process) -> str:
    if process.name().startswith("postgres"):
        return "PostgreSQL"
    if process.name().startswith(("valkey", "redis")):
        return "queue"
    return "platform" if "benchmarks.taker" in process.cmdline() else "sender"


def wait_for(platform: Platform, count: int, seconds: float = 120) -> None:
    """Until the platform has answered so often."""
    deadline = time.monotonic() + seconds
    while (answered := platform.count()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the platform answered {answered} of {count} in {seconds:.0f} s")
        time.sleep(0.05)
