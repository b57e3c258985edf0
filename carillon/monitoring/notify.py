"""Alarms reach people: what is due goes to each channel in a thread of its own, so that none waits for another."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.monitoring import notices
from carillon.monitoring.channels import Channel, check_urls, open_channels
from carillon.monitoring.notices import Claim

__all__ = ["Notifier", "check_urls"]

log = structlog.get_logger()

GAP = timedelta(seconds=60)
"""Between a message to a channel and the next, so that a burst of alarms is two messages."""

_RECORD_AGAIN_SECONDS = 1.0


class Notifier:
    """One for a process. Several on one ledger tell each alarm once."""

    def __init__(self, ledger: Ledger, urls: Sequence[str], who: str, gap: timedelta = GAP) -> None:
        channels, faults = open_channels(urls)
        for fault in faults:
            log.error(f"{fault}; no alarm goes there")
        self._ledger, self._who, self._gap = ledger, who, gap
        self._channels = {channel.id: channel for channel in channels}
        self._under_way: dict[str, threading.Thread] = {}
        self._failing: set[str] = set()
        self._closing = threading.Event()

    def run(self) -> None:
        """One beat: start what may go, and wait for nothing. Raises DBAPIError while the ledger is away."""
        self._under_way = {id_: thread for id_, thread in self._under_way.items() if thread.is_alive()}
        idle = self._channels.keys() - self._under_way.keys()
        for claim in notices.claim(self._ledger, idle, self._gap) if idle else ():
            thread = threading.Thread(target=self._deliver, args=(self._channels[claim.channel], claim), daemon=True)
            self._under_way[claim.channel] = thread
            thread.start()

    def close(self, seconds: float = 10) -> None:
        """Wait a moment for what is on its way; what is not recorded by then is told again by another."""
        self._closing.set()
        give_up = clock.ticks() + seconds
        for thread in self._under_way.values():
            thread.join(max(0, give_up - clock.ticks()))

    def _deliver(self, channel: Channel, claim: Claim) -> None:
        try:
            fault = channel.send(claim.digest, self._who)
        except Exception as error:  # noqa: BLE001  a service of any kind; its words may hold the URL
            fault = type(error).__name__
        self._tell(channel, fault)
        while not self._recorded(channel, claim, fault) and not self._closing.wait(_RECORD_AGAIN_SECONDS):
            pass

    def _recorded(self, channel: Channel, claim: Claim, fault: str | None) -> bool:
        """False while the ledger is away: what was delivered must not go again when it is back."""
        try:
            if fault is None:
                notices.delivered(self._ledger, claim)
            elif not notices.failed(self._ledger, claim):
                log.error(f"{channel.name}: {claim.digest.count} alarms were not delivered for a day; given up")
        except SQLAlchemyError:
            return False
        return True

    def _tell(self, channel: Channel, fault: str | None) -> None:
        if fault is not None and channel.id not in self._failing:
            log.error(f"alarms do not reach {channel.name}: {fault}; tried again for a day")
            self._failing.add(channel.id)
        elif fault is None and channel.id in self._failing:
            log.info(f"alarms reach {channel.name} again")
            self._failing.remove(channel.id)
