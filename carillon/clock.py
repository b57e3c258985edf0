"""The one place that reads the time. Instants are aware and in UTC."""

import time
from datetime import UTC, datetime

_COUNTS_SUSPENSION = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """This host's wall clock; what is compared with ledger rows uses the database's (`ledger.connect`)."""
    return datetime.now(UTC)


def ticks() -> float:
    """Seconds on a clock that never steps and goes on while the machine is suspended."""
    return time.clock_gettime(_COUNTS_SUSPENSION)


def rfc3339(instant: datetime) -> str:
    """`2026-12-31T22:59:00Z`, with fractions only if there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def rfc3339_seconds(instant: datetime) -> str:
    """`2026-12-31T22:59:00Z`, fractions cut off: what platforms show in their samples."""
    return rfc3339(instant.replace(microsecond=0))
