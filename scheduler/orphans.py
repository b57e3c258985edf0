"""Orders that went down with a worker, a scheduler or the queue: they need not wait for the sweep's half minute."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import among
from carillon.ledger.owners import Owner, proven_dead
from carillon.ledger.states import State
from carillon.ledger.tables import attempts, broadcasts

_LATEST = 1000
_MOST_HAND_OFFS = 3
"""Workers that die one after the other, perhaps of one order, do not have all orders given for ever."""


class Orphans:
    """As one scheduler sees them, which can prove the end of workers on its own host alone."""

    def __init__(self) -> None:
        self._ended: set[Owner] = set()
        self._in_doubt = True  # what was before its own start it cannot tell

    def doubt(self) -> None:
        """Said when the queue is there again: nobody knows what it has kept."""
        self._in_doubt = True

    def look(self, ledger: Ledger) -> None:
        """If anybody has ended, have the next sweep hand off whatever stands `queued`: nobody knows what they had."""
        before, self._ended = self._ended, _ended_owners(ledger)
        self._in_doubt |= not self._ended <= before
        if self._in_doubt:
            self._in_doubt = False
            try:
                _hand_off_soon(ledger)
            except SQLAlchemyError:
                self._in_doubt = True
                raise


def _ended_owners(ledger: Ledger) -> set[Owner]:
    with ledger.read() as session:
        owners = {Owner(*row) for row in session.execute(_latest_owners())}
    return {owner for owner in owners if proven_dead(owner)}


def _hand_off_soon(ledger: Ledger) -> None:
    """What somebody else holds at this moment is being taken."""
    lost_perhaps = (broadcasts.c.state == State.QUEUED, broadcasts.c.hand_offs < _MOST_HAND_OFFS)
    with ledger.write() as connection:
        free = select(broadcasts.c.id).where(*lost_perhaps).with_for_update(skip_locked=True)
        these = among(connection, broadcasts.c.id, list(connection.scalars(free)))
        connection.execute(update(broadcasts).where(these).values(hand_off_at=broadcasts.c.state_since))


def _latest_owners() -> Any:
    latest = select(attempts.c.host, attempts.c.pid, attempts.c.process_birth).order_by(attempts.c.id.desc())
    return select(latest.limit(_LATEST).subquery()).distinct()
