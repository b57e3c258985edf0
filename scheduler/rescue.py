"""What a dead worker left: `sending` becomes `unknown` (never straight back), and what is unknown is to be settled."""

from typing import Any

import dramatiq
from sqlalchemy import Row, and_, select

from carillon.handoff.orders import RECHECK, RECONCILE, hand_off
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.owners import Owner, proven_dead
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import attempts, broadcasts, creators


def rescue(ledger: Ledger, broker: dramatiq.Broker, who: str) -> list[int]:
    """Find attempts whose owner is dead, or whose lease is over; order the look at all that is unknown."""
    with ledger.read() as session:
        open_ones = list(session.execute(_open_attempts()))
        unknown = list(session.execute(_in_doubt()))
        now = ledger.now(session.connection())
    left = [row for row in open_ones if proven_dead(_owner(row)) or row.lease_until <= now]
    moved = [id_ for row in left for id_ in _give_up(ledger, row, who)]
    settle = {row.id: row.platform for row in unknown} | {row.id: row.platform for row in left if row.id in moved}
    hand_off(broker, RECONCILE, settle.items())
    return moved


def recheck_stopped(ledger: Ledger, broker: dramatiq.Broker) -> None:
    """Have workers, who hold the credentials, see whether those of stopped creators read differently now."""
    with ledger.read() as session:
        stopped = select(creators.c.id, creators.c.platform).where(creators.c.stopped_at.is_not(None))
        hand_off(broker, RECHECK, [(row.id, row.platform) for row in session.execute(stopped)])


def _open_attempts() -> Any:
    return (
        select(broadcasts, attempts.c.host, attempts.c.pid, attempts.c.process_birth, attempts.c.lease_until)
        .join(
            attempts,
            and_(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.number == broadcasts.c.attempts),
        )
        .where(broadcasts.c.state == State.SENDING)
    )


def _in_doubt() -> Any:
    return select(broadcasts.c.id, broadcasts.c.platform).where(broadcasts.c.state == State.UNKNOWN)


def _owner(row: Row[Any]) -> Owner:
    return Owner(row.host, row.pid, row.process_birth)


def _give_up(ledger: Ledger, row: Row[Any], who: str) -> list[int]:
    how = "died" if proven_dead(_owner(row)) else "let its lease run out"
    reason = f"unknown_outcome: its worker {row.host}:{row.pid} {how} in the middle of attempt {row.attempts}"
    with ledger.write() as connection:
        accounts.lock(connection, [row.creator_id])
        note = Note(ledger.now(connection), who, reason)
        unchanged = version_of(row.id, row.version)
        return move(connection, unchanged, State.SENDING, State.UNKNOWN, note, reason=reason)
