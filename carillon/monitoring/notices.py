"""Which alarm went through which channel: the ledger's side of telling people.

A notice is listed for each alarm and channel, claimed with a lease, and marked when it was delivered. What is claimed
together stays together until it is delivered, so that a repeat is the same message. A channel has one message
on its way at a time: what comes meanwhile is gathered for the next.

Told is what is open, and what is said once (such an alarm is closed as it is raised). What was cleared before anybody
was told needs no message. A process that dies between sending and recording leaves its lease: only then is an alarm
told twice.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, broadcasts, creators
from carillon.ledger.tables_house import installations, notices
from carillon.monitoring.digest import Digest, Told

GATHER = timedelta(seconds=2)
LEASE = timedelta(minutes=10)
MOST_TRIES = 105
"""They take about a day."""

_BASE_SECONDS, _CAP_SECONDS = 2.0, 900.0
_RECENT, _A_DAY = timedelta(hours=1), timedelta(days=1)
_MOST_SHOWN = 100
"""So that a message stays well under the 100 kB that many receivers take."""


@dataclass(frozen=True)
class Claim:
    """Alarms that this process alone may tell through a channel until its lease is over; the lease names the claim."""

    channel: str
    lease_until: datetime
    tries: int
    digest: Digest

    def rows(self) -> ColumnElement[bool]:
        return and_(_waiting(self.channel), notices.c.next_at == self.lease_until)


def claim(ledger: Ledger, channels: Collection[str], gap: timedelta) -> list[Claim]:
    """At most one message for each channel, `gap` after its previous one; none while another process claims."""
    with ledger.read() as session:
        connection = session.connection()
        now = ledger.now(connection)
        stirring = [channel for channel in channels if _stirs(connection, channel, now, gap)]
    if not stirring:
        return []
    with ledger.write() as connection:
        one_at_a_time = select(installations.c.id).with_for_update(skip_locked=True)
        installation = connection.scalar(one_at_a_time)
        if installation is None:
            return []
        now = ledger.now(connection)
        claims = [_claim(connection, installation, channel, now, gap) for channel in stirring]
    return [claim for claim in claims if claim]


def delivered(ledger: Ledger, done: Claim) -> None:
    with ledger.write() as connection:
        connection.execute(update(notices).where(done.rows()).values(sent_at=ledger.now(connection)))


def failed(ledger: Ledger, done: Claim, draw: Callable[[], float] = random.random) -> bool:
    """Have it tried again later; False if it is given up. What is still open then goes with the next message."""
    with ledger.write() as connection:
        if done.tries >= MOST_TRIES:
            connection.execute(delete(notices).where(done.rows()))
            return False
        later = ledger.now(connection) + timedelta(seconds=backoff(done.tries, draw))
        connection.execute(update(notices).where(done.rows()).values(next_at=later))
    return True


def backoff(tries: int, draw: Callable[[], float]) -> float:
    """Seconds after that many tries: doubling, and up to a fifth more or less."""
    return float(min(_CAP_SECONDS, _BASE_SECONDS * 2.0 ** min(tries - 1, 30)) * (0.8 + 0.4 * draw()))


def _claim(connection: Connection, installation: str, channel: str, now: datetime, gap: timedelta) -> Claim | None:
    _list_new(connection, channel, now)
    _strike_cleared(connection, channel)
    batch = _batch(connection, channel, now, gap)
    if batch is None:
        return None
    lease_until = now + LEASE
    take = update(notices).where(batch).values(tries=notices.c.tries + 1, next_at=lease_until)
    taken = connection.execute(take.returning(notices.c.alarm_id, notices.c.tries)).all()
    if not taken:
        return None
    ids = sorted(row.alarm_id for row in taken)
    name = sha256(f"{installation} {channel} {ids}".encode()).hexdigest()[:32]
    on_its_way = and_(_waiting(channel), notices.c.next_at == lease_until)
    return Claim(channel, lease_until, taken[0].tries, _digest(connection, f"alarms_{name}", installation, on_its_way))


def _stirs(connection: Connection, channel: str, now: datetime, gap: timedelta) -> bool:
    """Whether there is anything to write; at almost every beat there is not, so this is one question then."""
    new, waiting = _unlisted(channel, now).exists(), exists().where(_waiting(channel))
    found = connection.execute(select(new.label("new"), waiting.label("waiting"))).one()
    return bool(found.new) or (bool(found.waiting) and _batch(connection, channel, now, gap) is not None)


def _unlisted(channel: str, now: datetime) -> CompoundSelect[Any]:
    """Of what is said once only the last hour, and for a channel that was in use also what came since, for a day."""
    listed = exists().where(notices.c.alarm_id == alarms.c.id, notices.c.channel == channel)
    newest = select(func.max(notices.c.alarm_id)).where(notices.c.channel == channel).scalar_subquery()
    unlisted = select(alarms.c.id, alarms.c.raised_at).where(~listed)
    said_once = unlisted.where(
        alarms.c.cleared_at > now - _A_DAY,
        alarms.c.cleared_at == alarms.c.raised_at,
        or_(alarms.c.cleared_at > now - _RECENT, alarms.c.id > newest),
    )
    return union_all(
        unlisted.where(alarms.c.cleared_at.is_(None)), said_once
    )  # OR would read every alarm there ever was


def _list_new(connection: Connection, channel: str, now: datetime) -> None:
    rows = [
        {"alarm_id": row.id, "channel": channel, "tries": 0, "next_at": row.raised_at + GATHER}
        for row in connection.execute(_unlisted(channel, now))
    ]
    if rows:
        connection.execute(insert(notices), rows)


def _strike_cleared(connection: Connection, channel: str) -> None:
    over = select(alarms.c.id).where(alarms.c.cleared_at > alarms.c.raised_at)
    never_tried = and_(_waiting(channel), notices.c.tries == 0)
    connection.execute(delete(notices).where(never_tried, notices.c.alarm_id.in_(over)))


def _waiting(channel: str) -> ColumnElement[bool]:
    return and_(notices.c.channel == channel, notices.c.sent_at.is_(None))


def _batch(connection: Connection, channel: str, now: datetime, gap: timedelta) -> ColumnElement[bool] | None:
    """What may go now: alone what was tried before, else all that is new, once the first of it has waited for more."""
    tried = and_(_waiting(channel), notices.c.tries > 0)
    next_try = connection.scalar(select(func.max(notices.c.next_at)).where(tried))
    if next_try is not None:
        return tried if next_try <= now else None
    new = and_(_waiting(channel), notices.c.tries == 0)
    ripe = exists().where(new, notices.c.next_at <= now)
    just_told = exists().where(notices.c.channel == channel, notices.c.sent_at > now - gap)
    return new if connection.scalar(select(and_(ripe, ~just_told))) else None


def _digest(connection: Connection, name: str, installation: str, which: ColumnElement[bool]) -> Digest:
    causes = select(alarms.c.cause).join_from(notices, alarms).where(which)
    kinds = Counter(_kind(cause) for cause in connection.scalars(causes))
    about = (broadcasts.c.campaign, creators.c.key.label("creator"), creators.c.platform)
    oldest = (
        select(alarms, *about)
        .join_from(notices, alarms)
        .outerjoin(broadcasts, broadcasts.c.id == alarms.c.broadcast_id)
        .outerjoin(creators, creators.c.id == alarms.c.creator_id)
        .where(which)
        .order_by(alarms.c.raised_at, alarms.c.id)
        .limit(_MOST_SHOWN)
    )
    return Digest(name, installation, kinds, [_told(row) for row in connection.execute(oldest)])


def _told(row: Row[Any]) -> Told:
    return Told(
        id=row.id,
        kind=_kind(row.cause),
        message=row.message,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        broadcast=row.broadcast_id,
        campaign=row.campaign,
        creator=row.creator,
        platform=row.platform,
    )


def _kind(cause: str) -> str:
    return cause.partition(":")[0]
