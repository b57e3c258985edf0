"""What a worker's process and the one that watches it say to each other: once a second, that all is well."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Hello:
    """The process's end of the pipe, and the process that holds the other one."""

    pipe: "Connection[list[str], None]"
    parent: int


def tell_parent(
    hello: Hello, stopping: threading.Event, wrong: Callable[[], list[str]], hangs: Callable[[], bool]
) -> None:
    """Until this process is told to stop, or whoever watches it is gone: it would be left without a master."""
    while os.getppid() == hello.parent:
        if not hangs():
            with suppress(OSError):
                hello.pipe.send(wrong())
        if stopping.wait(EVERY_SECONDS):
            return
