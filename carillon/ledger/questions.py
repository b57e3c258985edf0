"""What the ledger is asked about broadcasts: which there are, and what each waits for.

Instants go out as RFC 3339 text, ids as text; every key is always there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, true

from carillon import clock
from carillon.ledger import allowance
from carillon.ledger.allowance import Standing, Wait
from carillon.ledger.placing import DUE
from carillon.ledger.states import State
from carillon.ledger.tables import alarms, broadcasts, catalogues, creators

_OF_ITS_OWN = ("retry", "media", "approval", "canary")
_UNDER_WAY = (State.QUEUED, State.SENDING, State.UNKNOWN)
_LISTED = [column for column in broadcasts.c if column.name != "content"]


@dataclass(frozen=True)
class Wanted:
    """Which broadcasts; what is empty does not narrow. `since` and `until` bound when it is due, both included."""

    campaigns: Collection[str] = ()
    creators: Collection[str] = ()
    platforms: Collection[str] = ()
    states: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    needs_person: bool = False

    def condition(self) -> ColumnElement[bool]:
        bounds = [
            *(broadcasts.c[name].in_(words) for name, words in self._words() if words),
            *([self.since <= DUE] if self.since else []),
            *([self.until >= DUE] if self.until else []),
            *([needs_person()] if self.needs_person else []),
        ]
        return and_(true(), *bounds)

    def _words(self) -> Sequence[tuple[str, Collection[str]]]:
        return (
            ("campaign", self.campaigns),
            ("creator", self.creators),
            ("platform", self.platforms),
            ("state", self.states),
        )


@dataclass(frozen=True)
class Around:
    """What, beside its own row, a broadcast of one account may wait for.

    `queued` counts what the account has on the queue; `first_active` is, by campaign, the due time of the
    first that is due and has not ended.
    """

    standing: Standing
    queued: int
    first_active: Mapping[str, datetime]


def needs_person() -> ColumnElement[bool]:
    """Held, with an open alarm, or turned away with its creator, which is stopped."""
    open_alarm = exists().where(alarms.c.broadcast_id == broadcasts.c.id, alarms.c.cleared_at.is_(None))
    stopped = exists().where(creators.c.id == broadcasts.c.creator_id, creators.c.stopped_at.is_not(None))
    waits = and_(broadcasts.c.state == State.PLANNED, broadcasts.c.waiting_for == "creator", stopped)
    return or_(broadcasts.c.state == State.HELD, open_alarm, waits)


def wait_of(row: Row[Any], around: Around) -> Wait | None:
    """What a broadcast waits for now; None if it is not planned, or if nothing holds it."""
    now = around.standing.now
    if row.state != State.PLANNED:
        return None
    if row.due_at > now:
        return Wait("time")
    own = Wait(row.waiting_for, row.not_before) if row.not_before and row.not_before > now else None
    if own and own.cause in _OF_ITS_OWN:
        return own
    first = around.first_active.get(row.campaign) if row.kind != "send" and row.goes_at is None else None
    if first is not None and first < row.due_at:
        return Wait("overlap")
    standing = around.standing.wait(row.campaign)
    if standing is None and around.standing.free <= around.queued:
        return Wait("limit", around.standing.more_at)
    return standing or own


def waits(connection: Connection, rows: Collection[Row[Any]], now: datetime) -> dict[int, Wait]:
    """By id, what those of these broadcasts wait for that are planned and held by something."""
    planned = [row for row in rows if row.state == State.PLANNED]
    due = {row.creator_id for row in planned if row.due_at <= now}
    surroundings = _surroundings(connection, due, now)
    found = {row.id: Wait("time") for row in planned if row.due_at > now}
    for row in planned:
        wait = wait_of(row, surroundings[row.creator_id]) if row.due_at <= now else None
        if wait:
            found[row.id] = wait
    return found


def _surroundings(connection: Connection, creator_ids: Collection[int], now: datetime) -> dict[int, Around]:
    if not creator_ids:
        return {}
    accounts = allowance.accounts(connection, creators.c.id.in_(creator_ids))
    of_them = broadcasts.c.creator_id.in_(creator_ids)
    active = or_(
        broadcasts.c.state.in_(_UNDER_WAY), and_(broadcasts.c.state == State.PLANNED, broadcasts.c.due_at <= now)
    )
    pair = (broadcasts.c.creator_id, broadcasts.c.campaign)
    first: dict[int, dict[str, datetime]] = {}
    oldest = select(*pair, func.min(broadcasts.c.due_at)).where(of_them, active).group_by(*pair)
    for creator_id, campaign, due_at in connection.execute(oldest):
        first.setdefault(creator_id, {})[campaign] = due_at
    on_queue = select(broadcasts.c.creator_id, func.count()).where(of_them, broadcasts.c.state == State.QUEUED)
    queued = {row[0]: row[1] for row in connection.execute(on_queue.group_by(broadcasts.c.creator_id))}
    return {
        id_: Around(standing, queued.get(id_, 0), first.get(id_, {}))
        for id_, standing in allowance.standings(connection, accounts, now).items()
    }


def listed(
    connection: Connection, which: ColumnElement[bool], now: datetime, limit: int | None = None
) -> list[dict[str, Any]]:
    """Broadcasts as `shown`, oldest due first."""
    chosen = select(*_LISTED).where(which).order_by(DUE, broadcasts.c.id).limit(limit)
    rows = connection.execute(chosen).all()
    held_by = waits(connection, rows, now)
    return [shown(row, held_by.get(row.id)) for row in rows]


def shown(row: Row[Any], wait: Wait | None) -> dict[str, Any]:
    """One broadcast in the words of `carillon broadcasts --json`. What is due and held by nothing waits its turn."""
    planned = row.state == State.PLANNED
    return {
        "id": str(row.id),
        "campaign": row.campaign,
        "creator": row.creator,
        "platform": row.platform,
        "occurrence": row.occurrence,
        "due_at": instant(row.goes_at or row.due_at),
        "state": row.state,
        "waiting_for": (wait.cause if wait else "time") if planned else None,
        "not_before": instant(wait.until) if wait else None,
        "expires_at": instant(row.expires_at),
        "reason": row.reason,
        "attempts": row.attempts,
        "platform_message_id": row.platform_message_id,
        "recipient_count": row.recipient_count,
        "sent_at": instant(row.sent_at),
        "delivery": row.delivery,
    }


def instant(at: datetime | None) -> str | None:
    return clock.rfc3339(at) if at else None


def catalogue_content(connection: Connection) -> str | None:
    """What is in force, None if nothing ever was."""
    newest = select(catalogues.c.content).order_by(catalogues.c.generation.desc()).limit(1)
    content: str | None = connection.scalar(newest)
    return content
