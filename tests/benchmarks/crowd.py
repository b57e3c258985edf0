"""Accounts and what is planned for them, put into a ledger as the planner would, thousands at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts, creators, slots
from ledger_rows import CONTENT


def add_accounts(ledger: Ledger, keys: Sequence[str], wake_at: datetime | None) -> list[int]:
    same = {"platform": "frontrow", "limit_count": 10, "limit_seconds": 3600, "throttled_in_a_row": 0}
    rows = [
        {"account": f"env:{key}", "key": key, "name": key, "credentials": f"env:{key}", "wake_at": wake_at, **same}
        for key in keys
    ]
    with ledger.write() as connection:
        connection.execute(insert(creators), rows)
        found = {key: id_ for id_, key in connection.execute(select(creators.c.id, creators.c.key))}
    return [found[key] for key in keys]


def add_planned(ledger: Ledger, wanted: Iterable[tuple[int, str, datetime]]) -> None:
    """Each a creator's id, a campaign, and when it is due."""
    now = clock.now()
    with ledger.write() as connection:
        connection.execute(insert(broadcasts), [_planned(*one, now) for one in wanted])


def _planned(creator_id: int, campaign: str, due: datetime, now: datetime) -> dict[str, Any]:
    said = {"content": CONTENT, "content_digest": f"{campaign} of {creator_id}", "state": "planned", "version": 1}
    counts = {"number": 1, "attempts": 0, "put_offs": 0, "hand_offs": 0, "priority": 0, "expires_after": 86_400}
    rules = {"overlap": "queue", "catch_up": "latest", "on_unknown": "hold", "waiting_for": "time"}
    return {
        "campaign": campaign,
        "creator": str(creator_id),
        "creator_id": creator_id,
        "platform": "frontrow",
        "part": "main",
        "kind": "cron",
        "occurrence": due.isoformat(),
        "day": due.date(),
        "revision": "r1",
        "due_at": due,
        "expires_at": due + timedelta(days=1),
        "state_since": now,
        **said,
        **counts,
        **rules,
    }


def use_slots(ledger: Ledger, creator_id: int, count: int) -> None:
    """As if so many had been sent some minutes ago."""
    at = clock.now() - timedelta(minutes=5)
    add_planned(ledger, [(creator_id, f"sent-{number}", at) for number in range(count)])
    sent = (broadcasts.c.creator_id == creator_id, broadcasts.c.campaign.startswith("sent-"))
    with ledger.write() as connection:
        connection.execute(broadcasts.update().where(*sent).values(state="sent", waiting_for=None, attempts=1))
        for id_ in list(connection.scalars(select(broadcasts.c.id).where(*sent))):
            attempt = {"broadcast_id": id_, "number": 1, "token": f"token {id_}", "host": "h", "pid": 1}
            attempt |= {"process_birth": "b", "started_at": at, "lease_until": at, "timeout_seconds": 20}
            made = insert(attempts).values(**attempt, request_digest="d", finished_at=at).returning(attempts.c.id)
            slot = {"attempt_id": connection.scalar(made), "creator_id": creator_id, "taken_at": at, "ended_at": at}
            connection.execute(insert(slots).values(slot))


def settle_down(ledger: Ledger) -> None:
    """What PostgreSQL does by itself within minutes."""
    conninfo = make_url(ledger.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
