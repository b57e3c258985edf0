"""Ten thousand broadcasts of ten thousand accounts, due in one second: when is the last order on the queue."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import dramatiq
import psycopg
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import func, select, update
from sqlalchemy.engine import make_url

import servers
from benchmarks import declared, durable, floor
from benchmarks.results import Result
from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import migrate
from carillon.ledger.tables import broadcasts, creators
from daemons import Fleet
from scheduler.plan import plan
from scheduler.publish import Publisher

WHAT = "10,000 broadcasts of 10,000 accounts due in one second: the last on the queue"
COUNT = 10_000
_QUEUE = "frontrow"
_LEAD = timedelta(seconds=15)
"""For the scheduler to start, and to have nothing else to do when they fall due."""

_LOOKS_SECONDS = 0.01
"""Whoever looks takes processor time from those that are looked at."""

_PATIENCE_SECONDS = 30.0


def row(rounds: int) -> Result:
    with (
        durable.postgresql() as server,
        durable.valkey() as queue,
        _folder() as folder,
        _planned(server, folder) as template,
    ):
        pairs = [(_bare(queue), _once(server, template, queue, folder)) for _ in range(rounds)]
    bare, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return {
        "what": WHAT,
        "goal": "at most 0.4",
        "unit": "s",
        "value": median(ours),
        "floor": None,
        "ratio": None,
        "detail": f"{min(ours):.2f} to {max(ours):.2f} in {rounds} rounds, none lost; "
        f"bare Dramatiq, its own enqueue piped by 500: {median(bare):.2f} s",
    }


def _once(server: str, template: str, queue: str, folder: Path) -> float:
    """Seconds from the due instant, by the database's clock, to the last order."""
    servers.empty(queue)
    with servers.fresh_database(server, template) as url, closing(Ledger(url)) as ledger:
        due = _make_due(ledger)
        _settle_down(url)
        with Fleet(folder, {}, url, queue, CARILLON_CAMPAIGNS=str(folder / "files")) as fleet:
            fleet.start("scheduler")
            assert clock.now() < due - timedelta(seconds=2), "the machine is too busy: it was not up in time"
            broker = brokers.make(queue, installation(ledger))
            assert isinstance(broker, RedisBroker)
            time.sleep(max(0.0, due.timestamp() - time.time() - 1))
            servers.empty(queue)  # workers would have carried out by now what prepares the burst
            seconds = _last_is_there(broker, due)
            _none_is_lost(broker, ledger)
        return seconds


def _last_is_there(broker: RedisBroker, due: datetime) -> float:
    time.sleep(max(0.0, due.timestamp() - time.time()))
    while broker.do_qsize(_QUEUE) < COUNT:
        late = time.time() - due.timestamp()
        if late > _PATIENCE_SECONDS:
            raise TimeoutError(f"{broker.do_qsize(_QUEUE)} of {COUNT} after {late:.0f} s")
        time.sleep(_LOOKS_SECONDS)
    return time.time() - due.timestamp()


def _none_is_lost(broker: RedisBroker, ledger: Ledger) -> None:
    with ledger.read() as session:
        queued = set(session.scalars(select(broadcasts.c.id).where(broadcasts.c.state == "queued")))
    consumer = broker.consume(_QUEUE, prefetch=COUNT)
    ordered: set[Any] = set()
    while (message := next(consumer)) is not None:
        assert isinstance(message, dramatiq.MessageProxy)
        ordered.add(message.args[0])
    assert len(queued) == COUNT, f"{len(queued)} stand as queued"
    assert ordered == queued, f"{len(ordered)} are ordered"


def _bare(queue: str) -> float:
    servers.empty(queue)
    begun = time.perf_counter()
    floor.fill(queue, COUNT)
    return time.perf_counter() - begun


def _make_due(ledger: Ledger) -> datetime:
    """In some seconds, as if that had been declared the day before."""
    due: datetime = clock.now() + _LEAD
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(due_at=due, expires_at=due + timedelta(hours=2)))
        connection.execute(update(creators).values(wake_at=due))
    return due


def _settle_down(url: str) -> None:
    """What PostgreSQL does by itself within minutes."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


@contextmanager
def _planned(server: str, folder: Path) -> Iterator[str]:
    """The name of a database to copy, in which all is planned for the next day."""
    at = clock.now() + timedelta(hours=12)
    (folder / "files").mkdir()
    declared.everyone_at(folder / "files", COUNT, f"{at:%Y-%m-%dT%H:%M:%SZ}")
    with servers.fresh_database(server) as url:
        with closing(Ledger(url)) as ledger:
            migrate(ledger)
            publisher = Publisher(ledger, folder / "files", frozenset(), "scheduler bench")
            publisher.start()
            assert publisher.catalogue
            plan(ledger, publisher.catalogue, publisher.generation, "scheduler bench")
            with ledger.read() as session:
                assert session.scalar(select(func.count()).select_from(broadcasts)) == COUNT
        yield servers.closed(server, url)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="carillon-burst-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
