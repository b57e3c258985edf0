"""The servers of the bench: as the tests', but on the disk, and with every commit synced to it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import servers

_DURABLE = ("fsync=on", "full_page_writes=on", "max_wal_size=1GB")


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of the one of CARILLON_DATABASE_URL, or of an own one."""
    given = os.environ.get("CARILLON_DATABASE_URL")
    with ExitStack() as stack:
        if given is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carillon-bench-")))
            folder.chmod(0o755)
            command, user, url = servers.postgresql_in(folder)
            command += [word for setting in _DURABLE for word in ("-c", setting)]
            stack.enter_context(servers.living(command, folder, "INT", user))
            servers.wait_for_postgresql(url)
        yield given or url


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of the one of CARILLON_REDIS_URL, or of an own one."""
    with servers.valkey(os.environ.get("CARILLON_REDIS_URL")) as url:
        yield url
