"""The times of a house in tests: shrunk in its own process, so that half a minute's wait is a fraction of a second.

What stands in proportion stays so: a lease outlasts a request, a settle time the platform's hesitation. Each constant
must be there under its name, in whichever rooms of the house; the product itself knows nothing of this.
"""

import functools
import sys
from datetime import timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

TIMEOUT = 2.0
"""Seconds of a whole attempt: a setting, which the house is given."""

LEASE = 2.5
SETTLE = timedelta(seconds=0.3)

_SHRUNK: dict[str, Any] = {
    "LEASE_SECONDS": LEASE,
    "SETTLE": SETTLE,
    "APART": timedelta(seconds=0.15),
    "_SETTLE_AGAIN": timedelta(seconds=0.05),
    "SWEEP_AFTER": timedelta(seconds=0.6),
    "BASE_SECONDS": 0.0,
    "_STEADY_SECONDS": 0.0,
}
_OF_ONE_FILE: dict[tuple[str, str], Any] = {
    ("worker.settle", "LATEST"): timedelta(seconds=8),
    ("worker.settle", "UNREADABLE"): timedelta(seconds=1),
    ("worker.settle", "_FIRST"): timedelta(seconds=0.05),
    ("worker.settle", "_SOON"): timedelta(seconds=0.1),
    ("worker.record", "_OWN_LOOK"): timedelta(seconds=0.05),
}
_BEATS = 0.1
"""Intervals of the scheduler's beats, in parts of what they are."""


def hurry() -> None:
    """Raises LookupError if a constant is gone, so that no test waits for what was never shrunk."""
    for name, value in _SHRUNK.items():
        rooms = [module for module in _product() if name in vars(module)]
        if not rooms:
            raise LookupError(f"no part of the product has {name} any more; see tests/chaos/hasty.py")
        for module in rooms:
            setattr(module, name, value)
    for (room, name), value in _OF_ONE_FILE.items():
        if name not in vars(sys.modules[room]):
            raise LookupError(f"{room} has no {name} any more; see tests/chaos/hasty.py")
        setattr(sys.modules[room], name, value)
    _shorten_intervals()


def _product() -> list[Any]:
    rooms = ("carillon", "scheduler", "worker", "console")
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in rooms]


def _shorten_intervals() -> None:
    add_job = BackgroundScheduler.add_job

    @functools.wraps(add_job)
    def hasty(self: Any, job: Any, trigger: Any = None, *args: Any, **options: Any) -> Any:
        if trigger == "interval" and "seconds" in options:
            options["seconds"] *= _BEATS
        return add_job(self, job, trigger, *args, **options)

    BackgroundScheduler.add_job = hasty
