"""The `carillon` command on a host whose wall clock is wrong: `python stepped.py FILE COMMAND...`.

FILE holds by how many seconds, and may change at any moment. Nobody sets the machine's own clock: what Carillon,
APScheduler and Dramatiq read of it is shifted in this process, before anything is started.
"""

import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path


class Shifted(datetime):
    """Its `now` is that of the wrong clock; what it returns are plain datetimes."""

    file = Path()

    @classmethod
    def off(cls) -> float:
        return float(cls.file.read_text() or 0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=cls.off())


def shift(file: Path) -> None:
    import apscheduler.executors.base
    import apscheduler.schedulers.base
    import apscheduler.triggers.date
    import apscheduler.triggers.interval
    from dramatiq.brokers import redis

    from carillon import clock

    Shifted.file = file
    right = clock.now
    clock.now = lambda: right() + timedelta(seconds=Shifted.off())
    redis.current_millis = lambda: int((time.time() + Shifted.off()) * 1000)  # type: ignore[attr-defined]
    # With each order that is fetched, and not with one in a thousand, it looks who seems dead.
    redis.RedisBroker._should_do_maintenance = lambda _, command: int(command == "fetch")  # type: ignore[method-assign,assignment]
    for module in (
        apscheduler.executors.base,
        apscheduler.schedulers.base,
        apscheduler.triggers.date,
        apscheduler.triggers.interval,
    ):
        module.datetime = Shifted


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, where a file may be called as a package is
    shift(Path(sys.argv[1]))
    sys.argv[:2] = ["carillon"]
    from console.cli import main

    main()
