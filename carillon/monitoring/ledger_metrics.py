"""The ledger's figures for Prometheus: broadcasts, what waits and for what, beats, alarms, accounts.

Every scheduler, and `up`, tells the same ones: take `max by (...)` of them, never a sum over processes. All are of one
moment, and kept for ten seconds or longer: however often they are asked for, and however much the ledger holds, they
take at most a twentieth of one connection's time.
"""

import threading
from collections.abc import Iterable, Iterator

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.states import State
from carillon.monitoring import ledger_figures, metrics
from carillon.monitoring.ledger_figures import Figures

log = structlog.get_logger()

KEPT_SECONDS = 10.0
_KEPT_TIMES_READING = 20
_KEPT_LONGEST = 60.0
_PATIENCE = 2.0
"""Seconds to wait for another's reading before what is kept is told again."""

_READING_LIMIT = "15s"


class LedgerMetrics(Collector):
    """One for a process; safe among threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reading = threading.Lock()
        self._kept: list[Metric] = []
        self._read_at = self._stale_at = clock.ticks()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        """These figures, and what this process itself counts."""
        of_ledger = generate_latest(self._registry)  # first, since reading may fail, and that is counted
        return metrics.exposition() + of_ledger

    def describe(self) -> Iterable[Metric]:
        """Nothing: else the registry would read the ledger to learn the names."""
        return ()

    def collect(self) -> Iterable[Metric]:
        kept = self._fresh()
        yield _gauge("ledger_up", "1 if the ledger could be read; if not, nothing is told of it", {(): bool(kept)})
        if kept:
            age = clock.ticks() - self._read_at
            yield _gauge("ledger_figures_age_seconds", "How old the ledger's figures are", {(): age})
        yield from kept

    def _fresh(self) -> list[Metric]:
        """What is kept, read anew if it is old; one thread reads, and who would wait long for it gets the old."""
        if clock.ticks() >= self._stale_at and self._reading.acquire(timeout=_PATIENCE):
            try:
                if clock.ticks() >= self._stale_at:
                    self._read()
            finally:
                self._reading.release()
        return self._kept

    def _read(self) -> None:
        begun = clock.ticks()
        try:
            self._kept = self._all()
            self._read_at = clock.ticks()
            pause = (self._read_at - begun) * _KEPT_TIMES_READING
        except SQLAlchemyError as error:
            log.error("the ledger cannot be read for /metrics", error=type(error).__name__)
            metrics.database_error("metrics")
            self._kept, pause = [], 0
        self._stale_at = clock.ticks() + min(_KEPT_LONGEST, max(KEPT_SECONDS, pause))

    def _all(self) -> list[Metric]:
        one_moment = {} if self._ledger.embedded else {"isolation_level": "REPEATABLE READ"}
        with self._ledger.read() as session:
            connection = session.connection(execution_options=one_moment)
            if not self._ledger.embedded:
                connection.execute(select(func.set_config("statement_timeout", _READING_LIMIT, True)))
            return list(_gauges(self._ledger, connection))


def _gauges(ledger: Ledger, connection: Connection) -> Iterator[Metric]:
    now = ledger.now(connection)
    by_state = ledger_figures.by_state(connection)
    planned: dict[str, float] = {}
    for (state, platform, _), count in by_state.items():
        if state == State.PLANNED:
            planned[platform] = planned.get(platform, 0) + count
    yield _gauge(
        "broadcasts",
        "Broadcasts in the ledger; reason is its first word, empty where there is none and for what was sent",
        by_state,
        "state",
        "platform",
        "reason",
    )
    yield _gauge(
        "waiting",
        "Planned broadcasts by what they wait for; time: not due; nothing: due, and next to go",
        ledger_figures.waiting(connection, now, planned),
        "cause",
        "platform",
    )
    age = ledger_figures.queue_age(connection, now)
    yield _gauge("queue_age_seconds", "How long the oldest queued broadcast has stood there", age, "platform")
    ages, alive = ledger_figures.by_role(connection, now)
    yield _gauge("beat_age_seconds", "Since the last beat of any process of the role", ages, "role")
    yield _gauge("processes", "Processes that are alive by their beats", alive, "role")
    kinds = ledger_figures.open_alarms(connection)
    yield _gauge("alarms_open", "Alarms whose cause is not gone, by the first word of the cause", kinds, "kind")
    stopped, cooling = ledger_figures.accounts(connection, now)
    yield _gauge("creators_stopped", "Creators that send nothing until somebody mends them", stopped, "platform")
    yield _gauge("creators_cooling_down", "Creators whose platform asked for patience", cooling, "platform")
    yield _gauge("catalogue_generation", "The catalogue in force", ledger_figures.generation(connection))


def _gauge(name: str, words: str, figures: Figures, *labels: str) -> Metric:
    gauge = GaugeMetricFamily(f"carillon_{name}", words, labels=labels)
    for values, figure in figures.items():
        gauge.add_metric(values, figure)
    return gauge
