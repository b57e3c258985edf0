"""Webhooks that were proven to come from their platform: each stored once, for ever, before it is answered.

One that comes again, under the same id of its delivery or with the same body, is known and has no second effect. The
body is kept until its hints were taken, and no longer: it may hold what fans wrote.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select, update

from carillon.ledger.inserts import insert_new
from carillon.ledger.tables import creators
from carillon.ledger.tables_media import hooks

_LONGEST_ID = 200
_MOST_AT_ONCE = 100


def addressee(connection: Connection, platform: str, key: str) -> Row[Any] | None:
    """The account that this creator's webhooks are about; also one that is disabled, or gone from the files."""
    named = select(creators).where(creators.c.platform == platform, creators.c.key == key)
    return connection.execute(named.order_by(creators.c.enabled.desc(), creators.c.id.desc()).limit(1)).one_or_none()


def store(connection: Connection, creator: Row[Any], delivery: str | None, raw: bytes, now: datetime) -> bool:
    """Whether it is new. `raw` is the body, which is UTF-8."""
    row = {
        "creator_id": creator.id,
        "platform": creator.platform,
        "delivery": delivery and _short(delivery),
        "body_digest": sha256(raw).hexdigest(),
        "body": raw.decode(),
        "received_at": now,
    }
    new = insert_new(connection, hooks, [row]).returning(hooks.c.id)
    return connection.scalar(new) is not None


def waiting(connection: Connection, after: int) -> Sequence[Row[Any]]:
    """Those whose hints were not taken yet, oldest first, some at a time."""
    still: Any = select(hooks.c.id, hooks.c.creator_id).where(hooks.c.done_at.is_(None), hooks.c.id > after)
    return list(connection.execute(still.order_by(hooks.c.id).limit(_MOST_AT_ONCE)))


def still_waiting(connection: Connection, hook_id: int) -> Row[Any] | None:
    """To be asked under the lock of its account: of two that take it one finds nothing."""
    mine = select(hooks).where(hooks.c.id == hook_id, hooks.c.done_at.is_(None))
    return connection.execute(mine).one_or_none()


def done(connection: Connection, hook_id: int, words: str, now: datetime) -> None:
    mine = update(hooks).where(hooks.c.id == hook_id)
    connection.execute(mine.values(done_at=now, words=words, body=""))


def set_aside(connection: Connection, hook_id: int, words: str, now: datetime) -> None:
    """Nobody could take it; its body is kept for people."""
    connection.execute(update(hooks).where(hooks.c.id == hook_id).values(done_at=now, words=words))


def _short(delivery: str) -> str:
    """Headers hold anything, and an index takes no more than so much."""
    if len(delivery) <= _LONGEST_ID and delivery.isascii() and delivery.isprintable():
        return delivery
    return sha256(delivery.encode("utf-8", "backslashreplace")).hexdigest()
