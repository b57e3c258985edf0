"""The judge: an imitated platform that keeps its own log of what it took, by its own clock. It trusts no ledger.

A POST is taken once all of it was read, whatever becomes of its answer. Where a test says so, the judge stops reading
at none, the head or half of a request, holds its answer, or cuts the connection.
"""

import json
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

from chaos.judge_shows import Message, account_of, receipt, shown
from standins import reset

_PATIENCE = 60.0


@dataclass(frozen=True)
class Conduct:
    """How far a POST is read, and what comes then. What is held is answered once `released` is set."""

    reads: Literal["none", "head", "half", "all"] = "all"
    then: Literal["answer", "hold", "cut"] = "answer"
    released: threading.Event = field(default_factory=threading.Event)


class Judge:
    """HTTP/1.1 on loopback for all four platforms. `posts` counts those of which a byte arrived, taken or not."""

    def __init__(self) -> None:
        self.posts = 0
        self.conduct = Conduct()
        self._next: deque[Conduct] = deque()
        self._taken: list[Message] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="judge", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for one in (self._listener, *list(self._open)):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def next_posts(self, *conducts: Conduct) -> None:
        """The next POSTs are treated so, one after the other; those after them by `conduct`."""
        self._next.extend(conducts)

    @property
    def taken(self) -> list[Message]:
        with self._changed:
            return list(self._taken)

    def times(self, text: str) -> int:
        """How often the broadcast that says so was taken."""
        return sum(message.text == text for message in self.taken)

    def doubles(self) -> dict[str, int]:
        return {text: n for text, n in Counter(message.text for message in self.taken).items() if n > 1}

    def over_limit(self, count: int, seconds: float) -> list[str]:
        """The accounts that sent more than so many in any window of that length, by the arrivals here."""
        arrivals: dict[str, list[float]] = defaultdict(list)
        for message in self.taken:
            arrivals[message.account].append(message.at)
        return [account for account, at in arrivals.items() if _most(sorted(at), seconds) > count]

    def wait_for_posts(self, count: int, seconds: float = _PATIENCE) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.posts >= count, seconds), f"{self.posts} of {count} POSTs"

    def wait_for_taken(self, count: int, seconds: float = _PATIENCE) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._taken) >= count, seconds), f"{len(self._taken)} of {count}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with connection, suppress(OSError, EOFError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._one_request(connection):
                pass
        self._open.discard(connection)

    def _one_request(self, connection: socket.socket) -> bool:
        """False if nothing more may come on this connection."""
        if connection.recv(4, socket.MSG_PEEK) != b"POST":
            target, headers = _head(connection)
            _answer(connection, *shown(target, headers, self.taken))
            return True
        with self._changed:
            self.posts += 1
            conduct = self._next.popleft() if self._next else self.conduct
            self._changed.notify_all()
        return self._post(connection, conduct)

    def _post(self, connection: socket.socket, conduct: Conduct) -> bool:
        message = self._read(connection, conduct)
        if conduct.then == "hold":
            self._wait(conduct.released)
        if conduct.then == "cut" or message is None:
            reset(connection)
            return False
        _answer(connection, *receipt(message))
        return True

    def _read(self, connection: socket.socket, conduct: Conduct) -> Message | None:
        """What was taken; None if it was not read whole."""
        if conduct.reads == "none":
            return None
        target, headers = _head(connection)
        length = int(headers.get("content-length", "0"))
        if conduct.reads != "all":
            _exactly(connection, 0 if conduct.reads == "head" else length // 2)
            return None
        said = json.loads(_exactly(connection, length))
        return self._take(target, headers, said)

    def _take(self, target: str, headers: Mapping[str, str], said: Mapping[str, object]) -> Message:
        platform, account = account_of(target, headers)
        with self._changed:
            message = Message(
                len(self._taken) + 1, platform, account, str(said["text"]), time.monotonic(), datetime.now(UTC)
            )
            self._taken.append(message)
            self._changed.notify_all()
        return message

    def _wait(self, released: threading.Event) -> None:
        while not released.wait(0.05) and not self._closing.is_set():
            pass


def _most(arrivals: list[float], seconds: float) -> int:
    return max(sum(begin <= at < begin + seconds for at in arrivals) for begin in arrivals)


def _head(connection: socket.socket) -> tuple[str, dict[str, str]]:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(connection, 1)
    first, *lines = head.decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if line)
    return first.split()[1], {name.lower(): value.strip() for name, _, value in pairs}


def _exactly(connection: socket.socket, length: int) -> bytes:
    """Raises EOFError if the client hangs up before."""
    got = b""
    while len(got) < length:
        chunk = connection.recv(length - len(got))
        if not chunk:
            raise EOFError
        got += chunk
    return got


def _answer(connection: socket.socket, status: int, body: object) -> None:
    written = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(written)}\r\n\r\n"
    connection.sendall(head.encode() + written)
