"""The wire between a test and the processes of an installation: shared memory, which a SIGKILL does not tear.

The test arms points, one after the other, and what shall happen there; each process notes the points that it passes, in
a file beside it. All processes of an installation hang on one wire.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

_HEAD = struct.Struct("=IIIBd")  # turn, trips, armed points that are past, what shall happen, seconds of a jump
_TRIPPED = struct.Struct("=Q")  # who did it last
_LENGTH = struct.Struct("=I")
_ARMED = _HEAD.size + _TRIPPED.size
_SIZE = 1 << 16

Deed = Literal["nothing", "kill", "stop"]
_DEEDS: tuple[Deed, ...] = ("nothing", "kill", "stop")


class Wire:
    """Both ends are alike; `at` is the shared file."""

    def __init__(self, at: Path) -> None:
        self._noted = at.with_suffix(".points")
        with at.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SIZE)
        self._log = os.open(self._noted, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @classmethod
    def strung(cls, at: Path) -> Self:
        """A new one."""
        at.write_bytes(bytes(_SIZE))
        return cls(at)

    def arm(self, *points: str, deed: Deed = "kill") -> None:
        """The first process that passes the first point does so, then the next one at the second point, and so on."""
        turn, trips, _, _, ahead = self._head()
        self._put(turn, trips, 0, "nothing", ahead)
        said = "\n".join(points).encode("ascii")
        start = _ARMED + _LENGTH.size
        self._page[_ARMED:start] = _LENGTH.pack(len(said))
        self._page[start : start + len(said)] = said
        self._put(turn, trips, 0, deed if points else "nothing", ahead)

    def disarm(self) -> None:
        self.arm()

    def begin(self) -> None:
        """Points count as not yet passed."""
        turn, trips, past, deed, ahead = self._head()
        os.truncate(self._noted, 0)
        self._put(turn + 1, trips, past, deed, ahead)

    def jump(self, seconds: float) -> None:
        """The clock that counts suspension goes ahead by so much, as if the machine had been suspended."""
        turn, trips, past, deed, ahead = self._head()
        self._put(turn, trips, past, deed, ahead + seconds)

    @property
    def turn(self) -> int:
        return self._head()[0]

    @property
    def trips(self) -> int:
        """How often something happened at an armed point."""
        return self._head()[1]

    @property
    def tripped_by(self) -> int:
        """The process to which it happened last."""
        (pid,) = _TRIPPED.unpack_from(self._page, _HEAD.size)
        return int(pid)

    @property
    def ahead(self) -> float:
        return self._head()[4]

    def trip(self, point: str) -> Deed:
        """What shall happen here, if it is this armed point's turn."""
        turn, trips, past, deed, ahead = self._head()
        if deed == "nothing":
            return deed
        armed = self._armed()
        if past >= len(armed) or armed[past] != point:
            return "nothing"
        _TRIPPED.pack_into(self._page, _HEAD.size, os.getpid())
        self._put(turn, trips + 1, past + 1, deed, ahead)
        return deed

    def note(self, point: str) -> None:
        os.write(self._log, f"{point}\n".encode())

    def points(self) -> list[str]:
        """Those that were passed, in the order of the first time."""
        return list(dict.fromkeys(self._noted.read_text().splitlines()))

    def close(self) -> None:
        self._page.close()
        os.close(self._log)

    def _head(self) -> tuple[int, int, int, Deed, float]:
        turn, trips, past, deed, ahead = _HEAD.unpack_from(self._page, 0)
        return turn, trips, past, _DEEDS[deed], ahead

    def _put(self, turn: int, trips: int, past: int, deed: Deed, ahead: float) -> None:
        _HEAD.pack_into(self._page, 0, turn, trips, past, _DEEDS.index(deed), ahead)

    def _armed(self) -> Sequence[str]:
        start = _ARMED + _LENGTH.size
        (length,) = _LENGTH.unpack_from(self._page, _ARMED)
        return self._page[start : start + length].decode("ascii").split("\n")
