"""An alarm while another installation, seen through a shared Redis, sends for accounts of this one."""

import dramatiq
from redis.exceptions import RedisError
from sqlalchemy import select

from carillon.handoff.neighbours import shared
from carillon.ledger import alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.tables import creators

_CAUSE = "two_installations"
_NAMED = 5


def look_for_neighbours(ledger: Ledger, broker: dramatiq.Broker) -> None:
    """Raise it, or clear it. A Redis that is away says nothing."""
    with ledger.read() as session:
        named = select(creators).where(creators.c.enabled, creators.c.account_id.is_not(None))
        rows = session.execute(named).all()
    keys = {f"{row.platform}/{row.account_id}": row.key for row in rows}
    try:
        both = [keys[account] for account in shared(broker, installation(ledger), keys)]
    except RedisError:
        return
    with ledger.write() as connection:
        now = ledger.now(connection)
        if both:
            alarms.sound(connection, _CAUSE, _words(both), now)
        else:
            alarms.clear(connection, _CAUSE, now)


def _words(both: list[str]) -> str:
    named = ", ".join(both[:_NAMED]) + (f" and {len(both) - _NAMED} more" if len(both) > _NAMED else "")
    return (
        f"another installation of Carillon on this Redis sends for the same accounts: {named}; "
        "neither knows what the other has sent: take them out of one of them"
    )
