"""Which accounts are asked what became of their broadcasts, and when: a few at a time, behind all that is sent."""

from datetime import timedelta

import dramatiq

from carillon.handoff.orders import COLLECT, QUEUES, hand_off
from carillon.ledger import tracking
from carillon.ledger.connect import Ledger
from scheduler.rescue import Reminders

MOST_BEGUN = 200
"""Broadcasts that begin to be tracked in one transaction."""

MOST_ORDERS = 20
"""For each platform and beat: what is to be sent stands behind no more than these on the queue."""

_AGAIN = timedelta(seconds=30)
"""After so long an order that nobody carried out is given again."""


def collect(ledger: Ledger, broker: dramatiq.Broker, reminders: Reminders) -> list[int]:
    """Begin to track what was sent, and have workers ask about what is due; returns the accounts."""
    with ledger.write() as connection:
        now = ledger.now(connection)
        tracking.begin(connection, now, MOST_BEGUN)
        tracking.let_wait(connection, now)
    ordered: list[int] = []
    for platform in QUEUES:
        with ledger.read() as session:
            due = tracking.due_accounts(session.connection(), platform, now, MOST_ORDERS)
        fresh = reminders.due(COLLECT, [(id_, platform) for id_ in due], now, _AGAIN)
        ordered += hand_off(broker, COLLECT, fresh)
    return ordered
