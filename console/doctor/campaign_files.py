"""The campaign files on this host, and whether they are what is in force."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from carillon import clock
from carillon.campaigns import load
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.findings import Finding as CheckFinding
from carillon.ledger.tables import catalogues
from console.doctor.findings import Finding, counted
from console.doctor.patient import Patient, account

_CHECK = "campaigns"


def check(patient: Patient) -> Iterator[Finding]:
    path, overridden = patient.settings.campaigns, frozenset(patient.settings.platform_urls)
    if not path.exists():
        yield _missing(patient)
        return
    findings = load.check(path, overridden)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        yield _wrong(patient, errors)
        return
    patient.files = load.reload(path, None, overridden).catalogue
    assert patient.files is not None
    yield _right(patient.files, str(path), len(findings))
    if patient.in_force is None:
        patient.accounts = [account(one) for one in patient.files.creators.values() if one.enabled]
    elif patient.ledger:
        yield _compared(patient)


def _missing(patient: Patient) -> Finding:
    path = patient.settings.campaigns.absolute()
    if patient.in_force is not None and not patient.embedded:
        return Finding(_CHECK, "note", f"there is no {path} here, which is fine on a host without a scheduler")
    mend = "set CARILLON_CAMPAIGNS to where it is, or let `carillon init` write one"
    return Finding(_CHECK, "error", f"there is no {path}", mend)


def _wrong(patient: Patient, errors: list[CheckFinding]) -> Finding:
    stays = "; what was good before stays in force" if patient.in_force is not None else ""
    message = f"{counted(len(errors), 'error')}, the first: {errors[0]}{stays}"
    return Finding(_CHECK, "error", message, "see `carillon check`")


def _right(files: Catalogue, path: str, warnings: int) -> Finding:
    words = f"{path}: {counted(len(files.campaigns), 'campaign')} for {counted(len(files.creators), 'creator')}"
    if warnings:
        return Finding(_CHECK, "note", f"{words}, {counted(warnings, 'warning')}: see `carillon check`")
    return Finding(_CHECK, "ok", words)


def _compared(patient: Patient) -> Finding:
    assert patient.ledger
    assert patient.in_force
    assert patient.files
    newest = select(catalogues).order_by(catalogues.c.generation.desc()).limit(1)
    with patient.ledger.read() as session:
        row = session.execute(newest).one()
    in_force = f"generation {row.generation}, in force since {clock.rfc3339_seconds(row.published_at)}"
    if _says(patient.files) == _says(patient.in_force):
        return Finding(_CHECK, "ok", f"{in_force}, is what these files say")
    if _followed(patient):
        mend = "give every scheduler the same files; one that was edited last is followed"
        return Finding(_CHECK, "warning", f"{in_force}, is not what these files say, and a scheduler runs", mend)
    return Finding(
        _CHECK, "note", f"{in_force}, is not what these files say; an edit comes into force at the next start"
    )


def _says(catalogue: Catalogue) -> dict[str, Any]:
    """By file name and without its folder: the same files may be named from elsewhere."""
    kept = json.loads(catalogue.content)
    return {file["shown"].rpartition("/")[2]: file["values"] for file in kept["files"]}


def _followed(patient: Patient) -> bool:
    from console.sending import somebody_runs

    assert patient.ledger
    return somebody_runs(patient.settings, patient.ledger)
