"""Processes say in the ledger that they are alive, by its clock and by their own host's."""

import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select, update

from carillon import clock
from carillon.ledger.connect import Ledger, WrongSchemaError
from carillon.ledger.inserts import put
from carillon.ledger.schema import newest
from carillon.ledger.tables import beats
from carillon.ledger.tables_house import installations

ALIVE = timedelta(seconds=30)
"""A process that has not beaten for so long counts as gone; they beat every ten seconds."""

_KEPT = timedelta(days=1)


def beat(ledger: Ledger, role: str, process: str) -> None:
    """Say that this process, a `scheduler` or a `worker`, is alive.

    Raises WrongSchemaError once the database has left this process's code behind: it must not go on.
    """
    with ledger.write() as connection:
        now = ledger.now(connection)
        values = {"role": role, "at": now, "host": socket.gethostname(), "host_at": clock.now(), "left_at": None}
        put(connection, beats, {"process": process}, {**values, "revision": newest()})
        _forget_old(connection, now)
        if newest() < (connection.scalar(select(installations.c.oldest_revision)) or ""):
            raise WrongSchemaError(
                "the database is for newer code than this process runs: update it, and start it again"
            )


def leave(ledger: Ledger, process: str) -> None:
    """Say good-bye: nobody need wonder where this process is. When it last beat stays known."""
    with ledger.write() as connection:
        mine = update(beats).where(beats.c.process == process)
        connection.execute(mine.values(left_at=ledger.now(connection)))


def last(connection: Connection, role: str) -> datetime | None:
    """When any process of this role last beat, be it gone by now or not."""
    at: datetime | None = connection.scalar(select(func.max(beats.c.at)).where(beats.c.role == role))
    return at


def alive(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The processes that beat and have not left, oldest name first."""
    return list(connection.execute(select(beats).where(living(now)).order_by(beats.c.process)))


def living(now: datetime) -> ColumnElement[bool]:
    return and_(beats.c.at > now - ALIVE, beats.c.left_at.is_(None))


def _forget_old(connection: Connection, now: datetime) -> None:
    """But never the last word of a role: by it a scheduler knows what was missed."""
    later = beats.alias("later")
    newer = select(later.c.process).where(later.c.role == beats.c.role, later.c.at > beats.c.at).exists()
    connection.execute(delete(beats).where(beats.c.at < now - _KEPT, newer))
