"""Carries a person's own broadcasts to their end: waits for a running scheduler, or does its work for them alone."""

import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from sqlalchemy import select

from carillon import clock
from carillon.ledger import beats, uploading
from carillon.ledger.connect import Ledger
from carillon.ledger.questions import listed
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms.client import Client
from carillon.platforms.store import Store
from carillon.settings import Settings
from console.accounts import pace_of
from console.up import is_running
from scheduler.once import release_own
from worker.deliver import deliver
from worker.means import Means
from worker.recheck import recheck
from worker.reconcile import reconcile
from worker.tokens import tokens_of
from worker.upload import begin_upload

PATIENCE_SECONDS = 90.0
_UPLOADS_END_SECONDS = 1.0
_POLL_SECONDS = 0.2
_AT_ONCE = 8
_MOST_UPLOADS = 50
_UNDER_WAY = (State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN)


def somebody_runs(settings: Settings, ledger: Ledger) -> bool:
    """Whether a scheduler and a worker are alive that will take the broadcasts on."""
    if is_running(settings.home):
        return True
    if ledger.embedded:
        return False
    with ledger.read() as session:
        connection = session.connection()
        roles = {row.role for row in beats.alive(connection, ledger.now(connection))}
    return {"scheduler", "worker"} <= roles


def carry_out(settings: Settings, ledger: Ledger, ids: Collection[int], who: str) -> list[dict[str, Any]]:
    """Wait until all have ended, at most 90 s; returns them as they then stand."""
    give_up = clock.ticks() + PATIENCE_SECONDS
    with _own_worker(settings, ledger, who) as worker, _progress():
        while (open_ones := _open(ledger, ids)) and clock.ticks() < give_up:
            if not somebody_runs(settings, ledger):
                worker.take(open_ones)
            time.sleep(_POLL_SECONDS)
    return _now_as(ledger, ids)


def _progress() -> AbstractContextManager[object]:
    if not sys.stderr.isatty():
        return nullcontext()
    return Console(stderr=True).status("sending; Ctrl-C stops the waiting")


class _OwnWorker:
    """Releases and delivers broadcasts in threads of this process."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._jobs: dict[int, Future[None]] = {}

    def take(self, ids: Collection[int]) -> None:
        """Move these on as far as they may go now. Raises what delivering one of them raised."""
        for id_ in [id_ for id_, job in self._jobs.items() if job.done()]:
            self._jobs.pop(id_).result()
        idle = [id_ for id_ in ids if id_ not in self._jobs]
        _recheck_stopped(self._means, idle)
        for upload_id in _uploads(self._means.ledger, idle):
            begin_upload(self._means, upload_id)
        for id_ in release_own(self._means.ledger, idle, self._means.who):
            self._jobs[id_] = self._pool.submit(deliver, self._means, id_)
        for id_ in _unknown(self._means.ledger, idle):
            self._jobs[id_] = self._pool.submit(reconcile, self._means, id_)

    def stop(self) -> None:
        """Finish and record what is on its way; what has not begun stays `queued` for the next `up`."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._means.stopping.set()
        self._means.uploading.wait(_UPLOADS_END_SECONDS)


@contextmanager
def _own_worker(settings: Settings, ledger: Ledger, who: str) -> Iterator[_OwnWorker]:
    client, store = Client(settings.http_timeout), Store(settings.uploads)
    tokens, pace = tokens_of(settings, ledger, who), pace_of(settings, ledger)
    urls = settings.platform_urls
    worker = _OwnWorker(Means(ledger, client, who, settings.http_timeout, urls, tokens=tokens, pace=pace, store=store))
    try:
        yield worker
    finally:
        worker.stop()
        client.close()


def _recheck_stopped(means: Means, ids: Collection[int]) -> None:
    with means.ledger.read() as session:
        stopped = (
            select(creators.c.id)
            .join(broadcasts, broadcasts.c.creator_id == creators.c.id)
            .where(broadcasts.c.id.in_(ids), creators.c.stopped_at.is_not(None))
        )
        found = list(session.scalars(stopped.distinct()))
    for creator_id in found:
        recheck(means, creator_id)


def _uploads(ledger: Ledger, ids: Collection[int]) -> list[int]:
    """Those that their accounts' broadcasts wait for, and that may go on now."""
    accounts = select(broadcasts.c.creator_id).where(broadcasts.c.id.in_(ids))
    with ledger.read() as session:
        connection = session.connection()
        mine = uploading.due(connection, ledger.now(connection), _MOST_UPLOADS, of=accounts)
        return [id_ for id_, _ in mine]


def _open(ledger: Ledger, ids: Collection[int]) -> list[int]:
    return _in(ledger, ids, _UNDER_WAY)


def _unknown(ledger: Ledger, ids: Collection[int]) -> list[int]:
    return _in(ledger, ids, (State.UNKNOWN,))


def _in(ledger: Ledger, ids: Collection[int], states: Collection[State]) -> list[int]:
    these = select(broadcasts.c.id).where(broadcasts.c.id.in_(ids), broadcasts.c.state.in_(states))
    with ledger.read() as session:
        return list(session.scalars(these))


def _now_as(ledger: Ledger, ids: Collection[int]) -> list[dict[str, Any]]:
    with ledger.read() as session:
        connection = session.connection()
        return listed(connection, broadcasts.c.id.in_(ids), ledger.now(connection))
