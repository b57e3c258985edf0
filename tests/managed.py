"""A unit's or a container's very command, run the way its service manager runs it: its folders, secrets and socket."""

import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deployed import PROGRAM, SERVICES, Unit, container_command
from running import COMMAND

WATCHED_SECONDS = 6
"""After so long without a word the service manager would kill it."""

_CREDENTIALS = struct.Struct("iii")


class Machine:
    """The folders that the guides make, below `folder`; `credentials` is what a process finds its secrets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.campaigns, self.secrets, self.keys, self.hooks, self.state = (
            folder / name for name in ("etc/campaigns", "etc/secrets", "etc/keys", "etc/hooks", "state")
        )
        self.credentials = folder / "credentials"
        for place in (self.campaigns, self.secrets, self.keys, self.hooks, self.state, self.credentials):
            place.mkdir(parents=True, mode=0o700)

    def secret(self, place: Path, content: str) -> None:
        place.write_text(content)
        place.chmod(0o400)

    def start_unit(self, unit: Unit, **variables: str) -> "Managed":
        """With its secrets loaded, its paths moved below our folder, and a free health port."""
        for one in unit.all("LoadCredential"):
            name, _, source = one.partition(":")
            for file in sorted(Path(self._moved(source)).iterdir()):
                self._load(f"{name}_{file.name}", file.read_text())
        given = {name: self._moved(value) for name, value in unit.environment.items()}
        program, *words = unit.command
        assert program == PROGRAM
        return self._start(words, {**given, "CREDENTIALS_DIRECTORY": str(self.credentials), **variables})

    def start_container(self, service: str, **variables: str) -> "Managed":
        """With the service's own variables, but for those that name a place of the container."""
        for name in SERVICES[service]["secrets"]:
            self._load(name, (self.secrets / name).read_text())
        places = {"CARILLON_CAMPAIGNS": str(self.campaigns), "CREDENTIALS_DIRECTORY": str(self.credentials)}
        words = container_command(service)[1:]
        return self._start(words, {**SERVICES[service]["environment"], **places, **variables})

    def _moved(self, path: str) -> str:
        return path.replace("/etc/carillon", str(self.folder / "etc")).replace("/var/lib/carillon", str(self.state))

    def _load(self, name: str, content: str) -> None:
        if not (self.credentials / name).exists():
            self.secret(self.credentials / name, content)

    def _start(self, words: Sequence[str], variables: Mapping[str, str]) -> "Managed":
        ports = {"CARILLON_HEALTH_PORT": str(_free_port()), "CARILLON_DASHBOARD_PORT": "0"}
        return Managed([*COMMAND, *words], {**variables, **ports}, self.state)


class Managed:
    """A process whose words to its service manager are heard, if it is the one that may speak."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], folder: Path) -> None:
        self.port = variables["CARILLON_HEALTH_PORT"]
        self._heard: list[tuple[float, int, str]] = []
        self._home = tempfile.TemporaryDirectory(prefix="carillon-")  # tmp_path is too long for a socket
        self._log = Path(self._home.name, "log")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"{self._home.name}/notify")
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
        watched = {"NOTIFY_SOCKET": self._socket.getsockname(), "WATCHDOG_USEC": str(WATCHED_SECONDS * 1_000_000)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**inherited, **watched, **variables}, stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.shutdown(socket.SHUT_RD)
        self._listener.join()
        self._socket.close()
        self._home.cleanup()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def said(self, word: str) -> float | None:
        """When its main process first said so, on `time.monotonic()`; fails if it has ended without."""
        ended = self.process.poll() is not None
        for at, sender, text in tuple(self._heard):
            if sender == self.process.pid and word in text.splitlines():
                return at
        assert not ended, self.log
        return None

    def _listen(self) -> None:
        while True:
            text, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            if not text:
                return
            ((_, _, sender),) = ancillary
            self._heard.append((time.monotonic(), _CREDENTIALS.unpack(sender)[0], text.decode()))


def stop_all(daemons: Sequence[Managed], seconds: float) -> list[int]:
    """SIGTERM to the main process of each at once; returns their exit codes."""
    for daemon in daemons:
        daemon.process.send_signal(signal.SIGTERM)
    return [daemon.process.wait(seconds) for daemon in daemons]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
