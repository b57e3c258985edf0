"""Which creators are stopped, and send nothing until a person does something."""

from collections.abc import Iterator

from sqlalchemy import select

from carillon import clock
from carillon.ledger.tables import creators
from console.doctor.findings import Finding, counted, some_of
from console.doctor.patient import Patient

_CHECK = "creators"


def check(patient: Patient) -> Iterator[Finding]:
    if patient.ledger is None or not patient.accounts:
        return
    stopped = select(creators).where(creators.c.enabled, creators.c.stopped_at.is_not(None)).order_by(creators.c.key)
    with patient.ledger.read() as session:
        found = [
            Finding(
                _CHECK,
                "warning",
                f"{row.key} is stopped since {clock.rfc3339_seconds(row.stopped_at)}: {row.stopped_reason}",
                f"mend that (another key is taken by itself), or `carillon resume --creator {row.key}`",
            )
            for row in session.execute(stopped)
        ]
    if not found:
        yield Finding(_CHECK, "ok", f"{counted(len(patient.accounts), 'creator')}, none stopped")
    yield from some_of(found, "see `carillon creators`")
