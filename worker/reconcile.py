"""What becomes of a broadcast whose outcome nobody knows: a person decides, since a resend could reach fans twice."""

from carillon.ledger import accounts
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts
from worker.means import Means


def reconcile(means: Means, broadcast_id: int) -> None:
    """Hold it, with the slot it took: unknown counts as sent."""
    this_one = broadcasts.c.id == broadcast_id
    with means.ledger.write() as connection:
        accounts.lock_of(connection, this_one)
        note = Note(means.ledger.now(connection), means.who, "the outcome is unknown: a person must decide")
        move(connection, this_one, State.UNKNOWN, State.HELD, note)
    means.nudge()
