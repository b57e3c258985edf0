"""A program that has imported the whole house and forks a fresh process of it in a moment, for `house.py`.

Orders come as lines of JSON on stdin, and go on until that closes; then all processes die. What was forked and what
ended is said on stdout.
"""

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import console.scheduler
import console.supervisor
import console.up
import console.worker
import scheduler.service
import worker.service
from carillon.settings import Settings, load
from chaos.hasty import hurry
from chaos.tripwires import Tripwires
from chaos.wire import Wire

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_LOADED = (console.supervisor, scheduler.service, worker.service)

ROLES: dict[str, Callable[[Settings], int]] = {
    "up": lambda settings: console.up.up(settings, with_dashboard=False),
    "scheduler": console.scheduler.scheduler,
    "worker": lambda settings: console.worker.worker(settings, 1, 2),
}


def main() -> None:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    living: set[int] = set()
    orders = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 100)
            _bury(living)
        if 0 in ready:
            said = os.read(0, 65_536)
            if not said:
                break
            *whole, orders = (orders + said).split(b"\n")
            for order in whole:
                living.add(_fork(json.loads(order)))
    for pid in living:
        os.killpg(pid, signal.SIGKILL)


def _bury(living: set[int]) -> None:
    for pid in list(living):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            living.discard(pid)
            _say(ended=pid, code=os.waitstatus_to_exitcode(status))


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _live(order)
    _say(forked=pid)
    return pid


def _live(order: dict[str, Any]) -> None:
    """Never returns."""
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        _use_log(order["log"])
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        hurry()
        Tripwires(Wire(Path(order["wire"]))).string()
        code = ROLES[order["role"]](load())
    except BaseException as error:  # noqa: BLE001  a fork must never come back into the loop of its parent
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _use_log(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _say(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    main()
