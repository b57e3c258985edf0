"""Alarms as one message, as text for people and as JSON for programs: what the ledger says, cut short and cleaned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carillon import clock

MOST_LINES = 20
MOST_LETTERS = 300
"""Of one alarm: its message may hold words of the platform, of any length."""


@dataclass(frozen=True)
class Told:
    """One alarm with what it is about; a program finds the rest by `carillon show`."""

    id: int
    kind: str
    message: str
    raised_at: datetime
    cleared_at: datetime | None
    broadcast: int | None
    campaign: str | None
    creator: str | None
    platform: str | None

    def line(self) -> str:
        over = self.cleared_at if self.cleared_at and self.cleared_at > self.raised_at else None
        return f"{self.raised_at:%Y-%m-%d %H:%M} UTC: {printable(self.message)}" + (
            f" (over since {over:%H:%M} UTC)" if over else ""
        )

    def entry(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "kind": self.kind,
            "message": printable(self.message),
            "raised_at": clock.rfc3339(self.raised_at),
            "cleared_at": clock.rfc3339(self.cleared_at) if self.cleared_at else None,
            "broadcast": str(self.broadcast) if self.broadcast else None,
            "campaign": self.campaign,
            "creator": self.creator,
            "platform": self.platform,
        }


@dataclass(frozen=True)
class Digest:
    """One message. `id` is the same at every try, `kinds` counts all its alarms, `alarms` are the oldest of them."""

    id: str
    installation: str
    kinds: Mapping[str, int]
    alarms: Sequence[Told]

    @property
    def count(self) -> int:
        return sum(self.kinds.values())

    def title(self) -> str:
        if self.count == 1:
            return f"Carillon: {_spaced(self.alarms[0].kind)}"
        kinds = sorted(self.kinds.items(), key=lambda entry: (-entry[1], entry[0]))
        return f"Carillon: {self.count} alarms: " + ", ".join(f"{count} {_spaced(kind)}" for kind, count in kinds)

    def body(self, who: str, most_letters: int) -> str:
        """As many of the alarms as fit into so many letters, and how to see the others; at least one."""
        lines = [alarm.line() for alarm in self.alarms[:MOST_LINES]]
        while len(text := self._text(lines, who)) > most_letters and len(lines) > 1:
            lines.pop()
        return text

    def payload(self, who: str) -> dict[str, Any]:
        return {
            "type": "carillon.alarm" if self.count == 1 else "carillon.digest",
            "timestamp": clock.rfc3339(max(alarm.raised_at for alarm in self.alarms)),
            "installation": self.installation,
            "told_by": who,
            "count": self.count,
            "kinds": dict(self.kinds),
            "alarms": [alarm.entry() for alarm in self.alarms],
        }

    def _text(self, lines: Sequence[str], who: str) -> str:
        left_out = self.count - len(lines)
        more = [f"and {left_out} more: carillon broadcasts --needs-person"] if left_out else []
        return "\n".join([*lines, *more, f"told by {who}"])


def _spaced(kind: str) -> str:
    return kind.replace("_", " ")


def printable(text: str) -> str:
    """On one line, without control characters, at most MOST_LETTERS long."""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    line = " ".join(words)
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "…"
