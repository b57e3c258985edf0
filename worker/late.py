"""An answer that comes after others had decided: what it may still change, and whom it must be told."""

from sqlalchemy import Connection, select

from carillon.ledger import alarms, placing
from carillon.ledger.inserts import insert_new
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts, slots
from worker.claim import Claim, Subject
from worker.verdict import Verdict


def tell_late(connection: Connection, row: Subject, claim: Claim, verdict: Verdict, note: Note) -> None:
    """An answer after others had decided. If it was accepted after all, nothing may be sent for it again."""
    if verdict.state is State.UNKNOWN or _says_the_same(connection, row, verdict):
        return
    message = f"broadcast {row.id}: an answer came after its outcome was decided: {verdict.name}: {verdict.words}"
    alarms.say_once(connection, f"late:{row.id}", message, note.at, row.id, row.creator_id)
    if verdict.receipt is None:
        return
    slot = {"attempt_id": claim.attempt_id, "creator_id": row.creator_id, "taken_at": note.at, "ended_at": note.at}
    if verdict.state is State.PLACED and row.goes_at is not None:
        slot |= placing.slot_times(row.goes_at, placing.window_of(connection, row.creator_id))
    connection.execute(insert_new(connection, slots, [slot]))
    reason = f"unknown_outcome: attempt {claim.number} was accepted, late: {verdict.words}"
    for source in (State.PLANNED, State.QUEUED):
        move(connection, broadcasts.c.id == row.id, source, State.HELD, note, reason=reason)


def hold_if_taken(connection: Connection, broadcast_id: int, attempt_id: int, note: Note) -> None:
    """An earlier attempt that was accepted, as its answer told while this one was on its way, was the last."""
    begun_at = select(attempts.c.started_at).where(attempts.c.id == attempt_id).scalar_subquery()
    late = (attempts.c.verdict == "accepted", attempts.c.finished_at >= begun_at, attempts.c.id != attempt_id)
    number = connection.scalar(select(attempts.c.number).where(attempts.c.broadcast_id == broadcast_id, *late))
    if number is not None:
        reason = f"unknown_outcome: attempt {number} was accepted, late"
        told = Note(note.at, note.who, reason)
        move(connection, broadcasts.c.id == broadcast_id, State.PLANNED, State.HELD, told, reason=reason)


def _says_the_same(connection: Connection, row: Subject, verdict: Verdict) -> bool:
    """A look-up found the very message that the answer names."""
    this_one = broadcasts.c.id == row.id
    found = connection.execute(select(broadcasts.c.state, broadcasts.c.platform_message_id).where(this_one)).one()
    told = verdict.receipt.message_id if verdict.receipt else None
    taken = found.state in {State.SENT, State.PLACED}
    return verdict.receipt is not None and taken and told in {None, found.platform_message_id}
