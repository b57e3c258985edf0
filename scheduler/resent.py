"""What an edit of the file could send a second time is held for a person.

Either the campaign has already sent to this account on that local day under another revision of its schedule, or a
campaign whose name is gone from the file has sent the same content to the same lists within a day. What a person has
planned again goes.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, events

_REACHED = (State.SENDING, State.UNKNOWN, State.SENT, State.PLACED, State.UNSENT)
_DAY = timedelta(days=1)


def hold_resent(connection: Connection, rows: Sequence[Row[Any]], names: Collection[str], note: Note) -> set[int]:
    """Hold those of these `planned` rows; `names` are the campaigns in force. Returns their ids."""
    rows = _unless_a_person_said_so(connection, rows)
    if not rows:
        return set()
    found = {**_under_another_name(connection, rows, names), **_under_another_revision(connection, rows)}
    for broadcast_id, words in found.items():
        reason = f"edited_after_send: {words}"
        this_one = broadcasts.c.id == broadcast_id
        move(connection, this_one, State.PLANNED, State.HELD, Note(note.at, note.who, reason), reason=reason)
    return set(found)


def _unless_a_person_said_so(connection: Connection, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    ids = [row.id for row in rows if row.kind != "send"]
    said = select(events.c.broadcast_id).where(
        events.c.broadcast_id.in_(ids), events.c.target == State.PLANNED, events.c.why.startswith("by_person")
    )
    decided = set(connection.scalars(said)) if ids else set()
    return [row for row in rows if row.id in ids and row.id not in decided]


def _under_another_revision(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, str]:
    planned, earlier = broadcasts, broadcasts.alias("earlier")
    same_day = (
        select(planned.c.id, earlier.c.id, earlier.c.occurrence)
        .join(
            earlier,
            and_(
                earlier.c.campaign == planned.c.campaign,
                earlier.c.creator_id == planned.c.creator_id,
                earlier.c.day == planned.c.day,
                earlier.c.revision != planned.c.revision,
                earlier.c.kind != "send",
            ),
        )
        .where(planned.c.id.in_([row.id for row in rows]), _reached(earlier))
    )
    return {
        id_: f"broadcast {other} ({label}) went out that day, before the schedule was edited"
        for id_, other, label in connection.execute(same_day)
    }


def _under_another_name(connection: Connection, rows: Sequence[Row[Any]], names: Collection[str]) -> dict[int, str]:
    planned, earlier = broadcasts, broadcasts.alias("earlier")
    same_content = (
        select(planned.c.id, planned.c.due_at, earlier.c.id, earlier.c.campaign, earlier.c.state_since)
        .join(
            earlier,
            and_(
                earlier.c.creator_id == planned.c.creator_id,
                earlier.c.content_digest == planned.c.content_digest,
                earlier.c.campaign != planned.c.campaign,
                earlier.c.state_since >= min(row.due_at for row in rows) - _DAY,
            ),
        )
        .where(planned.c.id.in_([row.id for row in rows]), _reached(earlier))
    )
    return {
        id_: f"broadcast {other} of {campaign}, a name that is gone, sent the same to the same lists"
        for id_, due_at, other, campaign, since in connection.execute(same_content)
        if campaign not in names and abs(due_at - since) <= _DAY
    }


def _reached(earlier: Any) -> Any:
    in_doubt = and_(earlier.c.state == State.HELD, earlier.c.reason.startswith("unknown_outcome"))
    return or_(earlier.c.state.in_(_REACHED), in_doubt)
