"""What doctor says of webhooks: secrets that cannot be read, and what nobody takes."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from carillon import clock
from carillon.ledger import hooks
from carillon.ledger.connect import Ledger
from carillon.ledger.tables_media import hooks as hook_rows
from carillon.settings import load
from console.doctor import configuration
from console.doctor.findings import Finding
from console.doctor.patient import Patient, account
from console.doctor.webhooks import check
from ledger_rows import add_creator, creator

AT_SCALE = "postgresql://carillon@db/carillon"


def told(patient: Patient) -> list[str]:
    findings: list[Finding] = list(check(patient))
    assert all(found.mend for found in findings if found.wrong)
    assert "the-secret" not in str(findings)
    return [str(found) for found in findings]


def patient_with(ledger: Ledger, **settings: str) -> Patient:
    names = {"luna": "env:LUNA_HOOK", "mia": "env:NOT_SET_ANYWHERE", "bea": None}
    ids = [add_creator(ledger, name, webhook_secret=secret) for name, secret in names.items()]
    accounts = [account(creator(ledger, id_)) for id_ in ids]
    return Patient(load(**settings), ledger, accounts=accounts)


def test_a_secret_that_cannot_be_read_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_HOOK", "the-secret")
    patient = patient_with(ledger)
    missing = "webhooks: mia: env:NOT_SET_ANYWHERE: not set: its webhooks are turned away; set NOT_SET_ANYWHERE where"
    ok, error = told(patient)
    assert ok == "ok: webhooks: 1 of 2 secrets can be read here"
    assert error.startswith(f"error: {missing}")
    patient.settings = load(database_url=AT_SCALE)
    _, warning = told(patient)
    assert warning.startswith(f"warning: {missing}")
    assert warning.endswith("only where a dashboard runs does it need to be there")


def test_what_nobody_takes_is_told_after_a_while(ledger: Ledger) -> None:
    luna = add_creator(ledger)
    patient = Patient(load(), ledger)
    with ledger.write() as connection:
        hooks.store(connection, creator(ledger, luna), None, b"{}", clock.now())
    assert told(patient) == []
    with ledger.write() as connection:
        connection.execute(update(hook_rows).values(received_at=clock.now() - timedelta(minutes=6)))
    [words] = told(patient)
    assert words.startswith("warning: webhooks: 1 webhook received since ")
    assert words.endswith("did nothing yet; start `carillon dashboard`, or `carillon up` with its dashboard")


def test_a_dashboard_that_all_could_reach_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARILLON_DASHBOARD_HOST", "0.0.0.0")
    _, _, findings = configuration.read(None)
    [words] = [str(found) for found in findings if found.wrong]
    assert words.startswith("error: settings: others could reach the dashboard on 0.0.0.0, so it does not start; set ")
    monkeypatch.setenv("CARILLON_DASHBOARD_PASSWORD", "the-secret")
    assert not any(found.wrong for found in configuration.read(None)[2])


def test_where_there_are_none_nothing_is_said(ledger: Ledger) -> None:
    add_creator(ledger)
    assert told(Patient(load(), ledger)) == []
