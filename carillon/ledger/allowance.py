"""May this account send now, and if not, what for and until when does it wait? The hourly limit is decided here.

At most N broadcasts in any window: an exact log of slots. A slot counts until one window after its request ended.
The scheduler asks before it releases, the worker asks again under the account's lock, the console asks to explain.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select

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
    return _quiet(creator, now)


def _quiet(creator: Row[Any], now: datetime) -> Wait | None:
    if not creator.quiet_hours:
        return None
    end = QuietHours.parse(creator.quiet_hours).ends_after(now, ZoneInfo(creator.timezone or "UTC"))
    return Wait("quiet_hours", end) if end else None


def standings(connection: Connection, accounts: Collection[Row[Any]], now: datetime) -> dict[int, Standing]:
    """The standing of each of these `creator` rows."""
    paused = {(row.level, row.target) for row in connection.execute(select(pauses.c.level, pauses.c.target))}
    campaigns = frozenset(target for level, target in paused if level == "campaign")
    ends = _slot_ends(connection, accounts, now)
    found = {}
    for account in accounts:
        window = timedelta(seconds=account.limit_seconds)
        free, more_at = free_slots(account.limit_count, window, ends[account.id], now)
        used = sum(end + window > now for end in ends[account.id])
        found[account.id] = Standing(now, blocked(account, paused, now), free, more_at, used, campaigns)
    return found


def _slot_ends(connection: Connection, accounts: Collection[Row[Any]], now: datetime) -> dict[int, list[datetime]]:
    longest = max((account.limit_seconds for account in accounts), default=0)
    recent = select(slots.c.creator_id, slots.c.ended_at).where(
        slots.c.creator_id.in_([account.id for account in accounts]),
        slots.c.ended_at > now - timedelta(seconds=longest),
    )
    ends: dict[int, list[datetime]] = defaultdict(list)
    for row in connection.execute(recent):
        ends[row.creator_id].append(row.ended_at)
    return ends


def accounts(connection: Connection, which: ColumnElement[bool]) -> list[Row[Any]]:
    return list(connection.execute(select(creators).where(which).order_by(creators.c.id)))


def ready(now: datetime) -> ColumnElement[bool]:
    """Broadcasts that wait for nothing but their account: due, not put off, not expired.

    The expiry is spelled so that SQLite does not go by its index, and with it through all that is planned.
    """
    expires_at = func.coalesce(broadcasts.c.expires_at, broadcasts.c.due_at)
    return and_(
        broadcasts.c.state == State.PLANNED,
        broadcasts.c.due_at <= now,
        or_(broadcasts.c.not_before.is_(None), broadcasts.c.not_before <= now),
        expires_at > now,
    )


def overlapped() -> ColumnElement[bool]:
    """A previous broadcast of the same campaign and account is still on its way; a person's own waits for none."""
    earlier = broadcasts.alias("earlier")
    active = (State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN)
    return and_(
        broadcasts.c.kind != "send",
        exists(
            select(earlier.c.id).where(
                earlier.c.creator_id == broadcasts.c.creator_id,
                earlier.c.campaign == broadcasts.c.campaign,
                earlier.c.state.in_(active),
                earlier.c.due_at < broadcasts.c.due_at,
            )
        ),
    )


ORDER = (broadcasts.c.priority.desc(), broadcasts.c.expires_at, broadcasts.c.due_at, broadcasts.c.id)
"""Among broadcasts that wait for one account: who goes first."""


def better(connection: Connection, broadcast: Row[Any], now: datetime, paused_campaigns: Collection[str]) -> int:
    """How many broadcasts of the same account go before this one and could go now."""
    ahead = or_(
        broadcasts.c.priority > broadcast.priority,
        and_(
            broadcasts.c.priority == broadcast.priority,
            or_(
                broadcasts.c.expires_at < broadcast.expires_at,
                and_(broadcasts.c.expires_at == broadcast.expires_at, _older(broadcast)),
            ),
        ),
    )
    could_go = or_(and_(ready(now), ~overlapped()), broadcasts.c.state == State.QUEUED)
    count = (
        select(func.count())
        .select_from(broadcasts)
        .where(
            broadcasts.c.creator_id == broadcast.creator_id,
            broadcasts.c.id != broadcast.id,
            broadcasts.c.campaign.not_in(paused_campaigns),
            could_go,
            ahead,
        )
    )
    return connection.scalar(count) or 0


def _older(broadcast: Row[Any]) -> ColumnElement[bool]:
    same_due = and_(broadcasts.c.due_at == broadcast.due_at, broadcasts.c.id < broadcast.id)
    return or_(broadcasts.c.due_at < broadcast.due_at, same_due)
