"""The `carillon up` that the demo watches: a process with an environment made from scratch."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from console.demo import leash

_UP = (sys.executable, "-m", "console.cli", "up")
_ROOMS = Path(__file__).parents[2]
_KEPT = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
"""All that is taken from the demo's own environment: no setting, no key, no proxy."""

WEBHOOK_SECRET = "made-up-secret-of-the-demo"  # noqa: S105

_PATIENCE = 30  # seconds for what is on its way, when it is told to stop


class Child:
    """One home; `start` may be called again after `kill`. Nothing of it outlives the `with`."""

    def __init__(self, home: Path, campaigns: Path, urls: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self.home = home
        self.database = home / "carillon.db"
        self._log = home / "up.log"
        port = _free_port()
        self.dashboard = f"http://127.0.0.1:{port}"
        self._environment = environment(home, campaigns, urls, keys) | {"CARILLON_DASHBOARD_PORT": str(port)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self.kill()

    def start(self) -> None:
        """In its home, which has no `.env`, and in a session of its own: Ctrl-C is for the demo alone."""
        command = [sys.executable, leash.__file__, str(os.getpid()), *_UP]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - its own code
                command,
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> bool:
        """SIGTERM: what is on its way is finished. Returns whether it ended as it should."""
        assert self._process
        self._process.terminate()
        try:
            # Told before it could listen, it ends by the signal.
            return self._process.wait(_PATIENCE) in (0, -signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def last_words(self, lines: int = 20) -> str:
        """The end of what it printed and logged."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def environment(home: Path, campaigns: Path, urls: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """So that neither a real platform nor a real database can be reached, whatever is set outside."""
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "PYTHONPATH": str(_ROOMS),
        "CARILLON_HOME": str(home),
        "CARILLON_CAMPAIGNS": str(campaigns),
        "CARILLON_LOG": "console",
        **{f"CARILLON_{platform.upper()}_URL": url for platform, url in urls.items()},
        **{f"DEMO_{platform.upper()}_KEY": key for platform, key in keys.items()},
        "DEMO_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
