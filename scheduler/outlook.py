"""The forecast of what came into force, told in the log by a process of its own: it may take seconds of a core.

Run as `python -m scheduler.outlook PATH PLATFORM…`, the platforms being those whose address is overridden.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path

import structlog

from carillon.campaigns.load import outlook

log = structlog.get_logger()

_NICE = 10


def tell(path: Path, overridden: Collection[str]) -> None:
    """Returns at once; what could not go before it expires is a loud warning some moments later."""
    threading.Thread(target=_tell, args=(path, overridden), daemon=True, name="outlook").start()


def _tell(path: Path, overridden: Collection[str]) -> None:
    command = [sys.executable, "-m", "scheduler.outlook", str(path), *overridden]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own module
    for line in done.stdout.splitlines():
        log.warning(line)


def main() -> None:
    os.nice(_NICE)
    sys.stdout.writelines(f"{finding}\n" for finding in outlook(Path(sys.argv[1]), frozenset(sys.argv[2:])))


if __name__ == "__main__":
    main()
