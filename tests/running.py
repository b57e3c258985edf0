"""A real `carillon up` on a home of its own; tests act on it through the command line, and watch its ledger."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import true

from carillon.ledger.connect import Ledger
from carillon.ledger.questions import listed
from carillon.settings import load as load_settings

T = TypeVar("T")
COMMAND = (str(Path(sys.executable).with_name("carillon")),)


def until(question: Callable[[], T], seconds: float = 15) -> T:
    """Ask until the answer is truthy; fails with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)


class Carillon:
    """One installation: a home, a campaign file, and keys in the environment."""

    def __init__(self, folder: Path, urls: Mapping[str, str], **variables: str) -> None:
        self.folder = folder
        self.file = folder / "campaigns.yaml"
        self.process: subprocess.Popen[bytes] | None = None
        self._open: Ledger | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
        platforms = {f"CARILLON_{platform.upper()}_URL": url for platform, url in urls.items()}
        home = {"CARILLON_HOME": str(folder / "home"), "CARILLON_LOG": "console"}
        self.environment = {**inherited, **platforms, **home, **variables}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self._open:
            self._open.close()

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")

    def declare(self, text: str) -> None:
        """Write the campaign file the way an editor does: whole, by a rename."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)

    def up(self, *, dashboard: bool = False) -> None:
        """Start it, and wait until it says so."""
        words = [] if dashboard else ["--no-dashboard"]
        with (self.folder / "up.log").open("ab") as log:
            start = log.tell()
            self.process = subprocess.Popen(
                [*COMMAND, "up", *words], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        until(lambda: b"[info     ] up " in (self.folder / "up.log").read_bytes()[start:] or self._ended())

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def run(self, *words: str, code: int = 0) -> str:
        """One command; fails unless it exits with `code`. Returns what it printed."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{words} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def complaint(self, *words: str, code: int = 1) -> str:
        """What one command says on stderr as it fails with `code`, and nothing but that."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, ""), f"{words}: {done}"
        return done.stderr

    def broadcasts(self, **only: str) -> list[dict[str, Any]]:
        """What `carillon broadcasts --json` prints, asked in this process since tests ask it often."""
        ledger = self._ledger()
        if not ledger:
            return []
        with ledger.read() as session:
            connection = session.connection()
            found = listed(connection, true(), ledger.now(connection))
        return [row for row in found if all(row[key] == value for key, value in only.items())]

    @property
    def ledger(self) -> Ledger:
        ledger = self._ledger()
        assert ledger is not None, "it has not begun yet"
        return ledger

    def _ledger(self) -> Ledger | None:
        settings = load_settings(home=self.folder / "home", database_url=self.environment.get("CARILLON_DATABASE_URL"))
        if settings.database_url is None and not (settings.home / "carillon.db").exists():
            return None
        self._open = self._open or Ledger(settings.database)
        return self._open

    def wait_for_states(self, *states: str, seconds: float = 20) -> list[dict[str, Any]]:
        """Until the broadcasts, oldest due first, stand in exactly these states."""

        def standing() -> list[dict[str, Any]] | None:
            rows = self.broadcasts()
            return rows if [row["state"] for row in rows] == list(states) else None

        found = until(standing, seconds)
        assert found is not None
        return found
