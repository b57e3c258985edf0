"""What the ending of an unknown outcome does to the ledger: state, attempt, slot and event, in one transaction."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, update

from carillon.ledger import placing
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, slots
from carillon.platforms.contract import Shown
from worker.inquiry import Open
from worker.late import hold_if_taken
from worker.matching import is_ahead
from worker.record import alarm_bad_delivery
from worker.settle import Absent, Doubt, Ending, Found, LookAgain, Resend
from worker.verdict import backoff


def write(connection: Connection, this: Open, ending: Ending, words: str, found: Shown | None, note: Note) -> None:
    """`words` are those of the look, `found` is the message of a `Found`."""
    unchanged = version_of(this.row.id, this.row.version)
    match ending:
        case Found():
            assert found is not None
            _mark(connection, this, "accepted")
            if this.wanted.goes_at and is_ahead(found, this.wanted.goes_at, note.at):
                changes = {**_sent(found), "sent_at": None, "delivery": None, "hand_off_at": note.at}
                move(connection, unchanged, State.UNKNOWN, State.PLACED, note, **changes)
                return
            move(connection, unchanged, State.UNKNOWN, State.SENT, note, **_sent(found))
            if this.wanted.goes_at:
                placing.end_slot(connection, this.row, min(note.at, found.created_at or note.at), note.at)
            alarm_bad_delivery(connection, this.row, _bad_delivery(found), note.at)
        case Absent():
            _mark(connection, this, "absent")
            connection.execute(delete(slots).where(slots.c.attempt_id == this.attempt.id))
            _plan_again(connection, this, note)
        case Resend():
            _mark(connection, this, "resent")
            _plan_again(connection, this, note)
        case Doubt(why):
            reason = f"{this.row.reason or 'unknown_outcome: nobody saw its end'}; {why}{_in_brackets(words)}"
            move(connection, unchanged, State.UNKNOWN, State.HELD, note, reason=reason)
        case LookAgain(at):
            connection.execute(update(broadcasts).where(unchanged).values(hand_off_at=at))


def why(ending: Ending, words: str) -> str:
    match ending:
        case Found(message_id):
            return f"looked up: the platform has taken it, as {message_id}"
        case Absent():
            return f"looked up: the platform has surely not taken it{_in_brackets(words)}"
        case Resend():
            return f"looked up, and sent once more, as the campaign says{_in_brackets(words)}"
        case Doubt(doubt):
            return f"looked up: {doubt}{_in_brackets(words)}: a person must decide"
        case LookAgain():
            return words


def _in_brackets(words: str) -> str:
    return f" ({words})" if words else ""


def _mark(connection: Connection, this: Open, verdict: str) -> None:
    connection.execute(update(attempts).where(attempts.c.id == this.attempt.id).values(verdict=verdict))


def _sent(message: Shown) -> dict[str, Any]:
    return {
        "platform_message_id": message.id,
        "recipient_count": message.recipient_count,
        "sent_at": message.created_at,
        "delivery": message.delivery,
        "reason": _bad_delivery(message),
    }


def _bad_delivery(message: Shown) -> str | None:
    bad = message.delivery in {"error", "cancelled"}
    return f"error_after_accept: the platform shows it as {message.delivery}" if bad else None


def _plan_again(connection: Connection, this: Open, note: Note) -> None:
    row = this.row
    changes = {
        "waiting_for": "retry",
        "not_before": note.at + timedelta(seconds=backoff(row.put_offs)),
        "put_offs": row.put_offs + 1,
        "reason": None,
        "hand_offs": 0,
        "hand_off_at": None,
    }
    move(connection, version_of(row.id, row.version), State.UNKNOWN, State.PLANNED, note, **changes)
    hold_if_taken(connection, row.id, this.attempt.id, note)
