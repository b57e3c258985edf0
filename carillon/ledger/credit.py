"""What accounts have used, and what their keys have left, of what a platform counts (OnlyFansAPI: credits).

Creators who share a key, by one reference to it, share what is left.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from carillon.ledger import alarms
from carillon.ledger.inserts import insert_new
from carillon.ledger.tables import creators
from carillon.ledger.tables_media import credits_

LEAST = 1000
"""Less than this is low, whatever was used; so is less than what a week used."""

_WEEK = timedelta(days=7)


def keep(connection: Connection, creator_id: int, used: int, balance: int | None, now: datetime) -> None:
    """So many more were used, and so many are left, None if that was not said; alarms while little is left."""
    first = {"creator_id": creator_id, "used": 0, "balance": None, "at": now, "week_since": now, "week_used": 0}
    connection.execute(insert_new(connection, credits_, [first]))
    mine = credits_.c.creator_id == creator_id
    row = connection.execute(select(credits_).where(mine).with_for_update()).one()
    values = {"used": row.used + used, "at": now, **_weeks(row, used, now)}
    if balance is not None:
        values["balance"] = balance
    connection.execute(update(credits_).where(mine).values(values))
    if balance is not None:
        _tell(connection, creator_id, balance, now)


def standing(connection: Connection) -> Mapping[int, tuple[int, int | None]]:
    """By the creator's id: used by it, and left to its key; nothing of platforms that count nothing."""
    rows = connection.execute(select(credits_, *_KEY).join(creators, creators.c.id == credits_.c.creator_id)).all()
    left: dict[tuple[str, str], Row[Any]] = {}
    for row in rows:
        key = (row.platform, row.credentials)
        if row.balance is not None and (key not in left or left[key].at < row.at):
            left[key] = row
    return {row.creator_id: (row.used, _balance(left.get((row.platform, row.credentials)))) for row in rows}


_KEY = (creators.c.platform, creators.c.credentials)


def _balance(row: Row[Any] | None) -> int | None:
    return row.balance if row is not None else None


def _weeks(row: Row[Any], used: int, now: datetime) -> dict[str, Any]:
    """A week that is over becomes the last one; one of which nothing was heard used nothing."""
    if now - row.week_since < _WEEK:
        return {"week_used": row.week_used + used}
    last = row.week_used if now - row.week_since < 2 * _WEEK else 0
    return {"week_since": now, "week_used": used, "last_week_used": last}


def _tell(connection: Connection, creator_id: int, balance: int, now: datetime) -> None:
    platform, reference = connection.execute(select(*_KEY).where(creators.c.id == creator_id)).one()
    cause, week = f"credits:{platform}:{reference}", _a_week(connection, platform, reference, now)
    if balance >= max(LEAST, week):
        alarms.clear(connection, cause, now)
        return
    key = connection.scalar(select(creators.c.key).where(creators.c.id == creator_id))
    words = f"{platform} has {balance} credits left for the key of {key}; a week uses {week}: buy more"
    alarms.sound(connection, cause, words, now, creator_id=creator_id)


def _a_week(connection: Connection, platform: str, reference: str, now: datetime) -> int:
    """What those who share the key used in a week, be it the last one or this."""
    lately = credits_.c.week_since > now - 2 * _WEEK
    shared = (creators.c.platform == platform, creators.c.credentials == reference, lately)
    sums = select(func.sum(credits_.c.week_used), func.sum(credits_.c.last_week_used))
    joined = sums.join(creators, creators.c.id == credits_.c.creator_id).where(*shared)
    this, last = connection.execute(joined).one()
    return max(int(this or 0), int(last or 0))
