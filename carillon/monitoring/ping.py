"""A dead-man's ping: somebody else raises the alarm when it stays away."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from carillon.monitoring import web

log = structlog.get_logger()


class Ping:
    """Pings while nothing is `wrong`; without a URL it does nothing. The URL is a secret but for its host."""

    def __init__(self, url: str | None, wrong: Callable[[], Sequence[str]]) -> None:
        self._url, self._wrong = url, wrong
        self._host: str | None = None
        with suppress(web.AddressError):
            self._host = web.split(url or "").hostname
        self._failing = False
        self._under_way: threading.Thread | None = None

    def run(self) -> None:
        """One beat, to be called every minute. Waits for nothing: whoever is pinged may take long."""
        if self._url is None or self._wrong() or (self._under_way and self._under_way.is_alive()):
            return
        self._under_way = threading.Thread(target=self._ping, args=(self._url,), name="ping", daemon=True)
        self._under_way.start()

    def _ping(self, url: str) -> None:
        fault = web.call("GET", url, redirects=True)
        if fault and not self._failing:
            log.warning("the dead-man's ping does not get through; see CARILLON_PING_URL", host=self._host, why=fault)
        elif self._failing and not fault:
            log.info("the dead-man's ping gets through again", host=self._host)
        self._failing = fault is not None
