"""One worker process from start to stop: its threads, its HTTP client and its beat."""

from collections.abc import Callable, Mapping

from carillon import clock
from carillon.handoff.broker import Queue, QueueOnRedis
from carillon.handoff.doorbell import RELEASE, Ringer
from carillon.handoff.pacing import SharedWindows
from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from carillon.platforms.pacing import Pace
from carillon.platforms.pacing_on_disk import WindowsOnDisk
from carillon.platforms.store import Store
from carillon.settings import Settings
from worker.credits import write_rest
from worker.lookups import Lookups
from worker.means import Means
from worker.pool import Pool
from worker.presence import Presence
from worker.shelf import Shelf
from worker.tokens import tokens_of

_LONG_WORK_ENDS_SECONDS = 1.0
"""An upload or a question that waits for an answer is left alone: it goes on where it was, or is asked again."""


class Service:
    """`nudge` tells a scheduler in this very process that something may go now, else all are told by the doorbell.

    `tell` delivers alarms.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        broker: Queue,
        who: str,
        threads: Mapping[str, int],
        nudge: Callable[[], None] | None = None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = Client(settings.http_timeout)
        lookups, pace = Lookups(), Pace(WindowsOnDisk(settings.rates))
        if settings.redis_url and isinstance(broker, QueueOnRedis):
            lookups = Lookups(Shelf(settings.redis_url, broker.namespace))
            pace = Pace(SharedWindows(settings.redis_url, broker.namespace))
        self._ringer = Ringer(broker, RELEASE)
        told = nudge or self._ringer.ring
        means = Means(
            ledger,
            self._client,
            who,
            settings.http_timeout,
            settings.platform_urls,
            told,
            lookups,
            pace=pace,
            tokens=tokens_of(settings, ledger, who),
            store=Store(settings.uploads),
        )
        self._means, self._pool = means, Pool(broker, means, threads)
        self._presence = Presence(ledger, broker, who, tell)
        self.wrong, self.hangs = self._presence.wrong, self._presence.hangs

    def start(self) -> None:
        self._ringer.start()
        self._pool.start()
        self._presence.start()

    def stop_claiming(self) -> None:
        """What is queued stays so; what is claimed goes on."""
        self._pool.stop_claiming()

    def stop(self) -> None:
        """Finish and record what is on its way."""
        self._pool.stop()
        give_up = clock.ticks() + _LONG_WORK_ENDS_SECONDS
        for crew in (self._means.uploading, *self._means.collecting.values()):
            crew.wait(max(0.0, give_up - clock.ticks()))
        write_rest(self._means)
        self._ringer.stop()
        self._presence.stop()
        self._client.close()
