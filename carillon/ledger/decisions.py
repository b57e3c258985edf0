"""What a person may decide: pause, resume, cancel, retry, resolve. Each takes the accounts' locks, as the claim does.

So once a decision is written, no claim that contradicts it can be made any more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, select, true

from carillon.ledger import accounts, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import put
from carillon.ledger.owners import Owner, proven_dead
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators, pauses, slots

SETTLE = timedelta(seconds=60)
"""After its lease, a request that nobody finished may still arrive for this long."""

LEVELS = ("campaign", "creator", "platform", "all")
RETRIED = (State.FAILED, State.SKIPPED, State.EXPIRED)
CANCELLED = (State.PLANNED, State.QUEUED, State.HELD, State.PLACED)


class DecisionError(Exception):
    """It cannot be decided so; nothing was changed."""


def pause(ledger: Ledger, level: str, target: str, who: str, reason: str | None) -> None:
    """Once this returns, nothing new is claimed at that level. `target` is empty for `all`."""
    with ledger.write() as connection:
        accounts.lock(connection, _accounts_of(connection, level, target))
        since = ledger.now(connection)
        put(connection, pauses, {"level": level, "target": target}, {"since": since, "who": who, "reason": reason})


def resume(ledger: Ledger, level: str, target: str, who: str) -> bool:
    """Lift the pause of this level; for a creator also its stop. Returns whether there was anything to lift."""
    with ledger.write() as connection:
        ids = _accounts_of(connection, level, target)
        accounts.lock(connection, ids)
        now = ledger.now(connection)
        lifted = connection.execute(delete(pauses).where(pauses.c.level == level, pauses.c.target == target)).rowcount
        if level == "creator":
            lifted += sum(accounts.lift_stop(connection, id_, now, who) for id_ in ids)
        accounts.wake(connection, ids, now)
        return bool(lifted)


def cancel(ledger: Ledger, broadcast_id: int, who: str, reason: str | None) -> bool:
    """Withdraw a broadcast that is planned, queued, held or placed. Raises DecisionError.

    False of one that is placed: a worker must have the platform give it back first.
    """
    with ledger.write() as connection:
        row = _locked(connection, broadcast_id)
        note = _note(ledger, connection, who, "cancelled", reason)
        _require(row, CANCELLED, "cancelled")
        if row.state == State.PLACED:
            placing.wish(connection, row, placing.WITHDRAW, {"reason": note.why}, note)
            return False
        _require_closed(connection, row, note.at)
        unchanged = version_of(row.id, row.version)
        move(connection, unchanged, State(row.state), State.CANCELLED, note, reason=note.why)
        return True


def retry(ledger: Ledger, broadcast_id: int, again: Mapping[str, Any], who: str, reason: str | None) -> None:
    """Plan a failed, skipped or expired broadcast again, due at once.

    `again` holds columns that are frozen anew, such as its content; empty, it goes as it was. Raises DecisionError.
    """
    with ledger.write() as connection:
        row = _locked(connection, broadcast_id)
        note = _note(ledger, connection, who, "retried", reason)
        _require(row, RETRIED, "retried")
        if connection.scalar(
            select(exists().where(attempts.c.broadcast_id == row.id, attempts.c.verdict == "accepted"))
        ):
            raise DecisionError(f"broadcast {row.id} was accepted by the platform once; send a new one instead")
        _plan_now(connection, row, note, again)


def resolve(ledger: Ledger, broadcast_id: int, *, sent: bool, message_id: str | None, who: str, reason: str) -> None:
    """Say of a held broadcast whether it was sent. If not, it goes again, at once. Raises DecisionError."""
    with ledger.write() as connection:
        row = _locked(connection, broadcast_id)
        note = _note(ledger, connection, who, "resolved as sent" if sent else "resolved as not sent", reason)
        _require(row, (State.HELD,), "resolved")
        _require_closed(connection, row, note.at)
        if not sent:
            _give_slots_back(connection, row)
            _plan_now(connection, row, note, {})
            return
        _require_unbound(connection, row, message_id)
        changes: dict[str, Any] = {"platform_message_id": message_id, "delivery": "accepted", "reason": note.why}
        ahead = message_id is not None and row.goes_at is not None and row.goes_at > note.at
        if ahead:
            changes |= {"delivery": None, "hand_off_at": note.at}
        target = State.PLACED if ahead else State.SENT
        move(connection, version_of(row.id, row.version), State.HELD, target, note, **changes)


def _accounts_of(connection: Connection, level: str, target: str) -> list[int]:
    which: ColumnElement[bool] = true()
    if level == "platform":
        which = creators.c.platform == target
    elif level == "creator":
        which = creators.c.key == target
    return list(connection.scalars(select(creators.c.id).where(which)))


def _locked(connection: Connection, broadcast_id: int) -> Row[Any]:
    wanted = select(broadcasts).where(broadcasts.c.id == broadcast_id)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise DecisionError(f"there is no broadcast {broadcast_id}")
    accounts.lock(connection, [row.creator_id])
    return connection.execute(wanted).one()


def _note(ledger: Ledger, connection: Connection, who: str, deed: str, reason: str | None) -> Note:
    return Note(ledger.now(connection), who, f"by_person: {deed}" + (f": {reason}" if reason else ""))


def _require(row: Row[Any], states: Sequence[State], deed: str) -> None:
    if row.state not in states:
        raise DecisionError(f"broadcast {row.id} is {row.state}; only {' or '.join(states)} ones can be {deed}")


def _require_closed(connection: Connection, row: Row[Any], now: datetime) -> None:
    """An attempt is open while it has no verdict, its owner is not proven dead, and lease and settle time last."""
    unfinished = select(attempts).where(attempts.c.broadcast_id == row.id, attempts.c.finished_at.is_(None))
    for attempt in connection.execute(unfinished):
        dead = proven_dead(Owner(attempt.host, attempt.pid, attempt.process_birth))
        if not dead and now < attempt.lease_until + SETTLE:
            until = attempt.lease_until + SETTLE
            raise DecisionError(
                f"broadcast {row.id} is {row.state} and its attempt is still open: "
                f"wait for its answer, at the latest until {until:%H:%M:%S} UTC"
            )


def _require_unbound(connection: Connection, row: Row[Any], message_id: str | None) -> None:
    same = and_(broadcasts.c.creator_id == row.creator_id, broadcasts.c.platform_message_id == message_id)
    other = connection.scalar(select(broadcasts.c.id).where(same)) if message_id else None
    if other is not None:
        raise DecisionError(f"the message {message_id} is broadcast {other} already")


def _give_slots_back(connection: Connection, row: Row[Any]) -> None:
    made = select(attempts.c.id).where(attempts.c.broadcast_id == row.id)
    connection.execute(delete(slots).where(slots.c.attempt_id.in_(made)))


def _plan_now(connection: Connection, row: Row[Any], note: Note, again: Mapping[str, Any]) -> None:
    """What the platform was to send later is placed at once, and is due then as before."""
    lasting = again.get("expires_after", row.expires_after)
    goes_at = row.goes_at if row.goes_at is not None and row.goes_at > note.at else None
    changes = {
        **again,
        "waiting_for": "time",
        "due_at": note.at,
        "goes_at": goes_at,
        "expires_at": (goes_at or note.at) + timedelta(seconds=lasting),
        "reason": None,
        "put_offs": 0,
        "hand_offs": 0,
        "hand_off_at": None,
    }
    move(connection, version_of(row.id, row.version), State(row.state), State.PLANNED, note, **changes)
