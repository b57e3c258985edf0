"""The creators that logged in: whether their tokens can be opened and renewed here."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import creators
from carillon.ledger.tables_media import tokens
from carillon.platforms.sealing import Keyring, SealError
from console.doctor.findings import Finding, counted, some_of
from console.doctor.patient import Patient
from worker.renewal import application

_CHECK = "logins"


def check(patient: Patient) -> Iterator[Finding]:
    rows = logged_in(patient.ledger) if patient.ledger and patient.begun else []
    if not rows:
        return
    yield Finding(_CHECK, "ok", f"{counted(len(rows), 'creator')} logged in")
    lost = [
        Finding(_CHECK, "error", f"the login of {row.key} is lost", f"carillon login {row.key}")
        for row in rows
        if row.lost
    ]
    yield from some_of(lost, "see `carillon creators`")
    yield from _can_renew(patient, rows)


def logged_in(ledger: Ledger) -> list[Row[Any]]:
    """Their names, references and sealed tokens."""
    columns = (creators.c.key, creators.c.credentials, tokens.c.sealed, tokens.c.lost)
    chosen = select(*columns).join(tokens, tokens.c.creator_id == creators.c.id).where(creators.c.enabled)
    with ledger.read() as session:
        return list(session.execute(chosen.order_by(creators.c.key)).all())


def _can_renew(patient: Patient, rows: list[Row[Any]]) -> Iterator[Finding]:
    settings, keys = patient.settings, Keyring(patient.settings.secret_key)
    closed = []
    for row in rows:
        try:
            keys.open(row.sealed)
        except SealError as error:
            message, _, mend = str(error).partition(": ")
            closed.append(Finding(_CHECK, "error", f"{row.key}: {message}", mend))
    yield from some_of(closed, "mend CARILLON_SECRET_KEY")
    if not (settings.fanvue_client_id and settings.fanvue_client_secret):
        message = f"without {application('fanvue')} no token can be renewed"
        yield Finding(_CHECK, "error", message, "set them to those of the application that the creators logged in to")
