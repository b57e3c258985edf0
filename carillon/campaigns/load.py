"""From files to a catalogue: every file read once, everything checked, all findings told together.

The forecast never stops a load, where a conflict is a warning; `check` makes it an error, `reload` goes without it.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from carillon import clock
from carillon.campaigns import last_good
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.check import check as check_rules
from carillon.campaigns.check_forecast import check_forecast
from carillon.campaigns.file import SourceFile, read_file, sha256, stubbed
from carillon.campaigns.findings import Finding, Severity, any_error
from carillon.campaigns.folder import Folder
from carillon.campaigns.kept import Checked, relied_on
from carillon.campaigns.memory import uncollected

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Loaded:
    """`catalogue` is None if what was read cannot come into force."""

    catalogue: Catalogue | None
    findings: list[Finding]


def load(path: Path, overridden: frozenset[str] = NONE, now: datetime | None = None) -> Loaded:
    """A file, or a folder's `*.yaml`. `overridden` are platforms whose URL is another than the real one."""
    return _load(path, overridden, now or clock.now(), "warning")


def check(path: Path, overridden: frozenset[str] = NONE, now: datetime | None = None) -> list[Finding]:
    """What `carillon check` tells: as `load`, with the forecast's conflicts as errors."""
    return _load(path, overridden, now or clock.now(), "error").findings


def reload(
    path: Path, in_force: Catalogue | None, overridden: frozenset[str] = NONE, now: datetime | None = None
) -> Loaded:
    """As `load`, but a file that is wrong, empty or gone keeps its own last good content out of `in_force`.

    Without the forecast, which would keep an edit waiting: that is `outlook`'s.
    """
    moment = now or clock.now()
    if in_force is None:
        return _load(path, overridden, moment, None)
    with uncollected():
        return _reload(path, in_force, overridden, moment)


def _reload(path: Path, in_force: Catalogue, overridden: frozenset[str], moment: datetime) -> Loaded:
    fresh, findings = read(path)
    kept = last_good.wrong_files(findings)
    while True:
        files, told = last_good.combine(fresh, in_force.files, kept)
        checked = _checked(files, overridden, moment)
        findings |= told | {finding for finding in checked.findings if finding.file not in kept}
        wrong = last_good.wrong_files(checked.findings)
        if not wrong:
            break
        if wrong <= kept:
            return Loaded(None, sorted(findings | set(checked.findings)))
        kept |= wrong
    return Loaded(checked.catalogue, sorted(findings))


def unchanged(path: Path, in_force: Catalogue, overridden: frozenset[str] = NONE) -> bool:
    """Whether these are, byte for byte, the files that this release found right as `in_force`: none need be read."""
    names, findings = _names(path)
    files = sorted(in_force.files, key=lambda file: file.name)
    if findings or in_force.checked != _checked_by(overridden) or len(names) != len(files):
        return False
    return all(_is(Path(shown), file) for shown, file in zip(sorted(names, key=os.path.basename), files, strict=True))


def _is(path: Path, file: SourceFile) -> bool:
    return (
        path.name == file.name
        and file.sha256 is not None
        and relied_on(file) in (None, str(path.absolute().parent))
        and sha256(path) == file.sha256
    )


def outlook(path: Path, overridden: frozenset[str] = NONE, now: datetime | None = None) -> list[Finding]:
    """The forecast's conflicts alone, as warnings; none while anything is wrong. It may take seconds."""
    moment = now or clock.now()
    catalogue = _load(path, overridden, moment, None).catalogue
    return sorted(check_forecast(catalogue, moment, "warning")) if catalogue else []


def read(path: Path) -> tuple[list[SourceFile], set[Finding]]:
    """What can be read of the files, and what is wrong with them one by one."""
    names, findings = _names(path)
    files = []
    for shown in names:
        file, found = read_file(Path(shown), shown)
        findings.update(found)
        if file is not None:
            files.append(file)
    return files, findings


def _load(path: Path, overridden: frozenset[str], now: datetime, forecast: Severity | None) -> Loaded:
    with uncollected():
        files, findings = read(path)
        checked = _checked(files, overridden, now)
        findings.update(checked.findings)
        if checked.catalogue is None or any_error(findings):
            return Loaded(None, sorted(findings))
        if forecast:
            findings.update(check_forecast(checked.catalogue, now, forecast))
        return Loaded(checked.catalogue, sorted(findings))


def _checked(files: list[SourceFile], overridden: frozenset[str], now: datetime) -> Loaded:
    report = check_rules(Folder(tuple(files)), overridden, now)
    if any_error(report.findings):
        return Loaded(None, report.sorted())
    faulty = {file.shown: file.broken_campaigns() for file in files}
    for shown, name in report.faulty:
        faulty[shown].add(name)
    right = tuple(stubbed(file, faulty[file.shown]) for file in files)
    return Loaded(Catalogue(Folder(right), _checked_by(overridden)), report.sorted())


def _checked_by(overridden: frozenset[str]) -> Checked:
    try:
        return Checked(version("carillon"), overridden)
    except PackageNotFoundError:
        return Checked("", overridden)


def _names(path: Path) -> tuple[list[str], set[Finding]]:
    """The files as the user named them."""
    if not path.is_dir():
        return [str(path)], set()
    try:
        inside = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        return [], {Finding(str(path), 1, 1, "error", f"the folder cannot be read: {error.strerror}")}
    findings = {_left_out(path, name) for name in inside if not name.isprintable() or name.endswith(".yml")}
    names = [str(path / name) for name in inside if name.isprintable() and name.endswith(".yaml")]
    if not names:
        findings.add(Finding(str(path), 1, 1, "error", "there is no *.yaml in this folder"))
    return names, findings


def _left_out(folder: Path, name: str) -> Finding:
    plain = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in name)
    return Finding(
        str(folder / plain), 1, 1, "warning", "left out: campaign files have a plain name that ends in .yaml"
    )
