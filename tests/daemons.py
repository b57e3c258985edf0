"""Schedulers and workers as real processes, and a PostgreSQL and a Valkey that go away and come back."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

import servers
from running import COMMAND, Carillon, until


class Daemon:
    """One `carillon scheduler` or `carillon worker`; its log lies beside it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *words: str) -> None:
        self._log = folder / f"{words[0]}-{os.urandom(4).hex()}.log"
        self._folder, self._environment, self._words = folder, environment, words
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> Self:
        """Start it, and wait until it says so."""
        before = len(self.log)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *self._words], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        until(lambda: f"{self._words[0]} is up" in self.log[before:] or self._ended(), 30)
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return False


class Fleet(Carillon):
    """One installation at scale: a database, a queue, a campaign file, and as many daemons as are started."""

    def __init__(
        self, folder: Path, urls: Mapping[str, str], database_url: str, redis_url: str, **variables: str
    ) -> None:
        servers_of_it = {"CARILLON_DATABASE_URL": database_url, "CARILLON_REDIS_URL": redis_url}
        super().__init__(folder, urls, **servers_of_it, **variables)
        self.redis_url = redis_url
        self.daemons: list[Daemon] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for daemon in self.daemons:
            if daemon.process is not None:
                daemon.kill()
        super().__exit__(kind, error, trace)

    def start(self, *words: str, **variables: str) -> Daemon:
        daemon = Daemon(self.folder, {**self.environment, **variables}, *words)
        self.daemons.append(daemon)
        return daemon.start()

    def flush_queue(self) -> None:
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()

    @property
    def logs(self) -> str:
        return "\n".join(daemon.log for daemon in self.daemons)


class Server:
    """A server of the test's own that can be stopped and started again on the same data."""

    def __init__(self, folder: Path, command: list[str | Path], user: str | None, how_to_stop: str) -> None:
        self._folder, self._command, self._user, self._how = folder, command, user, how_to_stop
        self._running = ExitStack()
        self._runs = 0

    def start(self) -> None:
        self._runs += 1
        run = self._folder / f"run{self._runs}"
        run.mkdir()
        self._running.enter_context(servers.living(self._command, run, self._how, self._user))

    def stop(self) -> None:
        self._running.close()


@contextmanager
def own_postgresql() -> Iterator[tuple[str, Server]]:
    """Its URL and the server. It stops as in a crash, without a word to anybody."""
    with servers.folder_for("pg") as folder:
        command, user, url = servers.postgresql_in(folder)
        server = Server(folder, command, user, "QUIT")
        server.start()
        try:
            servers.wait_for_postgresql(url)
            yield url, server
        finally:
            server.stop()


@contextmanager
def own_valkey() -> Iterator[tuple[str, Server]]:
    """Its URL and the server. It keeps nothing over a restart."""
    with servers.folder_for("valkey") as folder:
        command, url = servers.valkey_in(folder)
        server = Server(folder, command, None, "KILL")
        server.start()
        try:
            servers.wait_for_valkey(url)
            yield url, server
        finally:
            server.stop()
