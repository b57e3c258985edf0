"""What an edit of the file could send a second time is held for a person.

Either the campaign has already sent to this account on that local day under another revision of its schedule, or a
campaign whose name is gone from the file has sent the same content to the same lists within a day. What a person has
planned again goes.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, update

from carillon.ledger import accounts
from carillon.ledger.inserts import among, day_before
from carillon.ledger.placing import DUE, WITHDRAW
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, events

_REACHED = (State.SENDING, State.UNKNOWN, State.SENT, State.PLACED, State.UNSENT)
_OR_HELD = [literal(state.value, literal_execute=True) for state in (*_REACHED, State.HELD)]
"""Said in the statement itself: two indexes are only for statements that say so, and hold nothing that waits."""

PLANNED_BY_A_PERSON = and_(events.c.target == State.PLANNED, events.c.why.startswith("by_person"))

_DAY = timedelta(days=1)
_AGAIN = timedelta(seconds=5)
_EARLIER = broadcasts.alias("earlier")


def hold_resent(connection: Connection, ids: Collection[int], names: Collection[str], note: Note) -> set[int]:
    """Hold those of these `planned` broadcasts; `names` are the campaigns in force. Returns their ids."""
    if not ids:
        return set()
    found = {**_under_another_name(connection, ids, names), **_under_another_revision(connection, ids)}
    awaited = _under_withdrawal(connection, ids, note) - found.keys()
    for decided in _said_by_a_person(connection, found):
        del found[decided]
    for broadcast_id, words in found.items():
        reason = f"edited_after_send: {words}"
        this_one = broadcasts.c.id == broadcast_id
        move(connection, this_one, State.PLANNED, State.HELD, Note(note.at, note.who, reason), reason=reason)
    return set(found) | awaited


def _under_withdrawal(connection: Connection, ids: Collection[int], note: Note) -> set[int]:
    """Those before which an edit withdraws something from a platform's scheduler: they wait for that to be done."""
    planned, earlier = broadcasts, _EARLIER
    before = and_(earlier.c.creator_id == planned.c.creator_id, _is_withdrawn(earlier), _is_like(planned, earlier))
    found = set(connection.scalars(select(planned.c.id).join(earlier, before).where(_are(connection, planned, ids))))
    if found:
        again = {"waiting_for": "overlap", "not_before": note.at + _AGAIN}
        connection.execute(update(planned).where(among(connection, planned.c.id, found)).values(again))
        whose = select(planned.c.creator_id).where(planned.c.id.in_(found)).distinct()
        accounts.wake(connection, list(connection.scalars(whose)), note.at + _AGAIN)
    return found


def _is_withdrawn(earlier: Any) -> ColumnElement[bool]:
    placed = earlier.c.state == literal(State.PLACED.value, literal_execute=True)
    by_person = earlier.c.wished.startswith('{"reason": "by_person', autoescape=True)
    return and_(placed, earlier.c.wish == WITHDRAW, ~by_person)


def _is_like(planned: Any, earlier: Any) -> ColumnElement[bool]:
    return or_(earlier.c.campaign == planned.c.campaign, earlier.c.content_digest == planned.c.content_digest)


def _said_by_a_person(connection: Connection, ids: Collection[int]) -> set[int]:
    """Those that a person has planned again."""
    said = select(events.c.broadcast_id).where(events.c.broadcast_id.in_(ids), PLANNED_BY_A_PERSON)
    return set(connection.scalars(said)) if ids else set()


def _under_another_revision(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    planned, earlier = broadcasts, _EARLIER
    same_day = (
        select(planned.c.id, earlier.c.id, earlier.c.occurrence, earlier.c.day != planned.c.day)
        .join(
            earlier,
            and_(
                earlier.c.campaign == planned.c.campaign,
                earlier.c.creator_id == planned.c.creator_id,
                or_(earlier.c.day == planned.c.day, and_(earlier.c.kind == "at", planned.c.kind == "at")),
                earlier.c.revision != planned.c.revision,
                earlier.c.kind != "send",
            ),
        )
        .where(_are(connection, planned, ids), _reached(earlier))
    )
    return {
        id_: f"broadcast {other} ({label}) went out {_when(once)}, before the schedule was edited"
        for id_, other, label, once in connection.execute(same_day)
    }


def _when(once: bool) -> str:
    return "that day" if not once else "already"


def _under_another_name(connection: Connection, ids: Collection[int], names: Collection[str]) -> dict[int, str]:
    planned, earlier = broadcasts, _EARLIER
    same_content = (
        select(planned.c.id, DUE, earlier.c.id, earlier.c.campaign, earlier.c.state_since)
        .join(
            earlier,
            and_(
                earlier.c.creator_id == planned.c.creator_id,
                earlier.c.content_digest == planned.c.content_digest,
                earlier.c.campaign != planned.c.campaign,
                earlier.c.state_since >= day_before(connection, DUE),
            ),
        )
        .where(_are(connection, planned, ids), _reached(earlier))
    )
    return {
        id_: f"broadcast {other} of {campaign}, a name that is gone, sent the same to the same lists"
        for id_, due_at, other, campaign, since in connection.execute(same_content)
        if campaign not in names and abs(due_at - since) <= _DAY
    }


def _are(connection: Connection, planned: Any, ids: Collection[int]) -> ColumnElement[bool]:
    """These, but for what a person sends now."""
    return and_(among(connection, planned.c.id, ids), planned.c.kind != "send")


def _reached(earlier: Any) -> Any:
    in_doubt = and_(earlier.c.state == State.HELD, earlier.c.reason.startswith("unknown_outcome"))
    withdrawn = and_(earlier.c.state == State.PLACED, func.coalesce(earlier.c.wish, "") == WITHDRAW)
    return and_(earlier.c.state.in_(_OR_HELD), or_(earlier.c.state.in_(_REACHED), in_doubt), ~withdrawn)
