"""The tokens of accounts: each pair renewed by one process at a time, and a refresh token never used twice.

A refresh is claimed in its own transaction before it goes. Whoever claimed it stores the new pair, or gives the claim
back if nothing was spent; a claim that nobody ends within `LEASE` is a pair lost, since its answer may have been.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import creators
from carillon.ledger.tables_media import tokens

LEASE = timedelta(seconds=30)

_MENDED = ("credentials", "forbidden")


@dataclass(frozen=True)
class Kept:
    """A row as it was read, and when; `sealed` has the pair. `creator_id` is for whom somebody logged in."""

    creator_id: int
    generation: int
    sealed: str
    expires_at: datetime
    owner: str | None
    sent_at: datetime | None
    refused: int | None
    lost: str | None
    stored_at: datetime
    read_at: datetime

    @property
    def abandoned(self) -> bool:
        """Whoever let the refresh go did not come back."""
        return self.sent_at is not None and self.read_at - self.sent_at > LEASE


_READ = tuple(name for name in Kept.__dataclass_fields__ if name != "read_at")


@dataclass(frozen=True)
class Refresh:
    """A refresh that `owner` may make, of the pair of one generation."""

    creator_id: int
    generation: int
    owner: str


def any_kept(ledger: Ledger) -> bool:
    """Whether any account has tokens at all."""
    with ledger.read() as session:
        return session.execute(select(tokens.c.creator_id).limit(1)).first() is not None


def kept(ledger: Ledger, creator_id: int) -> Kept | None:
    """The creator's own, else those of an agency: who is named by the same reference for another of its creators."""
    mine, holder = creators.alias("mine"), creators.alias("holder")
    agency = and_(mine.c.account_id.is_not(None), holder.c.account_id.is_not(None))
    same = and_(holder.c.platform == mine.c.platform, holder.c.credentials == mine.c.credentials, agency)
    found = (
        select(*(tokens.c[name] for name in _READ))
        .join(holder, holder.c.id == tokens.c.creator_id)
        .join(mine, or_(holder.c.id == mine.c.id, same))
        .where(mine.c.id == creator_id)
        .order_by(holder.c.id != mine.c.id, tokens.c.lost.is_not(None), tokens.c.stored_at.desc())
        .limit(1)
    )
    with ledger.read() as session:
        row = session.execute(found).one_or_none()
        if row is None:
            return None
        told: dict[str, Any] = dict(zip(_READ, row, strict=True))
        return Kept(**told, read_at=ledger.now(session.connection()))


def log_in(ledger: Ledger, creator_id: int, sealed: str, lasts: timedelta, who: str) -> bool:
    """Keep the first pair of a login, and let a stopped account go on; returns whether it was stopped for its key."""
    with accounts.held(ledger, [creator_id]) as (connection, now):
        values = _pair(sealed, now + lasts, now) | {"refused": None}
        mine = update(tokens).where(tokens.c.creator_id == creator_id)
        if not connection.execute(mine.values({**values, "generation": tokens.c.generation + 1})).rowcount:
            connection.execute(insert(tokens).values(creator_id=creator_id, generation=1, **values))
        return _lift(connection, creator_id, now, who)


def claim(ledger: Ledger, this: Refresh, *, refused: bool) -> bool:
    """Whether this refresh is `this.owner`'s to make now. `refused`: because the platform turned the token away."""
    with ledger.write() as connection:
        free = and_(_of(this), tokens.c.owner.is_(None), tokens.c.lost.is_(None))
        values: dict[str, Any] = {"owner": this.owner, "sent_at": ledger.now(connection)}
        if refused:
            values["refused"] = this.generation
        return bool(connection.execute(update(tokens).where(free).values(values)).rowcount)


def store(ledger: Ledger, this: Refresh, sealed: str, lasts: timedelta) -> bool:
    """Keep the new pair, also after it was given up as lost; False if somebody logged in meanwhile."""
    with accounts.held(ledger, [this.creator_id]) as (connection, now):
        mine = and_(_of(this), tokens.c.owner == this.owner)
        values = _pair(sealed, now + lasts, now) | {"generation": this.generation + 1}
        was_lost = connection.scalar(select(func.count()).where(mine, tokens.c.lost.is_not(None)))
        stored = bool(connection.execute(update(tokens).where(mine).values(values)).rowcount)
        if stored and was_lost:
            _lift(connection, this.creator_id, now, this.owner)
        return stored


def give_back(ledger: Ledger, this: Refresh) -> None:
    """Nothing was spent: anybody may try again."""
    with ledger.write() as connection:
        mine = and_(_of(this), tokens.c.owner == this.owner)
        connection.execute(update(tokens).where(mine).values(owner=None, sent_at=None))


def lose(ledger: Ledger, creator_id: int, generation: int, words: str, who: str) -> str:
    """The refresh token is spent, or may be: the account stops until somebody logs in again. Returns what to say."""
    with accounts.held(ledger, [creator_id]) as (connection, now):
        key = connection.scalar(select(creators.c.key).where(creators.c.id == creator_id))
        told = f"{words}; log in again: carillon login {key}"
        still = (tokens.c.creator_id == creator_id, tokens.c.generation == generation, tokens.c.lost.is_(None))
        if connection.execute(update(tokens).where(*still).values(lost=told)).rowcount:
            accounts.stop(connection, creator_id, now, who, f"credentials: {told}")
        return told


def _of(this: Refresh) -> Any:
    return and_(tokens.c.creator_id == this.creator_id, tokens.c.generation == this.generation)


def _pair(sealed: str, expires_at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "sealed": sealed,
        "expires_at": expires_at,
        "owner": None,
        "sent_at": None,
        "lost": None,
        "stored_at": now,
    }


def _lift(connection: Connection, creator_id: int, now: datetime, who: str) -> bool:
    reason = connection.scalar(select(creators.c.stopped_reason).where(creators.c.id == creator_id))
    return reason is not None and reason.startswith(_MENDED) and accounts.lift_stop(connection, creator_id, now, who)
