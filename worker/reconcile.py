"""What becomes of a broadcast whose outcome nobody knows: a person decides, since a resend could reach fans twice."""

from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts
from worker.means import Means


def reconcile(means: Means, broadcast_id: int) -> None:
    """Hold it, with the slot it took: unknown counts as sent."""
    with means.ledger.write() as connection:
        note = Note(means.ledger.now(connection), means.who, "the outcome is unknown: a person must decide")
        move(connection, broadcasts.c.id == broadcast_id, State.UNKNOWN, State.HELD, note)
    means.nudge()
