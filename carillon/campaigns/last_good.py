"""What stays in force when files are wrong or gone: their own last good content."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from carillon.campaigns.file import SECTIONS, SourceFile, without
from carillon.campaigns.findings import Finding


def wrong_files(findings: Iterable[Finding]) -> set[str]:
    """The files, as the user named them, that errors were found in."""
    return {finding.file for finding in findings if finding.severity == "error"}


def combine(
    fresh: Sequence[SourceFile], in_force: Sequence[SourceFile], kept: set[str]
) -> tuple[list[SourceFile], set[Finding]]:
    """Fresh files, but for those in `kept` and those that are gone their last good content.

    What moved from such a file to a fresh one is taken from there. The findings tell of files that are gone.
    """
    right = [file for file in fresh if file.shown not in kept]
    standing = {(section, name) for file in right for section in SECTIONS for name in getattr(file.shape, section)}
    present = {file.name for file in right}
    old = [without(file, standing) for file in in_force if file.name not in present]
    named = {shown.rpartition("/")[2]: shown for shown in kept}
    findings = {_gone(file) for file in old if file.name not in named and _declares(file)}
    stay = [replace(file, shown=named.get(file.name, file.shown)) for file in old if _declares(file)]
    return sorted([*right, *stay], key=lambda file: file.name), findings


def _declares(file: SourceFile) -> bool:
    return any(getattr(file.shape, section) for section in SECTIONS)


def _gone(file: SourceFile) -> Finding:
    words = (
        "the file is gone, and what it declared stays in force; to remove its campaigns keep it with `campaigns: {}`"
    )
    return Finding(file.shown, 1, 1, "error", words)
