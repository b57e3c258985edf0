"""Which held broadcast a purchase proves to have been sent, on a platform that cannot be asked what it has taken.

FrontRow names the mass message in its purchases (`massMessageId`, "Purchase Received" of its reference), and shows no
messages: a buyer is the only one who can tell that a broadcast whose answer was lost went out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from carillon.ledger.states import State
from carillon.ledger.tables import attempts, broadcasts
from carillon.ledger.tables_results import sales
from carillon.platforms.contract import Content

_UNNAMED = (State.SENDING, State.UNKNOWN, State.SENT, State.HELD)
_UNDER_WAY = (State.SENDING, State.UNKNOWN)
_DOUBT = "unknown_outcome"


@dataclass(frozen=True)
class Candidate:
    """A broadcast that may have been taken and has no message's id, and the attempt by which."""

    broadcast_id: int
    version: int
    state: str
    content: Content
    attempt_id: int
    started_at: datetime


@dataclass(frozen=True)
class Several:
    """A person must say which of these it is."""

    broadcast_ids: Sequence[int]


def confirmed(candidates: Sequence[Candidate], amount_cents: int | None) -> Candidate | Several | None:
    """One that is held, if the message can be no other's; a free one sells nothing, and each has its own price.

    While another is under way nothing is said: its answer will have the id, or the next purchase tells.
    """
    able = [one for one in candidates if one.content.price_cents and amount_cents in {None, one.content.price_cents}]
    held = [one for one in able if one.state == State.HELD]
    if not held or any(one.state in _UNDER_WAY for one in able):
        return None
    return held[0] if len(able) == 1 else Several([one.broadcast_id for one in able])


def first_sold(connection: Connection, creator_id: int, message_id: str, at: datetime) -> datetime:
    """`at`, or when the message sold before: what was tried only after that is another one."""
    same = (sales.c.creator_id == creator_id, sales.c.message_id == message_id, sales.c.broadcast_id.is_(None))
    before: datetime | None = connection.scalar(select(func.min(sales.c.at)).where(*same))
    return at if before is None else min(at, before)


def candidates(connection: Connection, creator_id: int, before: datetime) -> list[Candidate]:
    """Those of the account whose latest attempt began before that, oldest first."""
    latest = and_(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.number == broadcasts.c.attempts)
    chosen = (
        select(broadcasts, attempts.c.id.label("attempt_id"), attempts.c.started_at)
        .join(attempts, latest)
        .where(
            broadcasts.c.creator_id == creator_id,
            broadcasts.c.platform_message_id.is_(None),
            broadcasts.c.state.in_(_UNNAMED),
            or_(broadcasts.c.state != State.HELD, broadcasts.c.reason.startswith(_DOUBT)),
            attempts.c.started_at < before,
        )
    )
    return [_candidate(row) for row in connection.execute(chosen.order_by(broadcasts.c.id))]


def _candidate(row: Row[Any]) -> Candidate:
    content = Content.model_validate_json(row.content)
    return Candidate(row.id, row.version, row.state, content, row.attempt_id, row.started_at)
