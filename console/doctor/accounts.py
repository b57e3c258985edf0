"""Which creators are stopped, and send nothing until a person does something."""

from collections.abc import Iterator

from sqlalchemy import select

from carillon import clock
from carillon.ledger import credit
from carillon.ledger.connect import Ledger
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
    yield from some_of(_credits(patient.ledger), "see `carillon creators`")


def _credits(ledger: Ledger) -> list[Finding]:
    """What is left, told once for each key; what is low is an alarm."""
    with ledger.read() as session:
        left = credit.standing(session.connection())
        which = (creators.c.enabled, creators.c.id.in_(left.keys()))
        named = select(creators).where(*which).order_by(creators.c.key.desc())  # so that the first name stays
        rows = {(row.platform, row.credentials): row for row in session.execute(named)}
    known = [(row.platform, row.key, left[row.id][1]) for row in rows.values() if left[row.id][1] is not None]
    return [
        Finding(_CHECK, "ok", f"{balance} credits left on {platform} for the key of {key}")
        for platform, key, balance in known
    ]
