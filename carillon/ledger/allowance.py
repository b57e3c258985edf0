"""May this account send now, and if not, what for and until when does it wait? The hourly limit is decided here.

At most N broadcasts in any window: an exact log of slots. A slot counts until one window after its request ended.
The scheduler asks before it releases, the worker asks again under the account's lock, the console asks to explain.
"""

import operator
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, FromClause, Row, and_, exists, func, literal, or_, select, union_all

from carillon.ledger import placing
from carillon.ledger.inserts import among
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators, pauses, slots
from carillon.quiet_hours import QuietHours


@dataclass(frozen=True)
class Wait:
    """`cause` is one of `states.WAITS`; `until` is None where only a person or an answer ends it."""

    cause: str
    until: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """What one account may do at `now`. `more_at` is when one slot more is free than now, None if all are."""

    now: datetime
    blocked: Wait | None
    free: int
    more_at: datetime | None
    used: int
    paused_campaigns: frozenset[str]

    @property
    def frees_next(self) -> datetime | None:
        """When the next slot frees; None while one is free."""
        return None if self.free > 0 else self.more_at

    def wait(self, campaign: str) -> Wait | None:
        """What a broadcast of this campaign that is due waits for; None if it may go."""
        if self.blocked:
            return self.blocked
        if campaign in self.paused_campaigns:
            return Wait("pause")
        return Wait("limit", self.frees_next) if self.free <= 0 else None


@dataclass(frozen=True)
class Paused:
    """What a person holds: `accounts` as (level, target), and campaigns by name."""

    accounts: set[tuple[str, str]]
    campaigns: frozenset[str]


def free_slots(limit: int, window: timedelta, ends: Iterable[datetime], now: datetime) -> tuple[int, datetime | None]:
    """How many slots are free, and when there is one more; None if all are free.

    `ends` are the ends of requests. One that ended exactly a window ago is free: the platform took it earlier.
    """
    live = sorted(end + window for end in ends if end + window > now)
    free = limit - len(live)
    return max(free, 0), live[max(-free, 0)] if live else None


def blocked(creator: Row[Any], paused: set[tuple[str, str]], now: datetime) -> Wait | None:
    """What holds the whole account, whatever its limit says."""
    if creator.stopped_at is not None:
        return Wait("creator")
    if paused & {("all", ""), ("platform", creator.platform), ("creator", creator.key)}:
        return Wait("pause")
    if creator.cool_down_until is not None and creator.cool_down_until > now:
        return Wait("cool_down", creator.cool_down_until)
    end = quiet_until(creator, now)
    return Wait("quiet_hours", end) if end else None


def quiet_until(creator: Row[Any], instant: datetime) -> datetime | None:
    """The end of the quiet hours in which that instant falls; None if it falls in none."""
    if not creator.quiet_hours:
        return None
    return QuietHours.parse(creator.quiet_hours).ends_after(instant, ZoneInfo(creator.timezone or "UTC"))


def standings(connection: Connection, accounts: Collection[Row[Any]], now: datetime) -> dict[int, Standing]:
    """The standing of each of these `creator` rows."""
    held = paused(connection)
    ends = slot_ends(connection, {account.id: account.limit_seconds for account in accounts}, now)
    found = {}
    for account in accounts:
        window = timedelta(seconds=account.limit_seconds)
        free, more_at = free_slots(account.limit_count, window, ends[account.id], now)
        used = sum(end + window > now for end in ends[account.id])
        found[account.id] = Standing(now, blocked(account, held.accounts, now), free, more_at, used, held.campaigns)
    return found


def paused(connection: Connection) -> Paused:
    rows = {(row.level, row.target) for row in connection.execute(select(pauses.c.level, pauses.c.target))}
    campaigns = {(level, target) for level, target in rows if level == "campaign"}
    return Paused(rows - campaigns, frozenset(target for _, target in campaigns))


def slot_clock(connection: Connection, creator_id: int, now: datetime) -> datetime:
    """`now`, but not before the account's latest slot: by a clock that was set back, slots would end too early."""
    of_account = (slots.c.creator_id == creator_id, slots.c.ended_at > now)
    latest: datetime | None = connection.scalar(select(func.max(slots.c.taken_at)).where(*of_account))
    return max(now, latest) if latest else now


def slot_ends(connection: Connection, windows: Mapping[int, int], now: datetime) -> dict[int, list[datetime]]:
    """By account, the ends of the requests that may still count; nothing of those that have none.

    `windows` are the accounts' in seconds.
    """
    recent = select(slots.c.creator_id, slots.c.ended_at, slots.c.counts_from).where(
        among(connection, slots.c.creator_id, windows),
        slots.c.ended_at > now - timedelta(seconds=max(windows.values(), default=0)),
    )
    ends: dict[int, list[datetime]] = defaultdict(list)
    for row in connection.execute(recent).all():
        if placing.counts(row, timedelta(seconds=windows[row.creator_id]), now):
            ends[row.creator_id].append(row.ended_at)
    return ends


def accounts(connection: Connection, which: ColumnElement[bool]) -> list[Row[Any]]:
    return list(connection.execute(select(creators).where(which).order_by(creators.c.id)).all())


_ACTIVE = (State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN)

PLANNED = broadcasts.c.state == literal(State.PLANNED.value, literal_execute=True)
"""Said in the statement itself: the indexes of what is planned are only for statements that say so."""


def ready(now: datetime) -> ColumnElement[bool]:
    """Broadcasts that wait for nothing but their account: due, not put off, not expired."""
    return and_(_could_go(now), broadcasts.c.due_at <= now)


def ready_in_order(now: datetime) -> ColumnElement[bool]:
    """The same for who takes the first in `ORDER`: spelled so that a database goes by the index that has this order,
    and not through all that is due."""
    return and_(_could_go(now), func.coalesce(broadcasts.c.due_at, broadcasts.c.expires_at) <= now)


def _could_go(now: datetime) -> ColumnElement[bool]:
    """The expiry is spelled so that SQLite does not go by its index, and with it through all that is planned."""
    return and_(
        PLANNED,
        or_(broadcasts.c.not_before.is_(None), broadcasts.c.not_before <= now),
        func.coalesce(broadcasts.c.expires_at, broadcasts.c.due_at) > now,
    )


def active(table: FromClause) -> ColumnElement[bool]:
    """Broadcasts that hold back later ones of their campaign and account; as `PLANNED`, said in the statement."""
    return table.c.state.in_([literal(state.value, literal_execute=True) for state in _ACTIVE])


_EARLIER = broadcasts.alias("earlier")
_OVERLAPPED = and_(
    broadcasts.c.kind != "send",
    broadcasts.c.goes_at.is_(None),
    exists(
        select(_EARLIER.c.id).where(
            _EARLIER.c.creator_id == broadcasts.c.creator_id,
            _EARLIER.c.campaign == broadcasts.c.campaign,
            active(_EARLIER),
            _EARLIER.c.due_at < broadcasts.c.due_at,
        )
    ),
)


def overlapped() -> ColumnElement[bool]:
    """A previous broadcast of the same campaign and account is still on its way; a person's own waits for none.

    Nor does one that is to be placed: long before it is due, the one before it has every reason to be on its way.
    """
    return _OVERLAPPED


_KEYS = (
    (broadcasts.c.priority, operator.gt),
    (broadcasts.c.expires_at, operator.lt),
    (broadcasts.c.due_at, operator.lt),
    (broadcasts.c.id, operator.lt),
)

ORDER = tuple(column.desc() if before is operator.gt else column for column, before in _KEYS)
"""Among broadcasts that wait for one account: who goes first."""


def better(connection: Connection, broadcast: Row[Any], now: datetime, paused_campaigns: Collection[str]) -> int:
    """How many broadcasts of the same account go before this one and could go now. What goes after is not read."""
    theirs = (broadcasts.c.creator_id == broadcast.creator_id, broadcasts.c.campaign.not_in(paused_campaigns))
    ahead = _ahead(broadcast)
    arms = [select(broadcasts.c.id).where(*theirs, ready_in_order(now), ~overlapped(), each) for each in ahead]
    arms.append(select(broadcasts.c.id).where(*theirs, broadcasts.c.state == State.QUEUED, or_(*ahead)))
    return connection.scalar(select(func.count()).select_from(union_all(*arms).subquery())) or 0


def _ahead(broadcast: Row[Any]) -> list[ColumnElement[bool]]:
    """Those that stand before it in `ORDER`, by the first column that differs: each a stretch of one index."""
    found: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for column, before in _KEYS:
        value = getattr(broadcast, column.name)
        found.append(and_(*same, before(column, value)))
        same.append(column == value)
    return found
