"""The order of the checks. None stops the next, each ends within its time, and what fails in one is a finding too."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Thread

from rich.console import Console

from carillon import logs
from console.doctor import (
    accounts,
    alarms,
    campaign_files,
    clocks,
    configuration,
    database,
    keys,
    logins,
    platforms,
    processes,
    queue,
    webhooks,
)
from console.doctor.findings import Finding, of_error, show
from console.doctor.patient import Patient

_SECONDS = 20.0
"""What one check may take; all that it asks has time-outs of about 5 s."""

_NONE = frozenset[str]()
_URLS = frozenset({"fanvue_url", "frontrow_url", "ofauth_url", "onlyfansapi_url"})
_CHECKS: tuple[tuple[str, Callable[[Patient], Iterator[Finding]], frozenset[str]], ...] = (
    ("database", database.check, frozenset({"database_url"})),
    ("redis", queue.check, frozenset({"redis_url"})),
    ("campaigns", campaign_files.check, _NONE),
    ("clock", clocks.check_clocks, _NONE),
    ("zones", clocks.check_zones, _NONE),
    ("credentials", keys.check, _NONE),
    ("logins", logins.check, frozenset({"secret_key"})),
    ("webhooks", webhooks.check, _NONE),
    ("platforms", platforms.check, _URLS),
    ("processes", processes.check, _NONE),
    ("creators", accounts.check, _NONE),
    ("alarms", alarms.check, frozenset({"alarm_urls"})),
)
"""Each with the settings that it cannot do without: where one of them is faulty, that alone is told."""


def doctor(campaigns: Path | None, *, json: bool) -> int:
    """Exit code 1 if anything is wrong."""
    logs.fall_silent()
    with Console(stderr=True).status("looking") if sys.stderr.isatty() else nullcontext():
        findings = examine(campaigns)
    show(findings, json=json)
    return 1 if any(finding.wrong for finding in findings) else 0


def examine(campaigns: Path | None) -> list[Finding]:
    settings, faulty, findings = configuration.read(campaigns)
    patient = Patient(settings)
    for name, check, needed in _CHECKS:
        if not needed & faulty:
            findings += _bounded(name, check(patient))
    if patient.ledger:
        patient.ledger.close()
    return findings


def _bounded(name: str, findings: Iterator[Finding]) -> Collection[Finding]:
    """What is found in time."""
    found: list[Finding] = []

    def look() -> None:
        try:
            for finding in findings:
                found.append(finding)  # noqa: PERF402  what is found so far counts
        except Exception as error:  # noqa: BLE001  whatever it was, the other checks go on
            found.extend(of_error(name, error))

    looking = Thread(target=look, daemon=True)
    looking.start()
    looking.join(_SECONDS)
    if looking.is_alive():
        late = Finding(name, "error", f"no answer within {_SECONDS:.0f} s", "see what it asks for, and ask again")
        return [*found, late]
    return found
