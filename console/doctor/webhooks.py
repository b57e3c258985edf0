"""Can the secrets that webhooks are proven with be read, and does anybody take what was received."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select

from carillon import clock
from carillon.ledger.tables_media import hooks
from carillon.platforms import credentials
from carillon.platforms.credentials import CredentialError
from console.doctor.findings import Finding, Status, counted, some_of
from console.doctor.patient import Account, Patient

_CHECK = "webhooks"
_PATIENCE = timedelta(minutes=5)


def check(patient: Patient) -> Iterator[Finding]:
    yield from _secrets(patient)
    if patient.ledger is None:
        return
    with patient.ledger.read() as session:
        connection = session.connection()
        waiting: Any = select(func.count().label("number"), func.min(hooks.c.received_at).label("since"))
        row = connection.execute(waiting.where(hooks.c.done_at.is_(None))).one()
        if row.since is not None and row.since < patient.ledger.now(connection) - _PATIENCE:
            yield _left(row)


def _secrets(patient: Patient) -> Iterator[Finding]:
    wanted = [one for one in patient.accounts if one.webhook_secret is not None]
    missing = [finding for one in wanted for finding in _missing(patient, one)]
    if len(missing) < len(wanted):
        yield Finding(
            _CHECK, "ok", f"{len(wanted) - len(missing)} of {counted(len(wanted), 'secret')} can be read here"
        )
    yield from some_of(missing, "see them with --json")


def _missing(patient: Patient, account: Account) -> Iterator[Finding]:
    try:
        credentials.read(account.webhook_secret or "")
    except CredentialError as error:
        message, _, mend = str(error).rpartition("; ")
        status: Status = "error" if patient.embedded else "warning"
        where = "" if patient.embedded else "; only where a dashboard runs does it need to be there"
        words = f"{account.key}: {message}: its webhooks are turned away"
        yield Finding(_CHECK, status, words, f"{mend}{where}")


def _left(row: Row[Any]) -> Finding:
    message = f"{counted(row.number, 'webhook')} received since {clock.rfc3339_seconds(row.since)} did nothing yet"
    return Finding(_CHECK, "warning", message, "start `carillon dashboard`, or `carillon up` with its dashboard")
