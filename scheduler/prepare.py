"""Shortly before a broadcast is due, a worker is told to ask the platform what its preflight will want to know.

So the broadcast itself leaves at once when it is due, however slowly the platform answers reads.
"""

from datetime import datetime, timedelta

import dramatiq
from sqlalchemy import select

from carillon.handoff.orders import PREPARE, hand_off
from carillon.ledger.connect import Ledger
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts

AHEAD = timedelta(seconds=40)
LASTS = timedelta(seconds=55)
"""A little less than the worker keeps what it was told."""


class Preparations:
    """Which accounts were asked about, and when; forgotten with the process."""

    def __init__(self) -> None:
        self._prepared: dict[int, datetime] = {}

    def order(self, ledger: Ledger, broker: dramatiq.Broker) -> list[int]:
        """Hand off one preparation for each account that will need it; returns the broadcasts they are for."""
        with ledger.read() as session:
            now = ledger.now(session.connection())
            soon = select(broadcasts.c.id, broadcasts.c.creator_id, broadcasts.c.platform, broadcasts.c.due_at).where(
                broadcasts.c.state == State.PLANNED, broadcasts.c.due_at > now, broadcasts.c.due_at <= now + AHEAD
            )
            rows = session.execute(soon.order_by(broadcasts.c.due_at)).all()
        self._prepared = {id_: at for id_, at in self._prepared.items() if now - at < LASTS}
        needed = []
        for row in rows:
            if row.creator_id not in self._prepared or row.due_at - self._prepared[row.creator_id] > LASTS:
                self._prepared[row.creator_id] = now
                needed.append((row.id, row.platform))
        return hand_off(broker, PREPARE, needed)
