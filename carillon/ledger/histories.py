"""What became of broadcasts, step by step: one of them whole, and what changed since one looked last."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from carillon.ledger.connect import Ledger
from carillon.ledger.earned import results_of
from carillon.ledger.questions import instant, shown, waits
from carillon.ledger.tables import attempts, broadcasts, creators, events, lookups, slots

_LATE_COMMITS = 500
"""Of two transactions the one that took its event's id first may commit last, so this many ids are read again."""


@dataclass(frozen=True)
class Whole:
    """One broadcast with all that is known of it; `broadcast` is as `questions.shown`."""

    row: Row[Any]
    creator: Row[Any]
    broadcast: dict[str, Any]
    attempts: list[dict[str, Any]]
    lookups: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    events: list[dict[str, Any]]
    results: dict[str, Any]


def whole(ledger: Ledger, broadcast_id: int) -> Whole | None:
    """None if there is no such broadcast."""
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        row = connection.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
        if row is None:
            return None
        creator = connection.execute(select(creators).where(creators.c.id == row.creator_id)).one()
        wait = waits(connection, [row], now).get(row.id)
        return Whole(
            row,
            creator,
            shown(row, wait),
            [_attempt(found) for found in connection.execute(_of(attempts, row.id))],
            _lookups(connection, row.id),
            _slots(connection, row.id, timedelta(seconds=creator.limit_seconds)),
            [event(found) for found in connection.execute(_of(events, row.id))],
            results_of(connection, row.id),
        )


class Feed:
    """Events of some broadcasts, each once, from the moment on in which the feed was made."""

    def __init__(self, ledger: Ledger, which: ColumnElement[bool], *, from_the_start: bool = False) -> None:
        self._ledger, self._which = ledger, which
        self._seen: set[int] = set()
        self._newest = 0
        if not from_the_start:
            with ledger.read() as session:
                self._newest = session.scalar(select(func.max(events.c.id))) or 0
            self.take()

    def take(self) -> list[Row[Any]]:
        """What is new, oldest first."""
        low = self._newest - _LATE_COMMITS
        chosen = (
            select(events)
            .join(broadcasts, broadcasts.c.id == events.c.broadcast_id)
            .where(events.c.id > low, self._which)
            .order_by(events.c.id)
        )
        with self._ledger.read() as session:
            new = [row for row in session.execute(chosen) if row.id not in self._seen]
        self._seen = {id_ for id_ in self._seen if id_ > low} | {row.id for row in new}
        self._newest = max([self._newest, *self._seen])
        return new


def event(row: Row[Any]) -> dict[str, Any]:
    """One event for a person: when, from, to, why, who."""
    return {"at": instant(row.at), "from": row.source, "to": row.target, "why": row.why, "who": row.who}


def _of(table: Any, broadcast_id: int) -> Any:
    return select(table).where(table.c.broadcast_id == broadcast_id).order_by(table.c.id)


def _attempt(row: Row[Any]) -> dict[str, Any]:
    return {
        "number": row.number,
        "started_at": instant(row.started_at),
        "lease_until": instant(row.lease_until),
        "finished_at": instant(row.finished_at),
        "latency_ms": row.latency_ms,
        "status": row.status,
        "verdict": row.verdict,
        "words": row.words,
        "owner": f"{row.host}:{row.pid}",
        "request_digest": row.request_digest,
    }


def _lookups(connection: Connection, broadcast_id: int) -> list[dict[str, Any]]:
    made = (
        select(lookups, attempts.c.number)
        .join(attempts, attempts.c.id == lookups.c.attempt_id)
        .where(attempts.c.broadcast_id == broadcast_id)
        .order_by(lookups.c.id)
    )
    return [_lookup(row, json.loads(row.seen)) for row in connection.execute(made)]


def _lookup(row: Row[Any], seen: Any) -> dict[str, Any]:
    """`seen` is a list if the platform showed all that it has, else the word for why it did not."""
    complete = isinstance(seen, list)
    return {
        "attempt": row.number,
        "at": instant(row.began_at),
        "complete": complete,
        "words": row.words,
        "seen": seen if complete else [],
    }


def _slots(connection: Connection, broadcast_id: int, window: timedelta) -> list[dict[str, Any]]:
    taken = (
        select(slots, attempts.c.number)
        .join(attempts, attempts.c.id == slots.c.attempt_id)
        .where(attempts.c.broadcast_id == broadcast_id)
        .order_by(attempts.c.number)
    )
    return [
        {
            "attempt": row.number,
            "taken_at": instant(row.taken_at),
            "ended_at": instant(row.ended_at),
            "frees_at": instant(row.ended_at + window),
        }
        for row in connection.execute(taken)
    ]
