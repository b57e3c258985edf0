"""One scheduler process from start to stop: the campaign files it watches, its beats, and whom it tells."""

import dramatiq

from carillon.ledger.connect import Ledger
from carillon.monitoring.notify import Notifier
from carillon.monitoring.ping import Ping
from carillon.platforms.store import Store
from carillon.settings import Settings
from scheduler import outlook
from scheduler.agenda import Agenda
from scheduler.publish import Publisher
from scheduler.timetable import Timetable


class Service:
    """`hung` says which beats have not come back."""

    def __init__(self, settings: Settings, ledger: Ledger, broker: dramatiq.Broker, who: str) -> None:
        path, overridden = settings.campaigns, frozenset(settings.platform_urls)
        store = Store(settings.uploads)
        self._publisher = Publisher(ledger, path, overridden, who, lambda: outlook.tell(path, overridden), store)
        self._notifier = Notifier(ledger, settings.alarm_urls, who)
        ping = Ping(settings.ping_url, self._wrong)
        agenda = Agenda(path)
        self._timetable = Timetable(ledger, broker, self._publisher, agenda, who, self._notifier.run, ping.run)
        self.nudge = self._timetable.nudge

    def read_files(self) -> None:
        """Raises NothingInForceError. To be called once, before `start`."""
        self._publisher.start()

    def start(self) -> None:
        self._timetable.start()

    def stop(self) -> None:
        """Let beats and messages under way finish."""
        self._timetable.stop()
        self._notifier.close()

    def _wrong(self) -> list[str]:
        return self._timetable.wrong()

    def hung(self) -> list[str]:
        return self._timetable.hung()
