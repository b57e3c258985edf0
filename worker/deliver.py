"""One broadcast from order to record: read, preflight, claim, send, verdict, record."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from carillon import clock
from carillon.ledger import accounts
from carillon.ledger.allowance import Wait
from carillon.ledger.doubts import end_unsent
from carillon.ledger.parcels import Parcel, parcel
from carillon.ledger.states import Note, State, version_of
from carillon.ledger.tables import broadcasts
from carillon.monitoring import metrics
from carillon.platforms import credentials, errors
from carillon.platforms.attempt import Guard
from carillon.platforms.contract import Account, Content, Platform, Request
from carillon.platforms.redaction import scrubbed
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.send import send
from worker import verdict
from worker.account import account_of
from worker.claim import Claim, UnheardError, claim, claim_place, put_back
from worker.means import Means
from worker.media import with_references
from worker.place import as_placed, calendar_for
from worker.preflight import Asked, Clear, Later, Stop, preflight
from worker.preflight import prepare as ask_ahead
from worker.reconcile import reconcile
from worker.record import record, settle_account, take_back
from worker.verdict import Verdict

log = structlog.get_logger()

_in_order = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


@dataclass(frozen=True)
class Order:
    """A queued broadcast as it was read, with all that sending it takes."""

    row: Parcel
    platform: Platform
    account: Account
    content: Content


def prepare(means: Means, broadcast_id: int) -> None:
    """Ask the platform what the broadcast's preflight will want to know when it is due."""
    try:
        order = _read(means, broadcast_id, State.PLANNED)
    except credentials.CredentialError:
        return
    if order is None:
        return
    content = with_references(means, order.row, order.platform, order.content)
    if isinstance(content, Content):
        ask_ahead(means, order.platform, order.account, content)


def deliver(means: Means, broadcast_id: int) -> None:
    """Send it if it may go; a stale or doubled order finds nothing to do."""
    try:
        order = _read(means, broadcast_id, State.QUEUED)
    except credentials.CredentialError as error:
        _no_credential(means, broadcast_id, str(error))
        return
    if order is None:
        return
    with bound_contextvars(
        broadcast=order.row.id,
        campaign=order.row.campaign,
        creator=order.row.creator,
        occurrence=order.row.occurrence,
    ):
        _deliver(means, order)


def _deliver(means: Means, order: Order) -> None:
    try:
        order = replace(order, account=means.fresh(order.platform, order.account))
        answer = _preflight(means, order)
    except errors.Unreachable as error:
        answer = Later("retry", verdict.backoff(order.row.put_offs), f"its token cannot be renewed: {error.words}")
    except errors.TurnedAway as error:
        metrics.preflight(order.row.platform, "turned_away")
        if isinstance(error, errors.Throttled):
            metrics.throttled(order.row.platform)
        _account_turned_away(means, order, error)
        return
    metrics.preflight(order.row.platform, type(answer).__name__.lower())
    match answer:
        case Stop(state, reason):
            _end(means, order, state, reason)
        case Later(cause, seconds, words):
            _put_off(means, order, cause, seconds, words)
        case Clear(content, baseline):
            try:
                _send(means, order, content, baseline)
            except UnheardError as error:
                take_back(means, order.row, error.token)
                raise


def _preflight(means: Means, order: Order) -> Clear | Stop | Later:
    content = with_references(means, order.row, order.platform, order.content)
    if not isinstance(content, Content):
        return content
    return preflight(means, order.platform, order.account, content, order.row.put_offs)


def _read(means: Means, broadcast_id: int, state: State) -> Order | None:
    """None unless the broadcast is in that state. Raises CredentialError."""
    row = parcel(means.ledger, broadcast_id)
    if row is None or row.state != state:
        return None
    return Order(row, PLATFORMS[row.platform], account_of(means, row), Content.model_validate_json(row.content))


def _send(means: Means, order: Order, content: Content, baseline: str | None) -> None:
    if means.stopping.is_set():
        return
    place = calendar_for(order.row, order.platform)
    if place is None:
        request = order.platform.request(order.account, content)
        claimed = claim(means, order.row, digest(request), baseline)
    else:
        calendar, goes_at = place
        request = calendar.place(order.account, content, goes_at)
        claimed = claim_place(means, order.row, digest(request), baseline, calendar.least_ahead)
    if not isinstance(claimed, Claim):
        means.nudge()
        return
    begun = clock.ticks()
    answer = _unless_renewed(means, order, _attempt(means, order, request, claimed))
    answer = as_placed(answer) if place else answer
    seconds, answered_at = clock.ticks() - begun, clock.now()
    asked = Asked(means, order.platform, order.account)
    asked.forget_baseline(content)
    record(means, order.row, claimed, answer, round(seconds * 1000), credentials.digest(order.account.secret))
    _count(order, answer, seconds, answered_at)
    log.info(answer.name, attempt=claimed.number, ms=round(seconds * 1000))
    if answer.state is State.UNKNOWN:
        asked.forget_lists()
        reconcile(means, order.row.id, at_once=True)


def _count(order: Order, answer: Verdict, seconds: float, answered_at: datetime) -> None:
    metrics.attempt(order.row.platform, answer.name, seconds)
    if answer.name == "throttled":
        metrics.throttled(order.row.platform)
    if answer.state is State.SENT:
        metrics.accepted(order.row.platform, (answered_at - order.row.due_at).total_seconds())


def _attempt(means: Means, order: Order, request: Request, claimed: Claim) -> Verdict:
    secret = order.account.secret
    try:
        receipt = send(order.platform, means.client, request, secret, Guard(claimed.lease_ticks))
    except errors.PlatformError as error:
        error.words = scrubbed(error.words, secret, (order.content.text,))
        return verdict.turned_away(error, order.row.put_offs, order.row.throttled_in_a_row)
    except Exception as error:
        log.exception("sending failed in an unforeseen way")
        return verdict.turned_away(errors.MaybeSent(f"unforeseen: {type(error).__name__}"), 0, 0)
    return verdict.accepted(receipt)


def _unless_renewed(means: Means, order: Order, answer: Verdict) -> Verdict:
    """A token that ended on the way stops nobody: with a newer one it goes again."""
    if answer.name != "credentials" or means.tokens is None:
        return answer
    try:
        newer = means.tokens.after_401(order.platform.name, order.account)
    except (errors.Unreachable, SQLAlchemyError) as error:  # whatever it is: what came back is recorded
        words = error.words if isinstance(error, errors.Unreachable) else answer.words
        again = verdict.backoff(order.row.put_offs)
        return replace(answer, words=words, waiting_for="retry", retry_in=again, stop=None)
    except errors.Unauthorized as error:
        return verdict.turned_away(error, 0, 0)
    return replace(answer, waiting_for="retry", retry_in=0.0, stop=None) if newer else answer


def digest(request: Request) -> str:
    """What was sent, without the headers that hold the key."""
    return hashlib.sha256(_in_order([request.method, request.url, request.json]).encode()).hexdigest()


def _account_turned_away(means: Means, order: Order, error: errors.TurnedAway) -> None:
    """A read before the claim drew a 401, 403 or 429: no attempt was made, but the whole account is concerned."""
    answer = verdict.turned_away(error, order.row.put_offs, order.row.throttled_in_a_row)
    with accounts.held(means.ledger, [order.row.creator_id]) as (connection, now):
        note = Note(now, means.who, f"preflight, {answer.name}: {answer.words}")
        until = now + timedelta(seconds=answer.cool_down) if answer.cool_down is not None else None
        put_back(connection, order.row, Wait(answer.waiting_for or "retry", until), note)
        key = credentials.digest(means.newest(order.account).secret)
        settle_account(connection, order.row.creator_id, answer, note, key)
    means.nudge()


def _no_credential(means: Means, broadcast_id: int, words: str) -> None:
    this_one = select(broadcasts).where(broadcasts.c.id == broadcast_id)
    with means.ledger.read() as session:
        creator_id = session.execute(this_one).one().creator_id
    with accounts.held(means.ledger, [creator_id]) as (connection, now):
        row = connection.execute(this_one).one()
        put_back(connection, row, Wait("creator"), Note(now, means.who, f"credentials: {words}"))
        accounts.stop(connection, row.creator_id, now, means.who, f"credentials: {words}")


def _end(means: Means, order: Order, state: State, reason: str) -> None:
    with accounts.held(means.ledger, [order.row.creator_id]) as (connection, now):
        unchanged = version_of(order.row.id, order.row.version)
        end_unsent(connection, unchanged, State.QUEUED, state, Note(now, means.who, reason), reason=reason)
    means.nudge()


def _put_off(means: Means, order: Order, cause: str, seconds: float, words: str) -> None:
    with accounts.held(means.ledger, [order.row.creator_id]) as (connection, now):
        put_back(connection, order.row, Wait(cause, now + timedelta(seconds=seconds)), Note(now, means.who, words))
    means.nudge()
