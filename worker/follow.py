"""What was placed is followed until it is sent: looked at, brought in line with what is wished, and its end recorded.

One worker at a time has a broadcast, for as long as `placing.LEASE` lasts; whoever comes then begins with a look. So
it does not matter where the one before it was cut off, and an answer that was lost is not asked for: the platform is.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, select, update
from structlog.contextvars import bound_contextvars

from carillon import clock
from carillon.ledger import accounts, placing
from carillon.ledger.states import Note, State
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms import credentials, errors
from carillon.platforms.roster import PLATFORMS
from worker import placed_endings, unnamed, wishes
from worker.account import account_of
from worker.means import Means
from worker.record import settle_account
from worker.standing import standing
from worker.verdict import turned_away
from worker.wishes import Done, Placed

log = structlog.get_logger()

_LOOK_BACK = timedelta(hours=1)
_AGAIN = timedelta(seconds=15)
_MUCH_LATER = timedelta(minutes=1)


def follow(means: Means, broadcast_id: int) -> None:
    """One look at what was placed, and what follows from it; nothing if it is not time for one, or somebody else's."""
    if means.stopping.is_set():
        return
    placed = _take_up(means, broadcast_id)
    if placed is None:
        return
    row = placed.row
    with bound_contextvars(broadcast=row.id, campaign=row.campaign, creator=row.creator, occurrence=row.occurrence):
        try:
            placed = _with_account(placed)
            _follow(placed)
        except (errors.PlatformError, credentials.CredentialError) as error:
            _later(placed, error)
    means.nudge()


def _take_up(means: Means, broadcast_id: int) -> Placed | None:
    until = clock.ticks() + placing.LEASE.total_seconds()
    with means.ledger.read() as session:
        row = session.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
    if row is None or row.state != State.PLACED:
        return None
    with accounts.held(means.ledger, [row.creator_id]) as (connection, now):
        if row.hand_off_at is not None and row.hand_off_at > now:
            return None
        mine = placing.take_up(connection, row, now + placing.LEASE)
        creator = connection.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    return None if mine is None else Placed(means, mine, creator, PLATFORMS[mine.platform], now, until)


def _with_account(placed: Placed) -> Placed:
    """Raises Unreachable, Unauthorized and CredentialError where it is not to be spoken for now."""
    if placed.creator.cool_down_until is not None and placed.creator.cool_down_until > placed.now:
        raise errors.Unreachable("the account cools down")
    account = placed.means.fresh(placed.platform, account_of(placed.means, placed.creator))
    if _is_turned_away(placed.creator, credentials.digest(account.secret)):
        raise credentials.CredentialError("the platform does not accept the key")
    return replace(placed, account=account)


def _follow(placed: Placed) -> None:
    if placed.row.platform_message_id is None:
        unnamed.settle(placed)
        return
    since = placed.row.state_since - _LOOK_BACK
    shown, done = placed.look(since), Done()
    goes_at, now = placed.row.goes_at, placed.now
    if placed.row.wish and now < goes_at and standing(shown, goes_at, now) == "scheduled":
        done = wishes.carry_out(placed)
        placed = replace(placed, message_id=done.message_id)
        shown = placed.look(since)
    told = placed_endings.settle(placed, shown, done)
    log.info("followed", saw=told)


def _later(placed: Placed, error: errors.PlatformError | credentials.CredentialError) -> None:
    """It could not be looked at: again after a while, and the account is told what the platform says of it."""
    means, row = placed.means, placed.row
    log.warning("what was placed could not be looked at", why=str(error))
    with accounts.held(means.ledger, [row.creator_id]) as (connection, now):
        if isinstance(error, errors.TurnedAway) and placed.account:
            note = Note(now, means.who, f"a look at what was placed: {error.words}")
            answer = turned_away(error, 0, placed.creator.throttled_in_a_row)
            key = credentials.digest(means.newest(placed.account).secret)
            settle_account(connection, row.creator_id, answer, note, key)
        if row.wish and not isinstance(error, errors.Unreachable):
            placed_endings.tell_not_done(connection, placed, str(error), now)
        again = update(broadcasts).where(placing.taken_up(row))
        connection.execute(again.values(hand_off_at=_next_try(placed, error, now)))


def _is_turned_away(creator: Row[Any], key: str) -> bool:
    """This very key was, and nobody has renewed it: the platform is not asked with it again."""
    stopped = creator.stopped_reason is not None and creator.stopped_reason.startswith("credentials")
    return bool(stopped and creator.stopped_credential == key)


def _next_try(placed: Placed, error: Exception, now: datetime) -> datetime:
    cools_until: datetime | None = placed.creator.cool_down_until
    if cools_until is not None and cools_until > now:
        return cools_until
    return now + (_AGAIN if isinstance(error, errors.Unreachable) else _MUCH_LATER)
