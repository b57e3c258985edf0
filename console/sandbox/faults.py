"""A script of faults, told ahead and used up in order, each by the first call that it fits.

`on` is "send", "read", "write" (all other calls that change something) or "token" (Fanvue's token endpoint).

Nothing is taken under `throttled`, `status`, `html` and `silent`. Under `slow`, `hold`, `cut_body`,
`accept_and_drop` and `accept_and_fail` a broadcast is judged and taken as usual: the fans get it, whatever the client
hears. With `hidden` the platform's own lists show it only after so many seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from queue import Empty, SimpleQueue
from threading import Event, Lock
from time import time
from typing import Literal

from console.sandbox.records import Delivery

Manner = Literal["refuse", "html", "silent", "slow", "hold", "cut_body", "accept_and_drop", "accept_and_fail"]
Kind = Literal["send", "read", "write", "token"]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, made by the functions below; the control port knows it by their names."""

    manner: Manner
    code: int = 500
    retry_after: float | str | None = None  # a text goes out as it is
    as_date: bool = False
    seconds: float = 0
    hidden: float = 0

    @staticmethod
    def throttled(retry_after: float | str | None = None, as_date: bool = False) -> "Fault":
        """429; `retry_after` in seconds, sent as such or as the HTTP-date (rounded up) that it then is.

        Raises ValueError if a date is asked for without a number of seconds.
        """
        if as_date and not isinstance(retry_after, int | float):
            raise ValueError("as_date needs retry_after in seconds")
        return Fault("refuse", 429, retry_after, as_date)

    @staticmethod
    def status(code: int) -> "Fault":
        return Fault("refuse", code)

    @staticmethod
    def html(code: int = 502) -> "Fault":
        return Fault("html", code)

    @staticmethod
    def silent() -> "Fault":
        """Never answers, until the client leaves."""
        return Fault("silent")

    @staticmethod
    def slow(seconds: float) -> "Fault":
        return Fault("slow", seconds=seconds)

    @staticmethod
    def hold(hidden: float = 0) -> "Fault":
        """Answers when told to by `Sandbox.release_held`."""
        return Fault("hold", hidden=hidden)

    @staticmethod
    def cut_body() -> "Fault":
        """Status line, headers, half of the body, then the connection is closed."""
        return Fault("cut_body")

    @staticmethod
    def accept_and_drop(hidden: float = 0) -> "Fault":
        """Closes the connection without an answer."""
        return Fault("accept_and_drop", hidden=hidden)

    @staticmethod
    def accept_and_fail(code: int = 502, hidden: float = 0) -> "Fault":
        """Answers as if it had failed."""
        return Fault("accept_and_fail", code, hidden=hidden)

    def headers(self) -> Mapping[str, str]:
        if self.retry_after is None:
            return {}
        if self.as_date:
            then = datetime.fromtimestamp(ceil(time() + float(self.retry_after)), UTC)
            return {"Retry-After": format_datetime(then, usegmt=True)}
        return {"Retry-After": str(self.retry_after)}


@dataclass(frozen=True)
class _Planned:
    fault: Fault
    on: Kind
    account: str | None
    text: str | None

    def fits(self, on: Kind, account: str, body: bytes) -> bool:
        return self.on == on and self.account in (None, account) and (self.text is None or self.text.encode() in body)


class Faults:
    """The script of each platform. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._planned: dict[str, list[_Planned]] = {}

    def add(
        self,
        platform: str,
        fault: Fault,
        *,
        on: Kind = "send",
        account: str | None = None,
        text: str | None = None,
    ) -> None:
        """For the next call of this kind; if given, of this account and with this in its body.

        But for broadcasts, `METHOD /path` and a line break count as the body's beginning.
        """
        with self._lock:
            self._planned.setdefault(platform, []).append(_Planned(fault, on, account, text))

    def take(self, platform: str, on: Kind, account: str, body: bytes) -> Fault | None:
        with self._lock:
            planned = self._planned.get(platform, [])
            for number, one in enumerate(planned):
                if one.fits(on, account, body):
                    return planned.pop(number).fault
            return None


class Held:
    """Deliveries that were taken and wait to be answered."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Delivery | None] = SimpleQueue()
        self._lock = Lock()
        self._releases: list[Event] = []

    def enter(self, delivery: Delivery | None) -> Event:
        """The event that lets it go."""
        release = Event()
        with self._lock:
            self._releases.append(release)
        self._arrived.put(delivery)
        return release

    def wait(self, timeout: float) -> Delivery | None:
        """The next one that is held; None if none came in time."""
        try:
            return self._arrived.get(timeout=timeout)
        except Empty:
            return None

    def release(self) -> None:
        with self._lock:
            for event in self._releases:
                event.set()
            self._releases.clear()
