"""The rate that the processes of one home share where there is no Redis: a small file for each who has a rate."""

import fcntl
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from carillon import clock
from carillon.platforms.pacing import counted


class WindowsOnDisk:
    """As `Windows` in `pacing.py`, in `folder`, which is made where its own parent is there.

    A file has the instant until which nothing goes, and those at which something went, all on `clock.ticks()`, which
    the processes of a machine share; what lies ahead of now is from before a reboot.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, name: str, count: int, seconds: float) -> float | None:
        def taken(now: float, closed: float, gone: list[float]) -> tuple[float, float, list[float]]:
            wait, counts = counted(now, closed, gone, count, seconds)
            return wait, closed, counts

        return self._change(name, taken)

    def close(self, name: str, seconds: float) -> None:
        self._change(name, lambda now, closed, gone: (0.0, max(closed, now + seconds), gone))

    def _change(
        self, name: str, change: Callable[[float, float, list[float]], tuple[float, float, list[float]]]
    ) -> float | None:
        """None where there is no home, or it cannot be written."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with (self._folder / name.replace(":", "-")).open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                kept = _read(file)
                told, closed, gone = change(clock.ticks(), kept[0] if kept else 0.0, kept[1:])
                _write(file, [closed, *gone])
                return told
        except OSError:
            return None


def _read(file: BinaryIO) -> list[float]:
    file.seek(0)
    instants, raw = array("d"), file.read()
    instants.frombytes(raw[: len(raw) - len(raw) % instants.itemsize])
    return list(instants)


def _write(file: BinaryIO, instants: list[float]) -> None:
    file.truncate(0)  # in this mode, what is written goes to the end
    file.write(array("d", instants).tobytes())
    file.flush()
