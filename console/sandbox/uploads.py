"""Files on their way to a platform: counted and hashed once all bytes are there, and not kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Upload:
    """One file. `media`: the ids by which a broadcast may name it; `sha256` is known when it is complete."""

    platform: str
    account: str
    id: str
    name: str
    kind: str
    media: tuple[str, ...]
    declared: int | None = None  # bytes, as told beforehand
    size: int = 0
    sha256: str | None = None
    url: str | None = None  # what the platform was told to fetch; nothing is fetched here
    at: float = 0  # seconds since 1970
    later: bool = False  # the client asked not to wait for it
    complete: bool = False
    puts: int = 0  # how often bytes came, parts that came again included
    _parts: dict[int, bytes] = field(default_factory=dict, repr=False)

    def put(self, number: int, content: bytes) -> str:
        """The ETag, in quotes as S3 has it; a part that comes again replaces the first."""
        self.puts += 1
        self._parts[number] = content
        return etag(content)

    def etags(self) -> dict[int, str]:
        return {number: etag(content) for number, content in sorted(self._parts.items())}

    def held(self) -> int:
        """Bytes that came and are not finished yet."""
        return sum(len(content) for content in self._parts.values())

    def finish(self) -> None:
        digest = hashlib.sha256()
        for number in sorted(self._parts):
            digest.update(self._parts[number])
            self.size += len(self._parts[number])
        self._parts.clear()
        self.sha256, self.complete = digest.hexdigest(), True

    def told(self) -> dict[str, object]:
        """For the control port."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324 - S3's way


def kind_of(name: str, mime: str = "") -> str:
    """Photo, video, gif or audio, as OnlyFans calls them, by content type or else by the name's ending."""
    whole = mime or name.rpartition(".")[2].lower()
    kinds: dict[str, Callable[[], bool]] = {
        "gif": lambda: whole in ("image/gif", "gif"),
        "video": lambda: whole.startswith("video/") or whole in ("mp4", "mov", "webm"),
        "audio": lambda: whole.startswith("audio/") or whole in ("mp3", "m4a", "wav"),
    }
    return next((kind for kind, fits in kinds.items() if fits()), "photo")
