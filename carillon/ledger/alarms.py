"""What a person should know: one open alarm for one cause, shown until its cause is gone."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from carillon.ledger.inserts import insert_new
from carillon.ledger.tables import alarms


def sound(
    connection: Connection,
    cause: str,
    message: str,
    now: datetime,
    *,
    broadcast_id: int | None = None,
    creator_id: int | None = None,
) -> bool:
    """Open an alarm unless one for this cause is open; returns whether it is new."""
    alarm = {
        "cause": cause,
        "message": message,
        "raised_at": now,
        "broadcast_id": broadcast_id,
        "creator_id": creator_id,
    }
    opened = insert_new(connection, alarms, [alarm]).returning(alarms.c.id)
    return connection.execute(opened).first() is not None


def clear(connection: Connection, cause: str, now: datetime) -> None:
    clear_all(connection, [cause], now)


def clear_all(connection: Connection, causes: Collection[str], now: datetime) -> None:
    connection.execute(
        update(alarms).where(alarms.c.cause.in_(causes), alarms.c.cleared_at.is_(None)).values(cleared_at=now)
    )


def open_causes(connection: Connection, prefix: str) -> set[str]:
    """Those of open alarms that begin so."""
    mine = (alarms.c.cleared_at.is_(None), alarms.c.cause.startswith(prefix))
    return set(connection.scalars(select(alarms.c.cause).where(*mine)))


def say_once(
    connection: Connection, cause: str, message: str, now: datetime, broadcast_id: int, creator_id: int
) -> None:
    """An alarm that is told but needs nothing more: it is closed as soon as it is raised."""
    connection.execute(
        insert(alarms).values(
            cause=cause,
            message=message,
            raised_at=now,
            cleared_at=now,
            broadcast_id=broadcast_id,
            creator_id=creator_id,
        )
    )
