"""Carries out in this process what a person withdraws from a platform: what is placed there, and what was sent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Row, select

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.decisions import DecisionError
from carillon.ledger.states import State
from carillon.ledger.tables import alarms, broadcasts
from carillon.platforms.client import Client
from carillon.platforms.store import Store
from carillon.settings import Settings
from console.accounts import pace_of
from worker.follow import follow
from worker.means import Means
from worker.tokens import tokens_of

PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.2


@contextmanager
def own_means(settings: Settings, ledger: Ledger, who: str) -> Iterator[Means]:
    """What a worker has, for this one command."""
    client, urls, seconds = Client(settings.http_timeout), settings.platform_urls, settings.http_timeout
    tokens, pace, store = tokens_of(settings, ledger, who), pace_of(settings, ledger), Store(settings.uploads)
    try:
        yield Means(ledger, client, who, seconds, urls, tokens=tokens, pace=pace, store=store)
    finally:
        client.close()


def wait_until_withdrawn(means: Means, broadcast_id: int) -> None:
    """Of what is placed and wished away: done here, or by whoever is at it. Raises DecisionError if it is not done."""
    give_up = clock.ticks() + PATIENCE_SECONDS
    while (row := _row(means.ledger, broadcast_id)).state == State.PLACED and row.wish and clock.ticks() < give_up:
        follow(means, broadcast_id)
        time.sleep(_POLL_SECONDS)
    if row.state != State.CANCELLED:
        raise DecisionError(_not_done(means.ledger, row))


def _row(ledger: Ledger, broadcast_id: int) -> Row[Any]:
    with ledger.read() as session:
        return session.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one()


def _not_done(ledger: Ledger, row: Row[Any]) -> str:
    if row.state == State.SENT:
        return f"broadcast {row.id} is sent: the platform had sent it before it could be withdrawn"
    if row.state != State.PLACED or not row.wish:
        return f"broadcast {row.id} is {row.state}, and was not withdrawn; see `carillon show {row.id}`"
    still_open = select(alarms.c.message).where(alarms.c.cause == f"wish:{row.id}", alarms.c.cleared_at.is_(None))
    with ledger.read() as session:
        why = session.scalar(still_open) or f"broadcast {row.id} is not withdrawn yet: the platform still has it"
    return f"{why}; a running Carillon goes on trying, see `carillon show {row.id}`"
