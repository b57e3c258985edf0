"""Rings for the schedulers once a person has let something go: else they see it only with their next look."""

from carillon.handoff import broker as brokers
from carillon.handoff.doorbell import RELEASE, ring_once
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.settings import Settings


def ring(settings: Settings, ledger: Ledger) -> None:
    """Where there is no Redis, `up` looks by itself."""
    if settings.redis_url is not None:
        ring_once(brokers.make(settings.redis_url, installation(ledger)), RELEASE)
