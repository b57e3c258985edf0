"""Do all clocks agree, and are the time zones there."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from carillon import clock
from carillon.ledger import beats
from console.doctor.findings import Finding, Status, counted
from console.doctor.patient import Patient

_NOTICED = timedelta(seconds=1)
_TOO_MUCH = timedelta(seconds=5)
_MEND = "keep the clocks of all hosts and of the database right, by chrony or systemd-timesyncd"


def check_clocks(patient: Patient) -> Iterator[Finding]:
    """Due times count by the database's clock; a host's own decides nothing but how long a platform's wait is."""
    ledger = patient.ledger
    if ledger is None or ledger.embedded:
        return
    with ledger.read() as session:
        connection = session.connection()
        before = clock.now()
        there = ledger.now(connection)
        here = before + (clock.now() - before) / 2
        living = beats.alive(connection, there)
    skews = {"this host": here - there}
    for row in living:
        skew = row.host_at - row.at
        skews[row.host] = max(skew, skews.get(row.host, skew), key=abs)
    yield from _told(skews)


def _told(skews: dict[str, timedelta]) -> Iterator[Finding]:
    wrong = {host: skew for host, skew in skews.items() if abs(skew) > _NOTICED}
    for host, skew in wrong.items():
        status: Status = "error" if abs(skew) > _TOO_MUCH else "warning"
        direction = "ahead of" if skew > timedelta(0) else "behind"
        message = f"the clock of {host} is {abs(skew).total_seconds():.1f} s {direction} the database's"
        yield Finding("clock", status, message, _MEND)
    if not wrong:
        words = f"within a second of the database's: {counted(len(skews), 'clock')}"
        yield Finding("clock", "ok", words)


def check_zones(patient: Patient) -> Iterator[Finding]:
    zones = sorted({one.timezone for one in patient.accounts if one.timezone} | {"UTC"})
    missing = [zone for zone in zones if not _is_there(zone)]
    for zone in missing:
        mend = "install the package tzdata, or mend the name in the campaign file"
        yield Finding("zones", "error", f"the time zone {zone} is not known here", mend)
    if not missing:
        yield Finding(
            "zones", "ok", f"{counted(len(zones), 'time zone')} of creators known here: {', '.join(zones[:10])}"
        )


def _is_there(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
