"""Open alarms, each with what a person can do, and whether they reach anybody."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, func, select

from carillon import clock
from carillon.ledger.tables import alarms
from carillon.ledger.tables_house import notices
from carillon.monitoring.channels import open_channels
from console.doctor.findings import Finding, counted, some_of
from console.doctor.patient import Patient

_CHECK = "alarms"
_TOLD_ELSEWHERE = ("stopped:", "no_beat:")
_MENDS = {
    "held": "see `carillon show {broadcast}`, then `carillon resolve {broadcast}` or `carillon cancel {broadcast}`",
    "unknown": "wait: the platform is being asked, see `carillon show {broadcast}`; what that does not settle is held",
    "queued": "see that a worker runs and that its platform answers",
    "sending": "see that its worker runs; one that died is noticed when its lease is over",
    "overdue": "see that a scheduler runs",
    "files": "give every scheduler the same files",
    "text": "mend the campaign's text",
    "credits": "buy more for that key where it was made",
    "two_installations": "take those creators out of one of the two",
}


def check(patient: Patient) -> Iterator[Finding]:
    if patient.ledger is None:
        return
    with patient.ledger.read() as session:
        chosen = select(alarms).where(alarms.c.cleared_at.is_(None)).order_by(alarms.c.raised_at)
        rows = [row for row in session.execute(chosen) if not row.cause.startswith(_TOLD_ELSEWHERE)]
        undelivered = list(session.execute(_undelivered()))
    if not rows:
        yield Finding(_CHECK, "ok", "none is open")
    yield from some_of([_open(row) for row in rows], "see `carillon broadcasts --needs-person`")
    names = {channel.id: channel.name for channel in open_channels(patient.settings.alarm_urls)[0]}
    for channel, count, tries in undelivered:
        if channel in names:
            message = f"{counted(count, 'alarm')} did not reach {names[channel]} after {counted(tries, 'try')}"
            yield Finding(_CHECK, "warning", message, "see the scheduler's log, and mend CARILLON_ALARM_URLS")


def _open(row: Row[Any]) -> Finding:
    kind = row.cause.partition(":")[0]
    look = (
        f"see `carillon show {row.broadcast_id}`, and the platform" if row.broadcast_id else "see the scheduler's log"
    )
    mend = _MENDS.get(kind, look).format(broadcast=row.broadcast_id)
    message = row.message.removesuffix(f"; {mend}")
    return Finding(_CHECK, "warning", f"since {clock.rfc3339_seconds(row.raised_at)}: {message}", mend)


def _undelivered() -> Any:
    waiting = (notices.c.sent_at.is_(None), notices.c.tries > 1)
    return (
        select(notices.c.channel, func.count(), func.max(notices.c.tries)).where(*waiting).group_by(notices.c.channel)
    )
