"""Does anything run that will plan and send: an `up` on this home, or schedulers and workers that beat."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from carillon import clock
from carillon.handoff.orders import QUEUES
from carillon.ledger import beats, schema
from carillon.ledger.connect import Ledger
from console.doctor.findings import Finding, counted
from console.doctor.patient import Patient

_CHECK = "processes"
_LOST = {
    "scheduler": ("nothing is planned or handed to the workers", "start `carillon scheduler`"),
    "worker": ("nothing is sent", "start `carillon worker`"),
}


def check(patient: Patient) -> Iterator[Finding]:
    if patient.ledger is None:
        return
    with patient.ledger.read() as session:
        connection = session.connection()
        living = beats.alive(connection, patient.ledger.now(connection))
        last = {role: beats.last(connection, role) for role in _LOST}
    if _up_runs(patient):
        yield Finding(_CHECK, "ok", f"`carillon up` runs on {patient.settings.home}")
    elif not patient.begun:
        start = "`carillon up`" if patient.embedded else "`carillon scheduler` and `carillon worker`"
        yield Finding(_CHECK, "note", f"nothing was ever in force here; {start} will begin it")
    elif patient.embedded:
        message = f"no `carillon up` runs on {patient.settings.home}: nothing is planned or sent"
        yield Finding(_CHECK, "error", message, "start `carillon up`")
    else:
        yield from _roles(living, last)
        yield from _connections(patient.ledger, sum(row.role == "worker" for row in living))
    yield from _versions(living)


def _up_runs(patient: Patient) -> bool:
    from console.up import is_running

    return is_running(patient.settings.home)


def _roles(living: Sequence[Row[Any]], last: dict[str, Any]) -> Iterator[Finding]:
    counts = Counter(row.role for row in living)
    for role, (lost, mend) in _LOST.items():
        if not counts[role]:
            since = f"since {clock.rfc3339_seconds(last[role])}" if last[role] else "ever"
            yield Finding(_CHECK, "error", f"no {role} has beaten {since}: {lost}", mend)
    if kinds := " and ".join(counted(counts[role], role) for role in (*_LOST, "dashboard") if counts[role]):
        yield Finding(_CHECK, "ok", f"{kinds} on {counted(len({row.host for row in living}), 'host')}")


def _connections(ledger: Ledger, workers: int) -> Iterator[Finding]:
    from worker.threads import FEWEST

    with ledger.read() as session:
        allowed = int(session.scalar(select(func.current_setting("max_connections"))) or 0)
    most = workers * FEWEST * len(QUEUES)
    if most > allowed:
        message = f"{counted(workers, 'worker')} may want {most} connections at once, and PostgreSQL allows {allowed}"
        yield Finding(_CHECK, "note", f"{message}: raise max_connections there before they are busy")


def _versions(living: Sequence[Row[Any]]) -> Iterator[Finding]:
    made_for = sorted({row.revision for row in living} | {schema.newest()})
    if len(made_for) > 1:
        message = f"code of {len(made_for)} versions is in use, made for the database at {', '.join(made_for)}"
        yield Finding(_CHECK, "note", f"{message}: fine while you update, but bring it to an end")
