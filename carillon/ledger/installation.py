"""Which installation this ledger is: ledgers that share a Redis, or accounts, can be told apart by it."""

from sqlmodel import select

from carillon.ledger.connect import Ledger
from carillon.ledger.tables_house import Installation


def installation(ledger: Ledger) -> str:
    """A name made when the ledger was, the same for as long as it lives."""
    with ledger.read() as session:
        return session.exec(select(Installation)).one().id
