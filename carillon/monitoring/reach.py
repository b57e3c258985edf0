"""Can the servers that a process stands on be reached now?"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from carillon.ledger.connect import Ledger
from carillon.ledger.prepared import Prepared

_PROOF = {embedded: Prepared(select(1), embedded=embedded) for embedded in (False, True)}


def unreachable(ledger: Ledger, broker: dramatiq.Broker) -> list[str]:
    """One sentence for each that cannot; within their own time-outs."""
    return [*_ledger(ledger), *_queue(broker)]


def _ledger(ledger: Ledger) -> list[str]:
    try:
        with ledger.read() as session:
            session.scalar(select(1))
    except SQLAlchemyError as error:
        return [f"the ledger cannot be used ({type(error).__name__})"]
    return []


def _queue(broker: dramatiq.Broker) -> list[str]:
    if not isinstance(broker, RedisBroker):
        return []
    try:
        broker.client.ping()
    except RedisError as error:
        return [f"the queue cannot be used ({type(error).__name__})"]
    return []
