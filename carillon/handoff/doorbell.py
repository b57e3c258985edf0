"""The doorbell beside the queue: a word on Redis wakes at once who would otherwise have to ask all the time.

A ring carries no order, it says that asking is worth while. It may be lost: whoever waits asks from time to time as
well, often while rings cannot be heard, and at once when they can be heard again.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = structlog.get_logger()

ORDERS = "orders"
"""The door of the workers: there are orders on the queues that the ring names."""

RELEASE = "release"
"""The door of the schedulers: something may go now."""

_PROOF_SECONDS = 5.0
"""How long nothing may be said before Redis must prove that the line is not dead, and then within its patience."""

_PATIENCE_SECONDS = 2.0
_AGAIN_SECONDS = 1.0
_PAUSE_SECONDS = 0.1


def ring(broker: dramatiq.Broker, door: str, words: str = "") -> None:
    """Say it to all who listen; in vain while Redis is away. Who waits in this very process hears of it without."""
    if isinstance(broker, RedisBroker):
        with suppress(RedisError):
            broker.client.publish(_channel(broker, door), words)


def ring_once(broker: dramatiq.Broker, door: str) -> None:
    """As `ring`, for a process that ends then: it waits little for a Redis that is away, and leaves no line open."""
    if isinstance(broker, RedisBroker):
        client = _own_client(broker)
        with suppress(RedisError):
            client.publish(_channel(broker, door), "")
        client.connection_pool.disconnect()


class Ringer:
    """Rings for those who must not wait for Redis: in a thread of its own, and for many in a moment only once."""

    def __init__(self, broker: dramatiq.Broker, door: str) -> None:
        self._broker, self._door = broker, door
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._ring_on, name=f"ringer {door}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was asked until now is still rung."""
        self._stopping.set()
        self._asked.set()

    def ring(self) -> None:
        self._asked.set()

    def _ring_on(self) -> None:
        while not self._stopping.is_set():
            self._asked.wait()
            self._asked.clear()
            ring(self._broker, self._door)
            self._stopping.wait(_PAUSE_SECONDS)
        if self._asked.is_set():
            ring(self._broker, self._door)


class Listener:
    """Hears one door in a thread of its own, from `start` to `stop`.

    `heard` is given the words of each ring; `hearing` learns whether rings can be heard, whenever that changes.
    """

    def __init__(
        self, broker: dramatiq.Broker, door: str, heard: Callable[[str], None], hearing: Callable[[bool], None]
    ) -> None:
        self._broker, self._door, self._heard, self._hearing = broker, door, heard, hearing
        self._well = False
        self._stopping = threading.Event()

    def start(self) -> None:
        """Where the queue is in this process, nothing needs to be heard."""
        if isinstance(self._broker, RedisBroker):
            line, channel = _own_client(self._broker), _channel(self._broker, self._door)
            name = f"doorbell {self._door}"
            threading.Thread(target=self._listen_on, args=(line, channel), name=name, daemon=True).start()
        else:
            self._become(True)

    def stop(self) -> None:
        """Returns at once; the thread ends with the next proof at the latest."""
        self._stopping.set()

    def _listen_on(self, client: redis.Redis, channel: str) -> None:
        while not self._stopping.is_set():
            try:
                with client.pubsub() as line:  # type: ignore[no-untyped-call]
                    line.subscribe(channel)
                    self._listen(line)
            except (RedisError, OSError) as error:
                log.debug("the doorbell cannot be heard", error=type(error).__name__)
            self._become(False)
            self._stopping.wait(_AGAIN_SECONDS)
        client.close()

    def _listen(self, line: Any) -> None:
        """Until it is told to stop. Raises RedisError when the line is dead."""
        proof_wanted = True  # that it is there at all
        while not self._stopping.is_set():
            said = line.get_message(timeout=_PATIENCE_SECONDS if proof_wanted else _PROOF_SECONDS)
            if said:
                proof_wanted = False
                self._take(said)
            elif proof_wanted:
                raise RedisError("the line is dead")
            else:
                proof_wanted = True
                line.ping()

    def _take(self, said: Mapping[str, Any]) -> None:
        if said["type"] == "subscribe":
            self._become(True)
        elif said["type"] == "message":
            self._heard(said["data"].decode())

    def _become(self, well: bool) -> None:
        if well or self._well:
            self._well = well
            self._hearing(well)


def _own_client(broker: RedisBroker) -> redis.Redis:
    """It never connects anew by itself: what was rung meanwhile must be asked for then."""
    pool = broker.client.connection_pool
    patience = {"socket_timeout": _PATIENCE_SECONDS, "socket_connect_timeout": _PATIENCE_SECONDS}
    once = {"retry": Retry(NoBackoff(), 0), **patience}
    return redis.Redis(
        connection_pool=redis.ConnectionPool(pool.connection_class, **{**pool.connection_kwargs, **once})
    )


def _channel(broker: RedisBroker, door: str) -> str:
    return f"{broker.namespace}:{door}"
