"""Who makes an attempt, and the proof that it can make none any more.

Age never proves death. A process is dead when this very host has no process with its number and birth; the
birth is counted in ticks since a boot, so that stepping the clock kills nobody. Of another host nothing is proven.
"""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Owner:
    host: str
    pid: int
    birth: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


@cache
def _of(pid: int) -> Owner:
    return Owner(socket.gethostname(), pid, _birth(pid) or "unknown")


def this_process() -> Owner:
    return _of(os.getpid())


def proven_dead(owner: Owner) -> bool:
    return owner.host == socket.gethostname() and owner.birth != "unknown" and _birth(owner.pid) != owner.birth


def _birth(pid: int) -> str | None:
    """What tells this process from a later one with the same number; None if there is no such process."""
    if not Path("/proc/self/stat").exists():
        return _birth_by_clock(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{_boot()}/{start_ticks}"


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _birth_by_clock(pid: int) -> str | None:
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
