"""A worker in this process, and the scheduler's beats turned by hand, on any ledger: fast, and nothing by chance."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import dramatiq
from sqlalchemy import Row, func, select

from carillon.handoff import broker as brokers
from carillon.handoff.orders import DELIVER, QUEUES, hand_off
from carillon.ledger import beats
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, broadcasts, events, slots
from carillon.settings import Settings, load
from running import until
from scheduler.release import release
from scheduler.rescue import Reminders, rescue
from scheduler.sweep import expire, sweep
from scheduler.watch import watch
from worker.service import Service

TIMEOUT = 1.0
"""Seconds, for a whole attempt."""


@dataclass
class Scheduler:
    """Its beats, each when it is asked for, and never through a proxy."""

    ledger: Ledger
    broker: dramatiq.Broker
    campaigns: Collection[str] = ()
    """Those in force; of what has the content of one that is gone, a person is asked."""

    def turn(self) -> None:
        rescue(self.ledger, self.broker, Reminders(), "scheduler test")
        self.release()
        sweep(self.ledger, self.broker, "scheduler test")
        expire(self.ledger, "scheduler test")
        watch(self.ledger)

    def release(self) -> None:
        release(self.ledger, self.broker, self.campaigns, "scheduler test")

    def turn_until(self, question: Callable[[], object], seconds: float = 15) -> None:
        def asked() -> object:
            self.turn()
            return question()

        until(asked, seconds)

    def order(self, *broadcast_ids: int, platform: str = "frontrow") -> None:
        """As the release does for what it moved to `queued`."""
        hand_off(self.broker, DELIVER, [(id_, platform) for id_ in broadcast_ids])


@contextmanager
def worker(
    database_url: str,
    platforms: Mapping[str, str],
    redis_url: str | None = None,
    *,
    timeout: float = TIMEOUT,
    threads: int = 2,
) -> Iterator[dramatiq.Broker]:
    """Runs until the end of `with`; yields the broker that it takes orders from."""
    urls = {f"{platform}_url": url for platform, url in platforms.items()}
    settings: Settings = load(database_url=database_url, redis_url=redis_url, http_timeout=timeout, **urls)
    broker = queue(redis_url)
    with closing(Ledger(database_url)) as ledger:
        service = Service(settings, ledger, broker, f"worker {uuid.uuid4().hex}", dict.fromkeys(QUEUES, threads))
        service.start()
        try:
            yield broker
        finally:
            service.stop()


def queue(redis_url: str | None) -> Any:
    """An end of it of one's own."""
    return brokers.make(redis_url, "chaos")


def has_beaten(ledger: Ledger) -> bool:
    """Whether a worker is alive in the ledger, and so will write nothing on its own for ten seconds."""
    with ledger.read() as session:
        return beats.last(session.connection(), "worker") is not None


def states(ledger: Ledger) -> list[str]:
    """Of all broadcasts, oldest row first."""
    with ledger.read() as session:
        return list(session.scalars(select(broadcasts.c.state).order_by(broadcasts.c.id)))


def rows(ledger: Ledger) -> list[Row[tuple[object, ...]]]:
    with ledger.read() as session:
        return list(session.execute(select(broadcasts).order_by(broadcasts.c.id)))


def slots_used(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(slots)) or 0


def attempts_made(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(attempts)) or 0


def moves(ledger: Ledger) -> list[tuple[str | None, str | None]]:
    with ledger.read() as session:
        found = session.execute(select(events.c.source, events.c.target).order_by(events.c.id))
        return [(row.source, row.target) for row in found if row.target]


def open_alarms(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))
