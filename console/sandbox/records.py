"""What the platforms took, and their own limit: so many broadcasts of an account in any window."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock

BROADCASTS, WINDOW = 10, 3_600  # FrontRow tutorial, Rate limits; the others document nothing


@dataclass
class Delivery:
    """A broadcast that was taken. Times: seconds since 1970; `answered_at` is None if the answer was cut."""

    platform: str
    account: str
    message_id: str
    recipients: tuple[str, ...]  # fan ids after exclusions; of a scheduled one known when it goes out
    body: Mapping[str, object]
    arrived_at: float
    answered_at: float | None = None
    withdrawn: bool = False
    hidden: float = 0  # seconds after its arrival until the platform's lists show it
    withdrawn_at: float | None = None
    scheduled_at: float | None = None
    waits: bool = False  # in the platform's own scheduler
    failed: bool = False  # it was its time, and the platform's limit stood in the way
    uploads: tuple[str, ...] = ()  # single-use references that it consumed

    @property
    def goes_at(self) -> float:
        """When the fans get it."""
        return self.arrived_at if self.scheduled_at is None else self.scheduled_at


@dataclass(frozen=True)
class Excess:
    """One broadcast that was refused for the limit."""

    platform: str
    account: str
    arrived_at: float
    retry_after: int


class Records:
    """Everything that was taken or was over the limit. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._limits: dict[str, tuple[int, float]] = {}
        self._arrivals: dict[tuple[str, str], list[float]] = defaultdict(list)
        # Microseconds of the start: no id comes twice, even after a restart with a ledger that was kept.
        self._serial = time.time_ns() // 1_000
        self._deliveries: list[Delivery] = []
        self._excess: list[Excess] = []

    def limit(self, platform: str, count: int, seconds: float) -> None:
        with self._lock:
            self._limits[platform] = (count, seconds)

    def admit(self, platform: str, account: str, arrived_at: float) -> int | Excess:
        """A slot and the serial number of the new message, or what stands in the way."""
        with self._lock:
            wait = self._wait(platform, account, arrived_at)
            if wait is not None:
                self._excess.append(Excess(platform, account, arrived_at, max(1, ceil(wait))))
                return self._excess[-1]
            self._arrivals[platform, account].append(arrived_at)
        return self.number()

    def number(self) -> int:
        """A serial number that nothing else has."""
        with self._lock:
            self._serial += 1
            return self._serial

    def _wait(self, platform: str, account: str, now: float) -> float | None:
        count, seconds = self._limits.get(platform, (BROADCASTS, WINDOW))
        inside = sorted(then for then in self._arrivals[platform, account] if now - then < seconds)
        self._arrivals[platform, account] = inside
        return inside[-count] + seconds - now if len(inside) >= count else None

    def keep(self, delivery: Delivery) -> None:
        with self._lock:
            self._deliveries.append(delivery)

    def deliveries(self) -> list[Delivery]:
        """What went out to fans."""
        with self._lock:
            return [replace(one) for one in self._deliveries if not (one.waits or one.failed)]

    def scheduled(self) -> list[Delivery]:
        """What the platforms' own schedulers took, whatever became of it."""
        with self._lock:
            return [replace(one) for one in self._deliveries if one.scheduled_at is not None]

    def withdraw(self, message_id: str) -> None:
        """Raises KeyError."""
        with self._lock:
            for delivery in self._deliveries:
                if delivery.message_id == message_id:
                    delivery.withdrawn, delivery.withdrawn_at = True, time.time()
                    return
        raise KeyError(f"no message {message_id}")

    def over_limit(self) -> list[Excess]:
        with self._lock:
            return list(self._excess)
