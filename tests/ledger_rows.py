"""Rows for tests of the ledger: an account, and broadcasts that are due."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert, select

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms.contract import Content, ListRef

CONTENT = Content(include=(ListRef(kind="smart", value="subscribers"),), text="hello").frozen()


def add_creator(ledger: Ledger, key: str = "luna", **values: Any) -> int:
    row = {
        "platform": "frontrow",
        "account": f"env:{key.upper()}_KEY",
        "key": key,
        "name": key.title(),
        "credentials": f"env:{key.upper()}_KEY",
        "limit_count": 10,
        "limit_seconds": 3600,
        "enabled": True,
        "throttled_in_a_row": 0,
        "wake_at": clock.now(),
    }
    return _insert(ledger, creators, {**row, **values})


def add_broadcast(ledger: Ledger, creator_id: int, campaign: str = "drop", **values: Any) -> int:
    now = clock.now()
    due_at: datetime = values.get("due_at", now - timedelta(seconds=1))
    row = {
        "campaign": campaign,
        "creator": "luna",
        "creator_id": creator_id,
        "platform": "frontrow",
        "part": "main",
        "kind": "cron",
        "occurrence": due_at.isoformat(),
        "number": 1,
        "day": due_at.date(),
        "revision": "r1",
        "due_at": due_at,
        "expires_at": due_at + timedelta(hours=2),
        "expires_after": 7200,
        "priority": 0,
        "overlap": "queue",
        "catch_up": "latest",
        "on_unknown": "hold",
        "content": CONTENT,
        "content_digest": f"digest of {campaign} {due_at}",
        "state": "queued",
        "version": 1,
        "attempts": 0,
        "put_offs": 0,
        "hand_offs": 0,
        "state_since": now,
    }
    row |= values
    row.setdefault("waiting_for", "time" if row["state"] == "planned" else None)
    return _insert(ledger, broadcasts, row)


def broadcast(ledger: Ledger, broadcast_id: int) -> Any:
    with ledger.read() as session:
        return session.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one()


def creator(ledger: Ledger, creator_id: int) -> Any:
    with ledger.read() as session:
        return session.execute(select(creators).where(creators.c.id == creator_id)).one()


def _insert(ledger: Ledger, table: Table, row: dict[str, Any]) -> int:
    with ledger.write() as connection:
        id_: int = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        return id_
