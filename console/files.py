"""`carillon check`, `schema` and `init`: the campaign files themselves."""

import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from carillon.campaigns import load
from carillon.campaigns.findings import Finding
from carillon.campaigns.shape import schema
from carillon.campaigns.starter import starter
from carillon.settings import Settings
from console.failures import CommandError
from console.printing import as_json, complain, line

_STYLES = {"error": "red", "warning": "yellow"}


def check(settings: Settings, *, online: bool, strict: bool, json: bool) -> int:
    """Findings on stdout. Exit code 1 with errors; under `strict` with warnings too."""
    findings = load.check(settings.campaigns, frozenset(settings.platform_urls))
    if online:
        from console.online import check_online  # which loads what speaks to platforms

        findings = sorted({*findings, *check_online(settings)})
    if json:
        as_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    wrong = [finding for finding in findings if strict or finding.severity == "error"]
    return 1 if wrong else 0


def _print(findings: list[Finding]) -> None:
    if not sys.stdout.isatty():
        for finding in findings:
            line(str(finding))
        return
    drawn = Console(soft_wrap=True)
    for finding in findings:
        place = Text(f"{finding.file}:{finding.line}:{finding.column}: ")
        drawn.print(place + Text(finding.severity, _STYLES[finding.severity]) + Text(f": {finding.message}"))
    complain(_summary(findings))


def _summary(findings: list[Finding]) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    return f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_schema() -> int:
    as_json(schema())
    return 0


def init(path: Path) -> int:
    """Write a starter file where there is none yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter())
    except FileExistsError:
        raise CommandError(f"{path} is there already; nothing was written") from None
    line(f"wrote {path}; edit it, then `carillon check`")
    return 0
