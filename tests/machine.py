"""What the machine costs: a promise of half a second is about Carillon, not about who else wants the processors."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_EVERY = 0.05


class Waits:
    """How long the threads of some processes were ready to run and could not, and when."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._samples: list[tuple[float, float]] = []

    def between(self, begin: float, end: float) -> float:
        """Seconds of waiting, from and to an instant of `time.monotonic()`; 0 where the kernel does not tell."""
        before = max((waited for at, waited in self._samples if at <= begin), default=0.0)
        after = min((waited for at, waited in self._samples if at >= end), default=before)
        return max(0.0, after - before)

    def sample(self) -> None:
        self._samples.append((time.monotonic(), sum(map(_waited, self._pids))))


@contextmanager
def waits_of(*pids: int) -> Iterator[Waits]:
    """Watches them until its end; to be asked afterwards."""
    waits, over = Waits(*pids), threading.Event()
    waits.sample()

    def watch() -> None:
        while not over.wait(_EVERY):
            waits.sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()
        waits.sample()


def _waited(pid: int) -> float:
    """Since the process began; by /proc/PID/task/TID/schedstat: nanoseconds run, nanoseconds waited, time slices."""
    nanoseconds = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that ends meanwhile
            nanoseconds += int(file.read_text().split()[1])
    return nanoseconds / 1e9
