"""Points in a process of a house at which it can be made to die or to freeze: found by passing them, not listed.

Every statement of the product passes here, whoever executes it, and every commit; every order that is put on the queue
and taken off it; and the bytes of a POST: none of them, the head, half of the body, all, and the answer once it is
read. A point is named by the product's functions on the stack, so that it is the same in each run.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import dramatiq.brokers.redis as redis_broker
import dramatiq.brokers.stub as stub_broker
import redis

from carillon import clock
from chaos.statements import Pass, string_statements
from chaos.wire import Wire

_ROOMS = ("carillon", "scheduler", "worker")
_ON_THE_WAY = ("scheduler.timetable", "scheduler.turns", "scheduler.service", "worker.jobs", "worker.service")


class Tripwires:
    """Those of one process, on one wire; `string` hangs them up."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._turn, self._passed = -1, set[str]()
        self._lock = threading.Lock()

    def string(self) -> None:
        string_statements(self.pass_by)
        string_queue(self.pass_by)
        string_bytes(self.pass_by)
        ticks = clock.ticks
        clock.ticks = lambda: ticks() + self._wire.ahead

    def pass_by(self, what: str) -> None:
        place = _place()
        if not place and not what.startswith("order "):
            return
        point = f"{place} {what}".strip()
        with self._lock:
            if self._turn != self._wire.turn:
                self._turn = self._wire.turn
                self._passed.clear()
            if point not in self._passed:
                self._passed.add(point)
                self._wire.note(point)
            deed = self._wire.trip(point)
        if deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif (
            deed == "stop"
        ):  # said to this very thread, which would go on until another one of its process has heard it
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _place() -> str:
    """The functions of the product on the stack, outermost first, and the line in the last one; "" if there is none."""
    names: list[str] = []
    frame, line = sys._getframe(2), 0
    walked: Any = frame
    while walked is not None:
        room = walked.f_globals.get("__name__", "")
        if room.partition(".")[0] in _ROOMS and room not in _ON_THE_WAY:
            line = line or walked.f_lineno
            name = walked.f_code.co_name
            if not names or names[-1] != name:
                names.append(name)
        walked = walked.f_back
    return f"{'>'.join(reversed(names))}:{line}" if names else ""


def string_queue(pass_by: Pass) -> None:
    for broker in (redis_broker.RedisBroker, stub_broker.StubBroker):
        _wrap(broker, "enqueue", pass_by, lambda _, message, *__, **___: f"order {message.actor_name}")
    _wrap(redis.client.Pipeline, "execute", pass_by, lambda *_, **__: "pipeline")
    for consumer in (redis_broker._RedisConsumer, stub_broker._StubConsumer):
        _wrap(consumer, "ack", pass_by, lambda _, message: f"order {message.actor_name} done")


def _wrap(owner: Any, name: str, pass_by: Pass, what: Callable[..., str]) -> None:
    plain = getattr(owner, name)

    def around(*words: Any, **options: Any) -> Any:
        about = what(*words, **options)
        begin, _, rest = about.partition(" ")
        pass_by(f"{begin} {rest} before".replace("  ", " "))
        found = plain(*words, **options)
        pass_by(f"{begin} {rest} after".replace("  ", " "))
        return found

    setattr(owner, name, around)


def string_bytes(pass_by: Pass) -> None:
    """A POST goes out in pieces, with a point before, between and after them."""
    posted: WeakSet[socket.socket] = WeakSet()
    send, sendall, recv = socket.socket.send, socket.socket.sendall, socket.socket.recv

    def post(self: socket.socket, data: bytes) -> int:
        head = data.index(b"\r\n\r\n") + 4
        half = head + (len(data) - head) // 2
        assert half < len(data), "a POST must be let go in one write"
        begin = 0
        for end, name in ((0, "no byte"), (head, "the head"), (half, "half of it"), (len(data), "all of it")):
            sendall(self, data[begin:end])
            begin = end
            pass_by(f"POST {name}")
        posted.add(self)
        return len(data)

    def tripping_send(self: socket.socket, data: Any, *flags: int) -> int:
        return post(self, bytes(data)) if bytes(data[:5]) == b"POST " else send(self, data, *flags)

    def tripping_sendall(self: socket.socket, data: Any, *flags: int) -> None:
        if bytes(data[:5]) == b"POST ":
            post(self, bytes(data))
        else:
            sendall(self, data, *flags)

    def tripping_recv(self: socket.socket, *words: Any) -> bytes:
        data = recv(self, *words)
        if self in posted:
            posted.discard(self)
            pass_by("POST answered")
        return data

    for name, tripping in (("send", tripping_send), ("sendall", tripping_sendall), ("recv", tripping_recv)):
        setattr(socket.socket, name, tripping)
