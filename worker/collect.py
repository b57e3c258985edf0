"""What became of an account's broadcasts: the platform is asked, and what each source says is kept with its time.

It never disturbs sending: threads of its own do it, a part of the platform's rate is left to others, an error here
stops no creator, and only a 429 concerns the whole account, since it does.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from carillon.ledger import accounts, results, tracking
from carillon.ledger.figures import counts_of_purchases
from carillon.ledger.inserts import among
from carillon.ledger.states import Note
from carillon.ledger.tables import broadcasts
from carillon.monitoring import metrics
from carillon.platforms import credentials, errors
from carillon.platforms.contract import Account, Caller, Content, Platform
from carillon.platforms.parts import Buyer, Sent, Told
from carillon.platforms.roster import PLATFORMS
from worker.account import account_of
from worker.means import Means
from worker.record import settle_account
from worker.verdict import backoff, turned_away

log = structlog.get_logger()

MOST = 500
"""Broadcasts of one account that are asked about in one go."""

_MOST_NAMED = 10
"""Of so many of them the buyers are read, which takes a request or more for each; the others' come the next time."""

_WRITTEN_AT_ONCE = 50
"""Broadcasts in one transaction, so that none lasts long."""

_PART = 0.5
"""Of the account's general rate: a popular message has hundreds of pages of buyers."""

_PATIENCE_SECONDS = 120.0
"""More than the longest window of a platform's rate: the next page is to be had after that."""

_SOURCE = "buyers"
_FIRST_PUT_OFF = 5
"""The first pause after an error is up to a minute, as if there had been so many before."""


@dataclass(frozen=True)
class Asked:
    """The account, and those of its broadcasts that are due."""

    creator: Row[Any]
    rows: Sequence[Row[Any]]
    known_buyers: Mapping[int, int]
    """How many purchases of a broadcast were told one by one."""


@dataclass
class Heard:
    """What was told until the platform had said all, or failed."""

    told: list[Told] = field(default_factory=list)
    buyers: dict[str, list[Buyer]] = field(default_factory=dict)
    error: errors.PlatformError | None = None


def begin_collect(means: Means, creator_id: int) -> None:
    """In a thread beside those that send."""
    with means.ledger.read() as session:
        connection = session.connection()
        creator = tracking.account(connection, creator_id, means.ledger.now(connection))
    if creator is not None:
        means.collecting[creator.platform].give(creator_id, lambda: collect(means, creator_id))


def collect(means: Means, creator_id: int) -> None:
    """Ask about all that is due of the account; a stale or doubled order finds nothing to do."""
    asked = None if means.stopping.is_set() else _take(means, creator_id)
    if asked is None:
        return
    try:
        account = account_of(means, asked.creator)
    except credentials.CredentialError as error:
        _put_off(means, asked, f"credentials: {error}")
        return
    heard = _ask(means, asked, PLATFORMS[asked.creator.platform], account)
    _keep(means, asked, heard)
    _follow_error(means, asked, heard.error, account)


def _take(means: Means, creator_id: int) -> Asked | None:
    with means.ledger.write() as connection:
        now = means.ledger.now(connection)
        creator = tracking.account(connection, creator_id, now)
        rows = tracking.due(connection, creator_id, now, MOST) if creator else ()
        if creator is None or not rows or not tracking.take(connection, rows, now):
            return None
        return Asked(creator, rows, counts_of_purchases(connection, _these(connection, rows)))


def _these(connection: Connection, rows: Sequence[Row[Any]]) -> Any:
    return among(connection, broadcasts.c.id, [row.id for row in rows])


def _ask(means: Means, asked: Asked, platform: Platform, known: Account) -> Heard:
    heard = Heard()
    sent = {row.platform_message_id: _sent(row) for row in asked.rows if row.platform_message_id is not None}
    try:
        account = means.fresh(platform, known)
        caller = means.caller(platform, account, _PATIENCE_SECONDS, _PART)
        for told in platform.results.told(caller, account, list(sent.values())):
            heard.told.append(told)  # what is told before an error counts
        _ask_buyers(caller, platform, account, asked, heard)
    except errors.PlatformError as error:
        heard.error = error
    return heard


def _ask_buyers(caller: Caller, platform: Platform, account: Account, asked: Asked, heard: Heard) -> None:
    purchases: dict[str, int] = {}
    for told in heard.told:
        purchases[told.message_id] = max(told.purchases or 0, purchases.get(told.message_id, 0))
    known = asked.known_buyers
    unnamed = [row for row in asked.rows if purchases.get(row.platform_message_id, 0) > known.get(row.id, 0)]
    for row in unnamed[:_MOST_NAMED]:
        with suppress(errors.Unreadable):  # not every account may read them
            found = platform.results.buyers(caller, account, _sent(row))
            heard.buyers[row.platform_message_id] = list(found)


def _sent(row: Row[Any]) -> Sent:
    content = Content.model_validate_json(row.content)
    return Sent(row.platform_message_id, row.sent_at or row.state_since, content.text, content.price_cents)


def _keep(means: Means, asked: Asked, heard: Heard) -> None:
    told: dict[str, list[Told]] = defaultdict(list)
    for one in heard.told:
        told[one.message_id].append(one)
    for start in range(0, len(asked.rows), _WRITTEN_AT_ONCE):
        some = asked.rows[start : start + _WRITTEN_AT_ONCE]
        with means.ledger.write() as connection:
            now = means.ledger.now(connection)
            for row in some:
                _keep_one(connection, row, told[row.platform_message_id], heard.buyers, now)
            if heard.error is None:
                tracking.asked(connection, some, now)


def _keep_one(
    connection: Connection,
    row: Row[Any],
    told: Sequence[Told],
    buyers: Mapping[str, Sequence[Buyer]],
    now: datetime,
) -> None:
    for one in told:
        _keep_told(connection, row.id, one, now)
        if one.sold_as is not None:
            results.bind(connection, row.creator_id, one.sold_as, row.id)
    for buyer in buyers.get(row.platform_message_id, ()):
        _keep_buyer(connection, row, buyer, now)


def _keep_told(connection: Connection, broadcast_id: int, told: Told, now: datetime) -> None:
    results.keep_told(
        connection,
        broadcast_id,
        told.source,
        now,
        recipients=told.recipients,
        views=told.views,
        purchases=told.purchases,
        revenue_cents=told.revenue_cents,
        estimated=told.estimated,
    )
    results.keep_delivery(connection, broadcast_id, told.delivery, now, told.recipients)


def _keep_buyer(connection: Connection, row: Row[Any], buyer: Buyer, now: datetime) -> None:
    """The platform names who bought, not the sale: that is named by both."""
    results.keep_sale(
        connection,
        row.creator_id,
        f"{_SOURCE}:{row.platform_message_id}:{buyer.fan}",
        "purchase",
        now,
        broadcast_id=row.id,
        message_id=row.platform_message_id,
        fan=buyer.fan,
        amount_cents=buyer.amount_cents,
        source=_SOURCE,
    )


def _follow_error(means: Means, asked: Asked, error: errors.PlatformError | None, account: Account) -> None:
    if error is None:
        return
    log.info("results cannot be read now", creator=asked.creator.key, words=error.words)
    if isinstance(error, errors.Throttled):
        metrics.throttled(asked.creator.platform)
        verdict = turned_away(error, 0, asked.creator.throttled_in_a_row)
        with accounts.held(means.ledger, [asked.creator.id]) as (connection, now):
            note = Note(now, means.who, f"results: {error.words}")
            settle_account(connection, asked.creator.id, verdict, note, credentials.digest(account.secret))
    _put_off(means, asked, error.words)


def _put_off(means: Means, asked: Asked, words: str, draw: Callable[[], float] = random.random) -> None:
    tries = max(row.put_offs for row in asked.rows)
    with means.ledger.write() as connection:
        now = means.ledger.now(connection)
        until = now + timedelta(seconds=1 + backoff(_FIRST_PUT_OFF + tries, draw))
        tracking.put_off(connection, asked.rows, until, words, now)
