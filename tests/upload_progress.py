"""What an upload works with: a file in memory that is read in small pieces, and a ledger's worth of progress."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from carillon.platforms.parts import Source


@dataclass
class Kept:
    kept: Mapping[str, object] = field(default_factory=dict)

    def keep(self, **reached: object) -> None:
        self.kept = {**self.kept, **reached}


def source(content: bytes, name: str = "clip.mp4", mime: str = "video/mp4") -> Source:
    piece = max(30, len(content) // 100)

    def read(offset: int, length: int) -> Iterator[bytes]:
        for start in range(offset, offset + length, piece):
            yield content[start : min(start + piece, offset + length)]

    return Source(name, len(content), mime, read)
