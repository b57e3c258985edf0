"""The queue's server, as far as it can fail: it is away, it forgets everything, it hands out an order twice."""

from typing import Any

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import BrokerConnectionError

from carillon.handoff.orders import QUEUES


class Queue(StubBroker):
    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.away = False
        self.doubles = False
        self._again: list[Any] = []
        for queue in QUEUES:
            self.declare_queue(queue)

    def enqueue(self, message: Any, *, delay: int | None = None) -> Any:
        if self.away:
            raise BrokerConnectionError("the queue cannot be reached")  # type: ignore[no-untyped-call]
        return super().enqueue(message, delay=delay)

    def take(self) -> Any:
        """The next order, None if there is none that could be had."""
        if self.away:
            return None
        if self._again:
            return self._again.pop()
        for queue in self.queues.values():
            if not queue.empty():
                message: Any = dramatiq.Message.decode(queue.get())
                queue.task_done()
                if self.doubles:
                    self._again.append(message)
                return message
        return None

    def forget(self) -> int:
        """FLUSHALL; returns how many orders are lost."""
        self._again.clear()
        lost = 0
        for queue in self.queues.values():
            while not queue.empty():
                queue.get()
                queue.task_done()
                lost += 1
        return lost
