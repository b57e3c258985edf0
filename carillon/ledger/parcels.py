"""A broadcast with what of its account is needed to send it, in one read."""

from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from carillon.ledger.connect import Ledger
from carillon.ledger.prepared import Prepared, the
from carillon.ledger.tables import broadcasts, creators


class Parcel(NamedTuple):
    """As it was read: whoever acts on it names its `version`."""

    id: int
    version: int
    state: str
    campaign: str
    creator: str
    creator_id: int
    platform: str
    occurrence: str
    due_at: datetime
    goes_at: datetime | None
    content: str
    put_offs: int
    account_id: str | None
    credentials: str
    throttled_in_a_row: int


def parcel(ledger: Ledger, broadcast_id: int) -> Parcel | None:
    """None if there is no such broadcast. Raises SQLAlchemy's errors."""
    try:
        return _read(ledger, broadcast_id)
    except DBAPIError:  # most likely a connection that a restarted server had closed
        return _read(ledger, broadcast_id)


def _read(ledger: Ledger, broadcast_id: int) -> Parcel | None:
    with ledger.straight.cursor() as cursor:
        found = _statement(ledger.embedded).one(cursor, {"subject": broadcast_id})
    return Parcel(*found) if found else None


@cache
def _statement(embedded: bool) -> Prepared:
    mine = {**creators.c, **broadcasts.c}
    columns = [mine[name] for name in Parcel._fields]
    joined = select(*columns).join_from(broadcasts, creators, creators.c.id == broadcasts.c.creator_id)
    this_one = joined.where(broadcasts.c.id == the("subject"))
    return Prepared(this_one, embedded=embedded)
