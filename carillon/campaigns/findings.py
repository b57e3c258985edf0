"""What is wrong with campaign files, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_LONGEST = 500

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing for a person to look at. Lines and columns count from 1; `file` is as the user named it."""

    file: str
    line: int
    column: int
    severity: Severity
    message: str

    def __post_init__(self) -> None:
        # a message may repeat a word of the file, and that may hold anything
        if len(self.message) > _LONGEST or not self.message.isprintable():
            plain = "".join(char if char.isprintable() else " " for char in self.message)
            object.__setattr__(self, "message", plain[:_LONGEST])

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


def any_error(findings: Iterable[Finding]) -> bool:
    """Whether these findings stop a file."""
    return any(finding.severity == "error" for finding in findings)
