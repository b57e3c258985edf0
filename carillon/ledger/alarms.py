"""What a person should know: one open alarm for one cause, shown until its cause is gone."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

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
    still_open = select(alarms.c.id).where(alarms.c.cause == cause, alarms.c.cleared_at.is_(None))
    if connection.scalar(still_open) is not None:
        return False
    connection.execute(
        insert(alarms).values(
            cause=cause, message=message, raised_at=now, broadcast_id=broadcast_id, creator_id=creator_id
        )
    )
    return True


def clear(connection: Connection, cause: str, now: datetime) -> None:
    clear_all(connection, [cause], now)


def clear_all(connection: Connection, causes: Collection[str], now: datetime) -> None:
    connection.execute(
        update(alarms).where(alarms.c.cause.in_(causes), alarms.c.cleared_at.is_(None)).values(cleared_at=now)
    )


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
