"""A TCP proxy that does harm: it cuts, slows, swallows, and loses requests or answers, from a chosen moment on.

It stands between Carillon and one server, and knows bytes alone. `up` is towards the server, `down` towards Carillon.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

Way = Literal["up", "down"]
Action = Literal["cut", "swallow", "lose the answer"]
"""Cut: both ends get a RST, and what was just read goes nowhere. Swallow: this and all that follows that way vanishes,
while the connection seems well. Lose the answer: this passes, the server answers, and Carillon gets a RST instead."""

_ANSWER_WITHIN = 10.0
_CHUNK = 65_536
_LINGER = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""On, for no second: closing sends a RST."""


@dataclass(eq=False)
class _Pipe:
    """One connection: Carillon's end, the server's end, and what became of it."""

    client: socket.socket
    server: socket.socket
    passed: dict[Way, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    swallowed: set[Way] = field(default_factory=set)
    ended: set[Way] = field(default_factory=set)
    answer_lost: bool = False
    answered: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads there
            end.close()


@dataclass
class _Trap:
    """What happens to the next `times` chunks that hold `word`; `after` so many bytes of it, or without a word
    after so many bytes since the trap was set."""

    way: Way
    action: Action
    word: bytes
    after: int | None
    times: int
    passed_before: dict[_Pipe, int]

    def springs(self, pipe: _Pipe, way: Way, chunk: bytes) -> bool:
        enough = self.word or self.after is None or self._here(pipe) < len(chunk)
        return self.way == way and self.times > 0 and bool(enough) and self.word in chunk

    def passing(self, pipe: _Pipe, chunk: bytes) -> bytes:
        """The part of the chunk that goes through before it happens."""
        if self.after is None:
            return b""
        return chunk[chunk.index(self.word) :][: self.after] if self.word else chunk[: max(0, self._here(pipe))]

    def _here(self, pipe: _Pipe) -> int:
        return (self.after or 0) - (pipe.passed[self.way] - self.passed_before.get(pipe, 0))


class Proxy:
    """Passes bytes from `with` on; `connect` makes a connection to the real server.

    `latency` is in seconds for each chunk, `rate` in bytes a second; both count in each direction. `chunks` is how many
    passed each way: in a talk of questions and answers, how many questions.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self.latency = 0.0
        self.rate: float | None = None
        self.connections = 0
        self.chunks: dict[Way, int] = {"up": 0, "down": 0}
        self.sprung = 0
        self._connect = connect
        self._lock = threading.Lock()
        self._swallowed: set[Way] = set()
        self._traps: list[_Trap] = []
        self._pipes: set[_Pipe] = set()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.cut()

    def refuse(self) -> None:
        """No new connection, until `listen`."""
        listener, self._listener = self._listener, None
        if listener:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def cut(self) -> None:
        """A RST on all that is open."""
        with self._lock:
            pipes, self._pipes = self._pipes, set()
        for pipe in pipes:
            pipe.reset()

    def go_away(self) -> None:
        self.refuse()
        self.cut()

    def swallow(self, *ways: Way) -> None:
        """From now on, also on new connections: the peer's kernel takes the bytes, and no one ever gets them."""
        self._swallowed |= set(ways)

    def heal(self) -> None:
        """New connections are well again; those that lost bytes stay mute, as behind a firewall that forgot them."""
        with self._lock:
            for pipe in self._pipes:
                pipe.swallowed |= self._swallowed
            self._swallowed, self._traps = set(), []
        self.latency, self.rate = 0.0, None

    def trap(
        self, action: Action, way: Way = "up", word: bytes = b"", after: int | None = None, times: int = 1
    ) -> None:
        """Do so at the next chunk that holds `word`, and then once `after` bytes of it have passed; or, without a word,
        as soon as a connection has passed `after` bytes more."""
        with self._lock:
            before = {pipe: pipe.passed[way] for pipe in self._pipes}
            self._traps.append(_Trap(way, action, word, after, times, before))

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                self._open(client)

    def _open(self, client: socket.socket) -> None:
        try:
            pipe = _Pipe(client, self._connect())
        except OSError:
            client.close()
            return
        with self._lock:
            self._pipes.add(pipe)
        for way in ("up", "down"):
            threading.Thread(target=self._pump, args=(pipe, way), daemon=True).start()

    def _pump(self, pipe: _Pipe, way: Way) -> None:
        source, target = (pipe.client, pipe.server) if way == "up" else (pipe.server, pipe.client)
        try:
            while chunk := source.recv(_CHUNK):
                self._pass(pipe, way, chunk, target)
            if way not in pipe.swallowed | self._swallowed:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            if way not in pipe.swallowed | self._swallowed:
                pipe.reset()
        self._end(pipe, way)

    def _end(self, pipe: _Pipe, way: Way) -> None:
        pipe.answered.set()
        with self._lock:
            pipe.ended.add(way)
            if len(pipe.ended) == 2:
                self._pipes.discard(pipe)
        if len(pipe.ended) == 2:
            pipe.reset()

    def _pass(self, pipe: _Pipe, way: Way, chunk: bytes, target: socket.socket) -> None:
        if way == "down" and pipe.answer_lost:
            pipe.answered.set()
            return
        trap = self._sprung(pipe, way, chunk)
        if trap:
            self._send(pipe, way, trap.passing(pipe, chunk), target)
            self._harm(pipe, way, trap.action, chunk)
        elif way not in pipe.swallowed | self._swallowed:
            self._send(pipe, way, chunk, target)

    def _send(self, pipe: _Pipe, way: Way, chunk: bytes, target: socket.socket) -> None:
        if chunk:
            time.sleep(self.latency + (len(chunk) / self.rate if self.rate else 0))
            target.sendall(chunk)
            pipe.passed[way] += len(chunk)
            with self._lock:
                self.chunks[way] += 1

    def _sprung(self, pipe: _Pipe, way: Way, chunk: bytes) -> _Trap | None:
        with self._lock:
            for trap in self._traps:
                if trap.springs(pipe, way, chunk):
                    trap.times -= 1
                    self.sprung += 1
                    return trap
        return None

    def _harm(self, pipe: _Pipe, way: Way, action: Action, chunk: bytes) -> None:
        if action == "swallow":
            pipe.swallowed.add(way)
            return
        if action == "lose the answer":
            pipe.answer_lost = True
            pipe.server.sendall(chunk)
            pipe.answered.wait(_ANSWER_WITHIN)
        time.sleep(0.05)  # a RST overtakes what its receiver has not read yet
        pipe.reset()


def to_postgresql(url: str) -> tuple[Proxy, str]:
    """A proxy before that PostgreSQL, and the URL that leads through it."""
    place = make_url(url)
    folder = place.query.get("host", "")
    proxy = Proxy(_unix(f"{folder}/.s.PGSQL.5432") if folder else _tcp(place.host, place.port or 5432))
    through = place.set(host="127.0.0.1", port=proxy.port).difference_update_query(["host", "port"])
    return proxy, through.render_as_string(hide_password=False)


def to_redis(url: str) -> tuple[Proxy, str]:
    place = urlsplit(url)
    proxy = Proxy(_unix(place.path) if place.scheme == "unix" else _tcp(place.hostname, place.port or 6379))
    database = "/0" if place.scheme == "unix" else place.path
    return proxy, f"redis://127.0.0.1:{proxy.port}{database}"


def to_platform(url: str) -> tuple[Proxy, str]:
    place = urlsplit(url)
    proxy = Proxy(_tcp(place.hostname, place.port or 80))
    return proxy, f"http://127.0.0.1:{proxy.port}"


def _tcp(host: str | None, port: int) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection((host or "127.0.0.1", port), 10)


def _unix(path: str) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        return connection

    return connect
