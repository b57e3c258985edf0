"""The store of media: each file once, under the SHA-256 of its content, in `CARILLON_HOME/uploads`.

Files are copied, never linked: whoever writes into the original afterwards changes nothing here. Schedulers freeze
files and workers upload them, so on several hosts they share this folder.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from carillon import clock

PIECE_BYTES = 1 << 16
_COPY_BYTES = 1 << 20
_COMING = "coming-"
_OURS = re.compile(f"[0-9a-f]{{64}}|{_COMING}.*", re.ASCII)

MOST_BYTES = 5 << 30
"""What no platform here is known to take more of."""

Signature = tuple[int, int, int, int]


class Store:
    """Safe among threads and processes. What cannot be written or read raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[Signature, str]] = {}

    def add(self, pieces: Iterable[bytes]) -> str:
        """Keep what the pieces make up; returns its hash. What raises in between leaves nothing behind."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix=_COMING, dir=self._folder)
        found = hashlib.sha256()
        try:
            with open(descriptor, "wb") as stream:
                for piece in pieces:
                    found.update(piece)
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, self._folder / found.hexdigest())
            _make_durable(self._folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        return found.hexdigest()

    def add_file(self, path: str, descriptor: int) -> str:
        """The hash of an open file, which is copied unless it is known to be here as it is."""
        stat = os.fstat(descriptor)
        signature = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        known = self._known.get(path)
        if known is None or known[0] != signature or not self.still_wanted(known[1]):
            known = signature, self.add(_copied(descriptor))
            self._known[path] = known
        return known[1]

    def still_wanted(self, sha256: str) -> bool:
        """Whether it is here; if so, it is not tidied for a while."""
        try:
            os.utime(self._folder / sha256)
        except FileNotFoundError:
            return False
        return True

    def size(self, sha256: str) -> int:
        return (self._folder / sha256).stat().st_size

    def reader(self, sha256: str) -> Callable[[int, int], Iterator[bytes]]:
        """Yields a stretch of the file, given its offset and length, in small pieces."""
        path = self._folder / sha256

        def read(offset: int, length: int) -> Iterator[bytes]:
            with path.open("rb") as stream:
                stream.seek(offset)
                while length > 0 and (piece := stream.read(min(PIECE_BYTES, length))):
                    length -= len(piece)
                    yield piece

        return read

    def tidy(self, needed: Collection[str], rest_seconds: float) -> list[str]:
        """Remove what is not needed and was not touched for so long; returns the names. What others put here stays."""
        if not self._folder.is_dir():
            return []
        old = clock.now().timestamp() - rest_seconds
        gone = []
        for entry in list(os.scandir(self._folder)):
            with suppress(FileNotFoundError):
                if _OURS.fullmatch(entry.name) and entry.name not in needed and entry.stat().st_mtime < old:
                    os.unlink(entry.path)
                    gone.append(entry.name)
        return gone


def _make_durable(folder: Path) -> None:
    """A name outlives a loss of power once its folder is written: the ledger may know it a moment later."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copied(descriptor: int) -> Iterator[bytes]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := os.read(descriptor, _COPY_BYTES):
        yield piece
