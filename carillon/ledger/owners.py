"""Who makes an attempt, and the proof that it can make none any more.

Age never proves death. A process is dead when this very host, in this very boot, has no process with its number and
birth; the birth is counted in ticks since the boot, so that stepping the clock kills nobody. Of another host, or
where a boot cannot be told from another, nothing is proven.
"""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_HIDDEN = "unknown"
"""The birth of a process that this one may not look at: it proves nothing."""


@dataclass(frozen=True)
class Owner:
    host: str
    pid: int
    birth: str

    def __str__(self) -> str:
        return f"{self.host.partition('/')[0]}:{self.pid}"


@cache
def _of(pid: int) -> Owner:
    return Owner(_host(), pid, _birth(pid) or _HIDDEN)


def this_process() -> Owner:
    return _of(os.getpid())


def proven_dead(owner: Owner) -> bool:
    if owner.host != _host() or owner.birth == _HIDDEN:
        return False
    return _birth(owner.pid) not in {owner.birth, _HIDDEN}


@cache
def _host() -> str:
    """This machine and boot, and on Linux the namespace in which process numbers mean something.

    Cloned machines and containers share names, and namespaces of two machines may have the same number.
    """
    try:
        return f"{socket.gethostname()}/{_boot()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _birth(pid: int) -> str | None:
    """What tells this process from a later one with the same number; None if there is no such process."""
    if not Path("/proc/self/stat").exists():
        return _birth_by_clock(pid)
    if not _boot():
        return _HIDDEN
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _HIDDEN if _answers(pid) else None
    except PermissionError:
        return _HIDDEN
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else start_ticks


def _answers(pid: int) -> bool:
    """Whether there is such a process, even where /proc does not show those of others."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


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
