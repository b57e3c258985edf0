"""What the ledger knows of the outcomes that one account's broadcasts leave open."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from carillon.ledger.doubts import look_is_due
from carillon.ledger.owners import Owner, proven_dead, this_process
from carillon.ledger.states import State
from carillon.ledger.tables import attempts, broadcasts, creators, lookups
from carillon.platforms.contract import Content, Platform, Shows
from carillon.platforms.roster import PLATFORMS
from worker.matching import Wanted
from worker.media import as_sent
from worker.settle import LATEST, Case, Sighted, looking_since
from worker.sight import LOOK_BACK

_STILL_OPEN = (State.SENDING, State.UNKNOWN, State.HELD, State.SENT, State.PLACED)
_COMPARED = ("content", "state", "goes_at", "platform", "creator_id")
_LATEST_ATTEMPT = and_(attempts.c.broadcast_id == broadcasts.c.id, attempts.c.number == broadcasts.c.attempts)


@dataclass(frozen=True)
class Open:
    """A broadcast of unknown outcome as it was read, with the attempt that nobody knows the end of."""

    row: Row[Any]
    attempt: Row[Any]
    platform: Platform
    wanted: Wanted

    @property
    def can_be_asked(self) -> bool:
        return self.shows(self.attempt.started_at) != "nothing"

    def shows(self, now: datetime) -> Shows:
        return self.platform.shows(self.wanted.content, now - self.attempt.started_at)

    @property
    def owner_lives(self) -> bool:
        """On another host nothing shows it; there its lease and the settle time must do."""
        owner = Owner(self.attempt.host, self.attempt.pid, self.attempt.process_birth)
        return self.attempt.finished_at is None and owner.host == this_process().host and not proven_dead(owner)


@dataclass(frozen=True)
class Inquiry:
    """All that is open of one account: one look serves them all."""

    creator: Row[Any]
    platform: Platform
    opens: Sequence[Open]
    bound: frozenset[str]


def read(connection: Connection, broadcast_id: int, now: datetime, *, at_once: bool) -> Inquiry | None:
    """None if the broadcast is settled, or not to be looked at yet."""
    row = connection.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
    if row is None or row.state != State.UNKNOWN or not (at_once or look_is_due(row, now, LATEST)):
        return None
    creator = connection.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    opens = open_ones(connection, creator.id)
    first = min(one.attempt.started_at for one in opens)
    return Inquiry(creator, PLATFORMS[creator.platform], opens, bound(connection, creator.id, first - LOOK_BACK))


def open_ones(connection: Connection, creator_id: int) -> list[Open]:
    """In the order in which they were claimed."""
    unknown = select(broadcasts).where(broadcasts.c.creator_id == creator_id, broadcasts.c.state == State.UNKNOWN)
    rows = {row.id: row for row in connection.execute(unknown)}
    latest = select(attempts).join(broadcasts, _LATEST_ATTEMPT).where(broadcasts.c.id.in_(rows))
    found = connection.execute(latest.order_by(attempts.c.started_at, attempts.c.id))
    return [_open(connection, rows[attempt.broadcast_id], attempt) for attempt in found]


def _open(connection: Connection, row: Row[Any], attempt: Row[Any]) -> Open:
    return Open(row, attempt, PLATFORMS[row.platform], _wanted(connection, row, attempt))


def others(connection: Connection, this: Open, shown: Collection[str]) -> list[Wanted]:
    """What else of the account may have been taken and has no message yet, or none under the id that it was told."""
    unseen = broadcasts.c.platform_message_id.not_in(shown)
    chosen = (
        select(*(broadcasts.c[name] for name in _COMPARED), *attempts.c)
        .join(attempts, _LATEST_ATTEMPT)
        .where(
            broadcasts.c.creator_id == this.row.creator_id,
            broadcasts.c.id != this.row.id,
            broadcasts.c.state.in_(_STILL_OPEN),
            or_(broadcasts.c.platform_message_id.is_(None), unseen),
            or_(broadcasts.c.state != State.HELD, broadcasts.c.reason.startswith("unknown_outcome")),
            attempts.c.started_at >= this.attempt.started_at - LOOK_BACK,
        )
    )
    return [_wanted(connection, row, row) for row in connection.execute(chosen)]


def bound(connection: Connection, creator_id: int, since: datetime) -> frozenset[str]:
    """The messages of the account that are known to be a broadcast's."""
    return _bound(connection, creator_id, broadcasts.c.state_since >= since)


def bound_among(connection: Connection, creator_id: int, ids: Sequence[str]) -> frozenset[str]:
    return _bound(connection, creator_id, broadcasts.c.platform_message_id.in_(ids))


def _bound(connection: Connection, creator_id: int, which: ColumnElement[bool]) -> frozenset[str]:
    known = broadcasts.c.platform_message_id.is_not(None)
    ids = select(broadcasts.c.platform_message_id).where(broadcasts.c.creator_id == creator_id, known, which)
    return frozenset(connection.scalars(ids))


def case(connection: Connection, this: Open, creator: Row[Any], sighted: Sighted | None, now: datetime) -> Case:
    """`creator` as it stands now, after what this look may have done to it."""
    own = select(lookups).where(lookups.c.attempt_id == this.attempt.id).order_by(lookups.c.began_at)
    looks = connection.execute(own).all()
    resent = select(attempts.c.id).where(attempts.c.broadcast_id == this.row.id, attempts.c.verdict == "resent")
    return Case(
        now=now,
        looking_since=looking_since(this.row.state_since, [one.began_at for one in looks], now),
        ended_at=this.wanted.ended_at,
        owner_lives=this.owner_lives,
        sighted=sighted,
        unreadable_since=_unreadable_since(looks),
        ask_again_at=creator.cool_down_until,
        clean_looks=[one.began_at for one in looks if one.clean],
        can_be_asked=this.can_be_asked,
        absence_is_proof=this.shows(now) == "all",
        has_baseline=this.wanted.baseline is not None,
        may_resend=this.row.on_unknown == "resend" and connection.scalar(resent) is None,
    )


def _unreadable_since(looks: Sequence[Row[Any]]) -> datetime | None:
    since = None
    for one in reversed(looks):
        if json.loads(one.seen) != "unreadable":
            break
        since = one.began_at
    return since


def _wanted(connection: Connection, row: Row[Any], attempt: Row[Any]) -> Wanted:
    said = Content.model_validate_json(row.content)
    placed = row.goes_at is not None and attempt.started_at < row.goes_at
    return Wanted(
        content=as_sent(connection, PLATFORMS[row.platform], row.creator_id, attempt.broadcast_id, said),
        started_at=attempt.started_at,
        ended_at=_ended_at(attempt),
        baseline=None if attempt.baseline is None else frozenset(json.loads(attempt.baseline)),
        under_way=row.state == State.SENDING,
        goes_at=row.goes_at if placed else None,
    )


def _ended_at(attempt: Row[Any]) -> datetime:
    ended: datetime = attempt.finished_at or attempt.lease_until
    return ended
