"""Webhooks: who wants to be told what, and the attempts to tell them."""

import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Thread
from time import time
from typing import Literal
from urllib.parse import urlsplit

from console.sandbox import hook_events
from console.sandbox.clockwork import Clockwork
from console.sandbox.fans import Fan
from console.sandbox.hook_events import Event
from console.sandbox.hook_signatures import headers
from console.sandbox.sales import Reactions

Variant = Literal["current", "svix", "oldest", "legacy"]
_ATTEMPTS, _FIRST_PAUSE = 5, 0.2  # OFAuth: five, with growing pauses; the others' plans were not to be seen
_SENDING_SECONDS = 0.5
_TIMEOUT = 10


@dataclass(frozen=True)
class Subscription:
    """`variant`: "svix" and "oldest" are OFAuth's, "legacy" Fanvue's. No `events`: all."""

    id: int
    platform: str
    account: str
    url: str
    secret: str
    events: tuple[str, ...] | None = None
    variant: Variant = "current"

    def wants(self, event: Event) -> bool:
        return self.events is None or event.name in self.events


@dataclass(frozen=True)
class Attempt:
    """`status` None: no answer. `delivery` counts deliveries: all attempts at one event for one subscription."""

    delivery: int
    subscription: int
    platform: str
    account: str
    event: str
    attempt: int
    at: float
    status: int | None
    headers: Mapping[str, str]
    body: str


class Hooks:
    """Attempts are made in threads of their own, never under the sandbox's lock."""

    def __init__(self, clock: Clockwork) -> None:
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self._deliveries: list[tuple[Subscription, Event]] = []
        self._log: list[Attempt] = []
        self._links = 0

    def subscribe(
        self,
        platform: str,
        account: str,
        url: str,
        secret: str,
        events: Iterable[str] | None = None,
        variant: Variant = "current",
    ) -> int:
        with self._clock.lock:
            wanted = None if events is None else tuple(events)
            new = Subscription(len(self._subscriptions) + 1, platform, account, url, secret, wanted, variant)
            self._subscriptions.append(new)
            return new.id

    def log(self) -> list[Attempt]:
        with self._clock.lock:
            return list(self._log)

    def began(self, told: Reactions, fans: Callable[[str], Fan]) -> None:
        """Tell of a broadcast that goes out now, and of what fans will do with it. Under the lock."""
        delivery = told.delivery
        for wanted in self._of(delivery.platform, delivery.account):
            for done, at in ((False, time()), (True, time() + _SENDING_SECONDS)):
                self._later(at, wanted, hook_events.of_progress(delivery, done, at, wanted.variant))
            for sale in told.sales:
                events = hook_events.of_sale(sale, fans(sale.fan), wanted.variant)
                self._later(sale.at, wanted, events, partial(told.has, sale))

    def linked(self, platform: str, account: str, linked: bool) -> None:
        with self._clock.lock:
            self._links += 1
            for wanted in self._of(platform, account):
                self._later(time(), wanted, hook_events.of_link(platform, account, linked, self._links, time()))

    def uploaded(self, account: str, upload_id: str) -> None:
        """OnlyFansAPI alone tells of it, and only of uploads that were not waited for."""
        for wanted in self._of("onlyfansapi", account):
            self._later(time(), wanted, [hook_events.of_upload(account, upload_id)])

    def redeliver(self, delivery: int) -> None:
        """Once more, signed anew. Raises KeyError."""
        with self._clock.lock:
            if not 0 < delivery <= len(self._deliveries):
                raise KeyError(f"no delivery {delivery}")
            more = {"X-OFAPI-Redelivery-Of": str(delivery)}
            platform = self._deliveries[delivery - 1][0].platform
            self._submit(delivery, 1, more if platform == "onlyfansapi" else {})

    def _of(self, platform: str, account: str) -> list[Subscription]:
        return [one for one in self._subscriptions if (one.platform, one.account) == (platform, account)]

    def _later(
        self,
        at: float,
        wanted: Subscription,
        events: Iterable[Event],
        happened: Callable[[], bool] = lambda: True,
    ) -> None:
        def tell(event: Event) -> None:
            if happened():
                self._deliveries.append((wanted, event))
                self._submit(len(self._deliveries), 1, {})

        for event in filter(wanted.wants, events):
            self._clock.at(at, partial(tell, event))

    def _submit(self, delivery: int, attempt: int, more: Mapping[str, str]) -> None:
        Thread(target=self._attempt, args=(delivery, attempt, more), name="webhook", daemon=True).start()

    def _attempt(self, delivery: int, attempt: int, more: Mapping[str, str]) -> None:
        wanted, event = self._deliveries[delivery - 1]
        raw, at = json.dumps(event.body).encode(), time()
        signed = headers(wanted.platform, wanted.variant, wanted.secret, event.id, event.name, raw, at)
        sent = {"Content-Type": "application/json", **signed, **more}
        status = _posted(wanted.url, sent, raw)
        told = (delivery, wanted.id, wanted.platform, wanted.account, event.name, attempt, at)
        with self._clock.lock:
            self._log.append(Attempt(*told, status, sent, raw.decode()))
            if (status is None or not 200 <= status < 300) and attempt < _ATTEMPTS:
                pause = _FIRST_PAUSE * 2 ** (attempt - 1)
                self._clock.at(time() + pause, lambda: self._submit(delivery, attempt + 1, more))


def _posted(url: str, sent: Mapping[str, str], raw: bytes) -> int | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("POST", parts.path or "/", raw, dict(sent))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return answer.status
    finally:
        connection.close()
