"""Campaign files for many creators on FrontRow, daemons on odd hosts, and the wait for the ends of all broadcasts."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from running import Carillon, until

_UP = re.compile(r"info     . (worker is |scheduler is )?up ")
ENDED = {"sent", "held", "expired", "skipped", "failed", "cancelled"}


def soon(seconds: float) -> datetime:
    """A whole second from now on."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def declared(creators: int, dues: Iterable[datetime], *, limit: str | None = None, more: str = "") -> str:
    """Each creator has one broadcast at each of these times; `more` are further keys of each campaign."""
    limited = f", limit: {limit}" if limit else ""
    instants = [f"{due:%Y-%m-%dT%H:%M:%S}Z" for due in dues]
    people = [
        f"  c{number}: {{platform: frontrow, credentials: env:KEY{number}, timezone: UTC{limited}}}"
        for number in range(creators)
    ]
    campaigns = [
        f"  t{number}-{turn}: {{creator: c{number}, text: c{number}-t{turn}, lists: {{include: [subscribers]}}, "
        f"schedule: {{at: '{instant}'}}{more}}}"
        for number in range(creators)
        for turn, instant in enumerate(instants)
    ]
    return "\n".join(["version: 1", "creators:", *people, "campaigns:", *campaigns, ""])


def keys(creators: int) -> dict[str, str]:
    return {f"KEY{number}": f"key{number}" for number in range(creators)}


def ended(carillon: Carillon, count: int, seconds: float = 90) -> list[dict[str, Any]]:
    """All of so many broadcasts, once each has come to an end."""

    def rows() -> list[dict[str, Any]]:
        found = carillon.broadcasts()
        return found if len(found) == count and {row["state"] for row in found} <= ENDED else []

    return until(rows, seconds)


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], name: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon that is started in a way of its own; its log is `name`.log in the folder. Yields it once it is up."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=out, stderr=out)
    try:
        until(lambda: _UP.search(log.read_text()) or _ended(process, log), 30)
        yield process
    finally:
        process.kill()
        process.wait()


def on_another_host(name: str) -> list[str]:
    """What goes before a command to run it on a host of that name, where this system lets us."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return []
    return ["unshare", "--uts", "sh", "-c", f'echo {name} > /proc/sys/kernel/hostname; exec "$@"', "sh"]


def _ended(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    return False


def counted(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many stand in each state."""
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in sorted(set(states))}
