"""What a check found, and how it is shown."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from console import failures
from console.printing import as_json, complain, line

Status = Literal["ok", "note", "warning", "error"]

MOST_OF_A_KIND = 10
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red bold"}


@dataclass(frozen=True)
class Finding:
    """A note is worth knowing and no fault; warnings and errors need the mend."""

    check: str
    status: Status
    message: str
    mend: str | None = None

    @property
    def wrong(self) -> bool:
        return self.status in {"warning", "error"}

    def __str__(self) -> str:
        return f"{self.status}: {self._words()}"

    def _words(self) -> str:
        return f"{self.check}: {self.message}" + (f"; {self.mend}" if self.mend else "")

    def drawn(self) -> Text:
        return Text.assemble((f"{self.status:>7}", _STYLES[self.status]), f" {self._words()}")


def of_error(check: str, error: Exception) -> Iterator[Finding]:
    """What a person is told of an error that ended a check: its own sentences, which end in the mend."""
    sentences = failures.sentences(error)
    if not sentences:
        words = f"this check itself failed ({type(error).__name__})"
        yield Finding(check, "error", words, "ask again; if it stays so, it is a fault of Carillon: report it")
    for words in sentences:
        message, _, mend = words.rpartition("; ")
        yield Finding(check, "error", message or mend, mend if message else "mend that, and ask again")


def some_of(findings: Sequence[Finding], mend: str) -> Iterator[Finding]:
    """The first ten; of the others only how many."""
    yield from findings[:MOST_OF_A_KIND]
    if left := findings[MOST_OF_A_KIND:]:
        worst: Status = "error" if any(found.status == "error" for found in left) else left[0].status
        yield Finding(left[0].check, worst, f"and {len(left)} more like these", mend)


def show(findings: Sequence[Finding], *, json: bool) -> None:
    if json:
        as_json([asdict(finding) for finding in findings])
        return
    if not sys.stdout.isatty():
        for finding in findings:
            line(str(finding))
        return
    drawn = Console(soft_wrap=True)
    for finding in findings:
        drawn.print(finding.drawn())
    complain(_summary(findings))


def _summary(findings: Sequence[Finding]) -> str:
    errors = sum(finding.status == "error" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    return f"{counted(errors, 'error')}, {counted(warnings, 'warning')}" if errors or warnings else "all is well"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
