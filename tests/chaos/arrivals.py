"""A platform as judge: it logs what it accepts by its own clock, after a while on the way, and counts in any window."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from carillon import clock
from standins import Reply, Seen, accepting


@dataclass(frozen=True)
class Arrival:
    """One accepted send; `at` on `time.monotonic()`, `who` by its key and account."""

    at: float
    text: str
    who: str


class Arrivals:
    """`on_the_way` says for how many seconds the next send is delayed before it is accepted, `answer` what it gets.

    Fanvue's list of mass messages shows what was accepted, from `shown_after` seconds on; other reads do not exist.
    """

    def __init__(self, on_the_way: Callable[[], float] = lambda: 0.0) -> None:
        self.on_the_way = on_the_way
        self.answer: Callable[[Seen, str], Reply] = documented
        self.refuses: Callable[[Seen], Reply | None] = lambda _: None
        self.shown_after = 0.0
        self.reads: Callable[[Seen], Reply] = lambda _: Reply(404, {"error": "not here"})
        self.accepted: list[Arrival] = []
        self._messages: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            time.sleep(self.on_the_way())
            return self.refuses(seen) or self.answer(seen, self.take(seen))
        if seen.path.partition("?")[0].endswith("/chats/mass-messages"):
            return self._list()
        return self.reads(seen)

    def take(self, seen: Seen) -> str:
        """Accept it; returns the id of the message."""
        with self._lock:
            number = len(self.accepted) + 1
            text = seen.json()["text"]
            self.accepted.append(Arrival(time.monotonic(), text, f"{seen.headers.get('authorization')} {seen.path}"))
            at = clock.rfc3339_seconds(clock.now())
            self._messages.append({"id": f"m{number}", "text": text, "price": None, "createdAt": at})
            return f"m{number}"

    @property
    def texts(self) -> list[str]:
        return [arrival.text for arrival in self.accepted]

    @property
    def doubles(self) -> dict[str, int]:
        return {text: count for text, count in Counter(self.texts).items() if count > 1}

    def most_in(self, seconds: float) -> int:
        """The most that any account had accepted in any window of that length."""
        return max((self._within(last, seconds) for last in self.accepted), default=0)

    def _within(self, last: Arrival, seconds: float) -> int:
        return sum(one.who == last.who and 0 <= last.at - one.at < seconds for one in self.accepted)

    def _list(self) -> Reply:
        visible = time.monotonic() - self.shown_after
        with self._lock:
            pairs = list(zip(self.accepted, self._messages, strict=True))
        shown = [message for arrival, message in pairs if arrival.at <= visible]
        return Reply(200, {"data": shown[::-1], "pagination": {"page": 1, "size": 50, "hasMore": False}})


def documented(seen: Seen, message_id: str) -> Reply:
    """What the platform of that path documents for an accepted send, with this id."""
    shape = accepting(seen)
    number = int(message_id.removeprefix("m"))
    if "data" in shape.body:
        return Reply(shape.status, {**shape.body, "data": {**shape.body["data"], "id": number}})
    return Reply(shape.status, {**shape.body, "id": message_id if isinstance(shape.body["id"], str) else number})
