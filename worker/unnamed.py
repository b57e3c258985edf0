"""A broadcast that was placed, and whose answer named no message: it is looked for among all that the platform has."""

from datetime import timedelta

from sqlalchemy import select, update

from carillon.ledger import accounts, alarms, placing
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts
from carillon.platforms.contract import Content, Shown
from worker.inquiry import bound_among
from worker.matching import Wanted, may_be
from worker.standing import next_look
from worker.wishes import Placed

_LOOK_BACK = timedelta(hours=1)
_GIVEN_UP = timedelta(minutes=2)


def settle(placed: Placed) -> None:
    """Bind the one message that is surely it; else a person is told, and it counts as sent once it was due."""
    row = placed.row
    with placed.means.ledger.read() as session:
        attempt = session.execute(select(attempts).where(attempts.c.id.in_(placing.last_attempt(row)))).one()
    wanted = Wanted(
        content=Content.model_validate_json(row.content),
        started_at=attempt.started_at,
        ended_at=attempt.finished_at or attempt.lease_until,
        baseline=None,
        goes_at=row.goes_at,
    )
    shown = placed.platform.shown(placed.caller, placed.whose, attempt.started_at - _LOOK_BACK)
    _bind(placed, [one for one in shown if may_be(wanted, one)])


def _bind(placed: Placed, found: list[Shown]) -> None:
    row = placed.row
    with accounts.held(placed.means.ledger, [row.creator_id]) as (connection, now):
        taken = bound_among(connection, row.creator_id, [one.id for one in found])
        ids = [one.id for one in found if one.id not in taken]
        if len(ids) == 1:
            note = Note(now, placed.means.who, f"found on the platform, as {ids[0]}")
            placing.change(connection, row, note, platform_message_id=ids[0], hand_off_at=now)
            alarms.clear(connection, f"drift:{row.id}", now)
            return
        if now >= row.goes_at + _GIVEN_UP:
            note = Note(now, placed.means.who, "it was placed without an id, and must have gone when it was due")
            changes = {"sent_at": row.goes_at, "delivery": "accepted", "wish": None, "wished": None}
            move(connection, placing.taken_up(row), State.PLACED, State.SENT, note, **changes, hand_off_at=None)
            alarms.clear_all(connection, [f"drift:{row.id}", f"wish:{row.id}"], now)
            return
        words = f"broadcast {row.id} was placed without an id, and cannot be told from others: see the platform's page"
        alarms.sound(connection, f"drift:{row.id}", words, now, broadcast_id=row.id, creator_id=row.creator_id)
        again = update(broadcasts).where(placing.taken_up(row))
        connection.execute(again.values(hand_off_at=next_look(row.goes_at, now)))
