"""One worker process from start to stop: its threads, its HTTP client and its beat."""

from collections.abc import Callable, Mapping

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from carillon.settings import Settings
from worker.lookups import Lookups
from worker.means import Means
from worker.pool import Pool
from worker.presence import Presence
from worker.shelf import Shelf


class Service:
    """`nudge` tells a scheduler in this very process that something may go now; `tell` delivers alarms."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        broker: dramatiq.Broker,
        who: str,
        threads: Mapping[str, int],
        nudge: Callable[[], None] = lambda: None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = Client(settings.http_timeout)
        lookups = Lookups()
        if settings.redis_url and isinstance(broker, RedisBroker):
            lookups = Lookups(Shelf(settings.redis_url, broker.namespace))
        means = Means(ledger, self._client, who, settings.http_timeout, settings.platform_urls, nudge, lookups)
        self._pool = Pool(broker, means, threads)
        self._presence = Presence(ledger, broker, who, tell)
        self.wrong, self.hangs = self._presence.wrong, self._presence.hangs

    def start(self) -> None:
        self._pool.start()
        self._presence.start()

    def stop_claiming(self) -> None:
        """What is queued stays so; what is claimed goes on."""
        self._pool.stop_claiming()

    def stop(self) -> None:
        """Finish and record what is on its way."""
        self._pool.stop()
        self._presence.stop()
        self._client.close()
