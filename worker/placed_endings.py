"""What a look at a placed broadcast does to the ledger: state, slot, event and alarms, in one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from carillon.clock import rfc3339_seconds
from carillon.ledger import accounts, alarms, placing
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts, cursors
from carillon.platforms.contract import Content, Shown
from worker.record import alarm_bad_delivery
from worker.standing import SETTLED, drift, next_look, sent_at, standing
from worker.wishes import Done, Placed

_SOON = timedelta(seconds=3)
_REFUSED_AGAIN = timedelta(minutes=1)
_ENDED: Mapping[str, Any] = {"wish": None, "wished": None, "hand_off_at": None}


def settle(placed: Placed, shown: Shown | None, done: Done) -> str:
    """Returns what was found, in a word."""
    with accounts.held(placed.means.ledger, [placed.row.creator_id]) as (connection, now):
        note = Note(now, placed.means.who, "")
        match standing(shown, placed.row.goes_at, now):
            case "sent":
                assert shown is not None
                return _sent(connection, placed, shown, note)
            case "gone":
                return _gone(connection, placed, done, note)
            case _:
                assert shown is not None
                return _scheduled(connection, placed, shown, done, note)


def _sent(connection: Connection, placed: Placed, shown: Shown, note: Note) -> str:
    row, at = placed.row, min(note.at, sent_at(shown, placed.row.goes_at))
    reason = "error_after_accept: the platform shows an error" if shown.delivery == "error" else None
    changes = {
        "sent_at": at,
        "recipient_count": row.recipient_count if shown.recipient_count is None else shown.recipient_count,
        "delivery": shown.delivery,
        "reason": reason,
    }
    words = _and_too_late(placed, f"the platform has sent it, at {rfc3339_seconds(at)}")
    if move(connection, placing.taken_up(row), State.PLACED, State.SENT, _saying(note, words), **changes, **_ENDED):
        placing.end_slot(connection, row, at, note.at)
        _tell_too_late(connection, placed, note)
        _tell_late_drift(connection, placed, shown, note)
        _clear(connection, row, note)
        alarm_bad_delivery(connection, row, reason, note.at)
    return "sent"


def _gone(connection: Connection, placed: Placed, done: Done, note: Note) -> str:
    row = placed.row
    if done.in_place or (placed.wished.get("tried") and not done.deleting):
        return _in_doubt(connection, placed, note)
    if row.wish == placing.REPLACE and note.at < row.goes_at:
        return _plan_again(connection, placed, note)
    if row.wish == placing.WITHDRAW:
        return _cancel(connection, placed, placed.wished["reason"], note)
    if row.goes_at <= note.at < row.goes_at + SETTLED:
        _look_again(connection, placed, note.at + _SOON)
        return "gone, maybe for a moment"
    reason = "removed: the platform's own scheduler has it no more, and Carillon did not withdraw it"
    told = _cancel(connection, placed, reason, note)
    message = f"broadcast {row.id} of {row.campaign} for {row.creator} will not go: {reason}"
    alarms.say_once(connection, f"gone:{row.id}", message, note.at, row.id, row.creator_id)
    return told


def _in_doubt(connection: Connection, placed: Placed, note: Note) -> str:
    """It was replaced, or somebody deleted it: it may be there under another id. So it is looked up like others."""
    row, reason = placed.row, "unknown_outcome: it was being replaced, and is gone under the id that it had"
    columns = _columns(placed.wished.get("tried") or placed.wished["columns"])
    changes = {**columns, **_ENDED, "platform_message_id": None, "reason": reason, "due_at": row.due_at}
    if move(connection, placing.taken_up(row), State.PLACED, State.UNKNOWN, _saying(note, reason), **changes):
        _clear(connection, row, note)
        of_it = (cursors.c.campaign == row.campaign, cursors.c.creator_id == row.creator_id)
        connection.execute(update(cursors).where(*of_it).values(edited=True))  # what was wished since is wished anew
    return "gone, in doubt"


def _plan_again(connection: Connection, placed: Placed, note: Note) -> str:
    changes = {
        **_columns(placed.wished["columns"]),
        **placing.NOT_TAKEN,
        "waiting_for": "time",
        "due_at": note.at,
        "put_offs": 0,
        "hand_offs": 0,
        "hand_off_at": None,
    }
    row, why = placed.row, _saying(note, f"withdrawn to be placed anew: {placed.wished['why']}")
    if move(connection, placing.taken_up(row), State.PLACED, State.PLANNED, why, **changes):
        _give_back(connection, placed)
        _clear(connection, row, note)
    return "gone, to be placed anew"


def _cancel(connection: Connection, placed: Placed, reason: str, note: Note) -> str:
    row = placed.row
    unchanged = placing.taken_up(row)
    if move(connection, unchanged, State.PLACED, State.CANCELLED, _saying(note, reason), reason=reason, **_ENDED):
        if note.at < row.goes_at:
            _give_back(connection, placed)
        _clear(connection, row, note)
    return "gone"


def _give_back(connection: Connection, placed: Placed) -> None:
    """Nothing was sent: the slot is free, and its attempt is not one that was accepted any more."""
    placing.give_back(connection, placed.row)
    of_it = attempts.c.id.in_(placing.last_attempt(placed.row))
    connection.execute(update(attempts).where(of_it).values(verdict="withdrawn"))


def _scheduled(connection: Connection, placed: Placed, shown: Shown, done: Done, note: Note) -> str:
    row = placed.row
    if row.wish == placing.REPLACE and _is_replaced(placed, shown, done):
        return _replaced(connection, placed, note)
    if row.wish and note.at >= row.goes_at:
        words = _and_too_late(placed, "the platform still has it in its scheduler")
        later = next_look(row.goes_at, note.at)
        placing.change(connection, row, _saying(note, words), wish=None, wished=None, hand_off_at=later)
        _tell_too_late(connection, placed, note)
        return "scheduled, too late for what was wished"
    if row.wish:
        if done.refused:
            tell_not_done(connection, placed, done.refused, note.at)
        _look_again(connection, placed, note.at + (_REFUSED_AGAIN if done.refused else _SOON))
        return "scheduled, not yet as wished"
    _tell_drift(connection, placed, shown, note)
    _look_again(connection, placed, next_look(row.goes_at, note.at))
    return "scheduled"


def _is_replaced(placed: Placed, shown: Shown, done: Done) -> bool:
    """The platform said so; or, where its answer was lost, shows what was wished and not what it had."""
    if done.in_place and done.answered:
        return True
    tried = done.in_place or placed.wished.get("tried")
    old = Content.model_validate_json(placed.row.content)
    goes_at = placed.row.goes_at
    same = not drift(placed.wished_content, goes_at, shown)
    return bool(tried and not done.refused and same and drift(old, goes_at, shown))


def _replaced(connection: Connection, placed: Placed, note: Note) -> str:
    id_ = {"platform_message_id": placed.message_id} if placed.message_id else {}
    columns = {**_columns(placed.wished["columns"]), "due_at": placed.row.due_at}
    why = _saying(note, f"replaced on the platform: {placed.wished['why']}")
    if placing.change(connection, placed.row, why, **columns, **id_, **{**_ENDED, "hand_off_at": note.at + _SOON}):
        _clear(connection, placed.row, note)
    return "replaced"


def _columns(told: Mapping[str, Any]) -> dict[str, Any]:
    instants = ("goes_at", "due_at", "expires_at")
    return {name: datetime.fromisoformat(value) if name in instants else value for name, value in told.items()}


def tell_not_done(connection: Connection, placed: Placed, why: str, now: datetime) -> None:
    """What is wished of it waits for a person."""
    row, deed = placed.row, "changed" if placed.row.wish == placing.REPLACE else "withdrawn"
    words = f"broadcast {row.id} of {row.campaign} for {row.creator} is not {deed} on the platform: {why}"
    alarms.sound(connection, f"wish:{row.id}", words, now, broadcast_id=row.id, creator_id=row.creator_id)


def _tell_drift(connection: Connection, placed: Placed, shown: Shown, note: Note) -> None:
    row, cause = placed.row, f"drift:{placed.row.id}"
    differs = drift(Content.model_validate_json(row.content), row.goes_at, shown)
    elsewhen = shown.scheduled_at if "time" in differs else None
    placing.move_slot(connection, row, elsewhen or row.goes_at)
    if not differs:
        alarms.clear(connection, cause, note.at)
        return
    about = f"broadcast {row.id} of {row.campaign} for {row.creator}"
    words = f"{about} was changed on the platform by somebody else: other {', '.join(differs)}; it goes as it is there"
    alarms.sound(connection, cause, words, note.at, broadcast_id=row.id, creator_id=row.creator_id)


def _tell_late_drift(connection: Connection, placed: Placed, shown: Shown, note: Note) -> None:
    """It was changed after the last look before it went, and nobody has been told yet."""
    row, cause = placed.row, f"drift:{placed.row.id}"
    differs = drift(Content.model_validate_json(row.content), row.goes_at, shown)
    said = [part for part in differs if part not in ("time", "delivery")]
    if said and cause not in alarms.open_causes(connection, cause):
        words = f"went out as somebody else had changed it on the platform: other {', '.join(said)}"
        message = f"broadcast {row.id} of {row.campaign} for {row.creator} {words}"
        alarms.say_once(connection, cause, message, note.at, row.id, row.creator_id)


def _tell_too_late(connection: Connection, placed: Placed, note: Note) -> None:
    row = placed.row
    if row.wish:
        message = f"broadcast {row.id} of {row.campaign} for {row.creator}: {_and_too_late(placed, 'it was due')}"
        alarms.say_once(connection, f"wish:{row.id}", message, note.at, row.id, row.creator_id)


def _and_too_late(placed: Placed, words: str) -> str:
    if not placed.row.wish:
        return words
    deed = "change it" if placed.row.wish == placing.REPLACE else "withdraw it"
    return f"{words}; too late to {deed} ({placed.wished.get('reason') or placed.wished.get('why')})"


def _clear(connection: Connection, row: Any, note: Note) -> None:
    alarms.clear_all(connection, [f"drift:{row.id}", f"wish:{row.id}"], note.at)


def _look_again(connection: Connection, placed: Placed, at: datetime) -> None:
    connection.execute(update(broadcasts).where(placing.taken_up(placed.row)).values(hand_off_at=at))


def _saying(note: Note, why: str) -> Note:
    return Note(note.at, note.who, why)
