"""Consumers that sleep until it rings, where Dramatiq's would ask their queue several times a second."""

import threading
from collections import defaultdict
from collections.abc import Iterable

from dramatiq import MessageProxy
from dramatiq.broker import Consumer

_OFTEN_SECONDS = 0.2
"""How long a consumer sleeps while nothing can be heard: so much later may a broadcast leave."""

_CLOSING_SECONDS = 0.05


class Bells:
    """One for each queue of a process; `hears` says whether they ring at all. Once `closing`, no order is taken."""

    def __init__(self, *, hears: bool) -> None:
        self._hears, self.closing = hears, False
        self._bells: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def ring(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._bells[queue].set()

    def hear(self, hears: bool) -> None:
        """Told whenever it changes; either way all ask at once."""
        self._hears = hears
        self.ring(list(self._bells))

    def close(self) -> None:
        """Let nobody take an order any more, or sleep long."""
        self.closing = True
        self.ring(list(self._bells))

    def wait(self, queue: str, seconds: float) -> None:
        """Until the next ring, or one since the last time."""
        bell = self._bells[queue]
        bell.wait(_CLOSING_SECONDS if self.closing else seconds if self._hears else min(seconds, _OFTEN_SECONDS))
        bell.clear()


class Patient(Consumer):
    """Asks one of Dramatiq's, which must not sleep itself, and sleeps where that one has nothing."""

    def __init__(self, asked: Consumer, bells: Bells, queue: str, prefetch: int, timeout_ms: int) -> None:
        self._asked, self._bells, self._queue = asked, bells, queue
        self._most, self._refill = prefetch, prefetch * 3 // 4
        self._seconds = timeout_ms / 1000
        self._under_way: set[str] = set()
        self._full = False

    def __next__(self) -> MessageProxy | None:
        self._full = len(self._under_way) >= self._most  # before it is asked: what ends from now on rings
        message = None if self._bells.closing else next(self._asked)
        if message is not None:
            self._under_way.add(message.message_id)
            return message
        self._bells.wait(self._queue, self._seconds)
        return None

    def ack(self, message: MessageProxy) -> None:
        self._asked.ack(message)
        self._ended(message)

    def nack(self, message: MessageProxy) -> None:
        self._asked.nack(message)
        self._ended(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._asked.requeue(messages)

    def close(self) -> None:
        self._asked.close()

    def _ended(self, message: MessageProxy) -> None:
        """Who stopped asking since it had its fill goes on when a good part of it is done."""
        self._under_way.discard(message.message_id)
        if self._full and len(self._under_way) <= self._refill:
            self._full = False
            self._bells.ring([self._queue])
