"""How accounts and campaigns stand now: slots, cool-downs, stops, pauses, and what goes next."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, true

from carillon.ledger import allowance, credit
from carillon.ledger.allowance import Standing
from carillon.ledger.placing import DUE
from carillon.ledger.questions import instant
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, pauses

_STATES = {"creator": "stopped", "pause": "paused"}


def accounts(connection: Connection, now: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """By platform and account."""
    rows = allowance.accounts(connection, true())
    standings = allowance.standings(connection, rows, now)
    upcoming = {row.creator_id: row for row in connection.execute(_next("creator_id"))}
    credits_ = credit.standing(connection)
    return {
        (row.platform, row.account): {
            **_account(row, standings[row.id], upcoming.get(row.id)),
            **_credits(*credits_.get(row.id, (None, None))),
        }
        for row in rows
    }


def next_due(connection: Connection) -> dict[str, datetime]:
    """By campaign."""
    return {row.campaign: row.due_at for row in connection.execute(_next("campaign"))}


def paused_campaigns(connection: Connection) -> set[str]:
    return set(connection.scalars(select(pauses.c.target).where(pauses.c.level == "campaign")))


def known(connection: Connection, column: str) -> set[str]:
    """Every campaign or creator that ever had a broadcast."""
    return set(connection.scalars(select(broadcasts.c[column]).distinct()))


def _account(row: Row[Any], standing: Standing, upcoming: Row[Any] | None) -> dict[str, Any]:
    cooling = row.cool_down_until if row.cool_down_until and row.cool_down_until > standing.now else None
    return {
        "state": _state(standing),
        "slots_used": standing.used,
        "next_free_slot": instant(standing.frees_next),
        "cool_down_until": instant(cooling),
        "stopped_at": instant(row.stopped_at),
        "stopped_reason": row.stopped_reason,
        "next_broadcast": _broadcast(upcoming) if upcoming else None,
    }


def _credits(used: int | None, left: int | None) -> dict[str, Any]:
    """Of the few platforms that count such."""
    return {"credits_used": used, "credits_left": left}


def _state(standing: Standing) -> str:
    if standing.blocked:
        return _STATES.get(standing.blocked.cause, standing.blocked.cause)
    return "ready" if standing.free else "limit"


def _broadcast(row: Row[Any]) -> dict[str, Any]:
    return {"id": str(row.id), "campaign": row.campaign, "due_at": instant(row.due_at)}


def _next(column: str) -> Any:
    order = (DUE, broadcasts.c.id)
    rank = func.row_number().over(partition_by=broadcasts.c[column], order_by=order).label("rank")
    waiting = broadcasts.c.state.in_((State.PLANNED, State.QUEUED))
    ranked = (
        select(broadcasts.c.id, broadcasts.c.creator_id, broadcasts.c.campaign, DUE.label("due_at"), rank)
        .where(waiting)
        .subquery()
    )
    return select(ranked).where(ranked.c.rank == 1)
