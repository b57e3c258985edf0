"""Where check writes down what it finds, each thing once."""

from collections.abc import Sequence
from difflib import get_close_matches

from carillon.campaigns.file import SourceFile
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.places import key_at

Path = Sequence[str | int]


class Report:
    """All findings of a check. `faulty` are disabled campaigns that would be wrong if they were enabled."""

    def __init__(self) -> None:
        self.findings: set[Finding] = set()
        self.faulty: set[tuple[str, str]] = set()

    def add(self, finding: Finding) -> None:
        self.findings.add(finding)

    def sorted(self) -> list[Finding]:
        return sorted(self.findings)


class CampaignReport:
    """Findings inside one campaign: only warnings while it is disabled.

    A fault that many creators share is told for the first of them alone: `creator` is not part of what makes two
    findings the same.
    """

    def __init__(self, report: Report, file: SourceFile, campaign: str) -> None:
        self._report = report
        self._file = file
        self._campaign = campaign
        self._disabled = file.disabled(campaign)
        self._told: set[tuple[int, int, str]] = set()
        self._seen: set[tuple[tuple[str, ...], str]] = set()
        self.any_error = False

    def value(self, path: Path, message: str, creator: str | None = None) -> None:
        self._error(self._file.at_value(path, self._severity, message), creator)

    def key(self, path: Path, message: str, creator: str | None = None) -> None:
        self._error(self._file.at_key(path, self._severity, message), creator)

    def campaign(self, message: str, creator: str | None = None) -> None:
        """Something is missing, or the campaign as a whole is in trouble: told at its name."""
        self.key(("campaigns", self._campaign), message, creator)

    def warn(self, path: Path, message: str, creator: str | None = None) -> None:
        self._tell(self._file.at_value(path, "warning", message), creator)

    def warn_key(self, path: Path, message: str) -> None:
        self._tell(self._file.at_key(path, "warning", message), None)

    def forecast(self, severity: Severity, message: str) -> None:
        self._report.add(self._file.at_key(("campaigns", self._campaign), severity, message))

    def seen(self, path: tuple[str, ...], word: str) -> bool:
        """Whether this was asked before, so that what many creators share is checked once."""
        key = (path, word)
        before = key in self._seen
        self._seen.add(key)
        return before

    def in_order(self, paths: Sequence[Path]) -> list[Path]:
        """Keys by where they stand in the file."""
        return sorted(paths, key=lambda path: key_at(self._file.root, path))

    @property
    def _severity(self) -> Severity:
        return "warning" if self._disabled else "error"

    def _error(self, finding: Finding, creator: str | None) -> None:
        self.any_error = True
        if self._disabled:
            self._report.faulty.add((self._file.shown, self._campaign))
        self._tell(finding, creator)

    def _tell(self, finding: Finding, creator: str | None) -> None:
        key = (finding.line, finding.column, finding.message)
        if key in self._told:
            return
        self._told.add(key)
        for_creator = f" (creator {creator})" if creator else ""
        self._report.add(
            Finding(finding.file, finding.line, finding.column, finding.severity, finding.message + for_creator)
        )


def nearest(word: str, known: Sequence[str]) -> str:
    """The end of a sentence on an unknown word."""
    near = get_close_matches(word, known, 1)
    return f"; did you mean `{near[0]}`?" if near else ""
