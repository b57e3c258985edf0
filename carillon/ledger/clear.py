"""The clear cases of claim and record, in as few statements as can be: a database function each, on SQLite five or so.

A case is clear where nothing has to be weighed. A claim: nothing stops, pauses or cools the account, it keeps no quiet
hours, and it has a free slot for each of its broadcasts that is due. A record: the answer was accepted as it should
be, and nobody else has touched the broadcast. What is not clear changes nothing here and is left to the worker,
which weighs it under the same lock, and writes the same rows.

The moves made here are `queued` to `sending` and `sending` to `sent`, as `states.move` makes them: the state, the
version, the event and the account's wake-up.
"""

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, BindParameter, Double, String, column, func, select
from sqlalchemy.types import TypeEngine

from carillon.ledger import clear_sqlite
from carillon.ledger.connect import Ledger
from carillon.ledger.prepared import Prepared, the


class Taking(NamedTuple):
    """Who claims what, in the order of the function's arguments."""

    broadcast: int
    version: int
    account: int
    token: str
    host: str
    pid: int
    birth: str
    lease_seconds: float
    timeout_seconds: float
    request_digest: str
    baseline: str | None
    who: str


class Acceptance(NamedTuple):
    """What the platform accepted, in the order of the function's arguments."""

    broadcast: int
    account: int
    attempt: int
    number: int
    token: str
    latency_ms: int
    status: int | None
    verdict: str
    words: str
    message_id: str | None
    recipient_count: int | None
    delivery: str
    who: str


def claim(ledger: Ledger, taking: Taking) -> tuple[int, int] | None:
    """(attempt's id, its number), committed; None if the case is not clear. Raises SQLAlchemy's errors."""
    if ledger.embedded:
        return clear_sqlite.claim(ledger, taking._asdict())
    with ledger.straight.cursor() as cursor:
        found = _claim().one(cursor, taking._asdict())
    return (found[0], found[1]) if found else None


def record(ledger: Ledger, acceptance: Acceptance) -> bool:
    """Whether it is written; False if the case is not clear. Raises SQLAlchemy's errors."""
    if ledger.embedded:
        return clear_sqlite.record(ledger, acceptance._asdict())
    with ledger.straight.cursor() as cursor:
        found = _record().one(cursor, acceptance._asdict())
    return found == [True]


@cache
def _claim() -> Prepared:
    called = func.claim_if_clear(*_arguments(Taking)).table_valued(column("attempt_id"), column("number"))
    return Prepared(select(called.c.attempt_id, called.c.number), embedded=False)


@cache
def _record() -> Prepared:
    return Prepared(select(func.record_if_clear(*_arguments(Acceptance))), embedded=False)


def _arguments(of: type[NamedTuple]) -> list[BindParameter[Any]]:
    types: dict[object, TypeEngine[Any]] = {int: BigInteger(), int | None: BigInteger(), float: Double()}
    return [the(name, types.get(kind, String())) for name, kind in of.__annotations__.items()]
