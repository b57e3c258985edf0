"""What the machine costs: a promise of half a second is about Carillon, not about who else wants the processors."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Wait:
    """Seconds that the threads of some processes were ready to run and could not; 0 where the kernel does not tell."""

    seconds: float = 0


@contextmanager
def wait_of(*pids: int) -> Iterator[Wait]:
    """Filled at its end with what came to pass within."""
    wait, before = Wait(), sum(map(_waited, pids))
    yield wait
    wait.seconds = max(0.0, sum(map(_waited, pids)) - before)


def _waited(pid: int) -> float:
    """Since the process began; by /proc/PID/task/TID/schedstat: nanoseconds run, nanoseconds waited, time slices."""
    nanoseconds = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that ends meanwhile
            nanoseconds += int(file.read_text().split()[1])
    return nanoseconds / 1e9
