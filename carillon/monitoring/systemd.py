"""A word to systemd: that this daemon is ready, that it stops, that its beats still go round.

One datagram on the socket that systemd names; a library for it would be longer than this file.

Units have NotifyAccess=main, so only the daemon's first process may speak: what a forked child says is dropped and
written to the journal as a fault. `watchdog_seconds` is None in a child, which still inherits the variables.
"""

import os
import socket
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
WELL = "WATCHDOG=1"

_LONGEST = 3600.0

_PATIENCE = 1.0
"""Seconds; systemd reads at once, and a daemon must not hang on telling that it is well."""


def notify(*lines: str) -> None:
    """Say this (`READY`, `STOPPING`, `WELL`, `STATUS=words`) to systemd; nothing happens where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    abstract = address.startswith("@")
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(_PATIENCE)
        line.sendto("\n".join(lines).encode(), "\0" + address[1:] if abstract else address)


def watchdog_seconds() -> float | None:
    """How often to say `WELL`: twice in the time after which systemd restarts this process. None: nobody watches."""
    watched, microseconds = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    if watched not in {"", str(os.getpid())} or not microseconds.isascii() or not microseconds.isdigit():
        return None
    return min(int(microseconds) / 2_000_000, _LONGEST) or None
