"""The numbers each platform documents, and how two rates compare. Sources stand beside each platform's numbers."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil


@dataclass(frozen=True)
class Rate:
    """At most `count` broadcasts in any window of `seconds`."""

    count: int
    seconds: int

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    def allows_more_than(self, other: "Rate") -> bool:
        """Whether keeping this rate could still break `other`."""
        return self.count * max(1, ceil(other.seconds / self.seconds)) > other.count

    def __str__(self) -> str:
        for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
            if self.seconds % size == 0:
                return f"{self.count}/{self.seconds // size}{unit}"
        return f"{self.count}/{self.seconds}s"


DEFAULT_RATE = Rate(10, 3_600)


@dataclass(frozen=True)
class Limits:
    """What a platform takes; None where it documents nothing."""

    broadcasts: Rate | None
    text: int | None
    price_cents: tuple[int, int | None]
    price_warning_below: int | None = None
    smart_lists: frozenset[str] = frozenset()
    needs_account: bool = False
    takes_account: bool = True
    needs_text: bool = False
    offers: frozenset[str] = frozenset()
    """Keys of a campaign beyond lists, text, media and price; and of media: `media_files`, which can be uploaded,
    `media_urls`, as they are in a send, `media_fetched`, URLs that the platform brings in itself."""
