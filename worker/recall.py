"""Taking a broadcast back from the fans, where its platform lets that be done; buyers keep what they bought."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from carillon.ledger import accounts, figures
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms import credentials, errors
from carillon.platforms.contract import Account, Platform, Shown
from carillon.platforms.parts import Calendar, Recall
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.writing import written
from worker.account import account_of
from worker.means import Means
from worker.sight import LOOK_BACK


class RecallError(Exception):
    """It is not taken back, or that is not known; says so to a person. The ledger is unchanged."""


@dataclass(frozen=True)
class Sent:
    """A broadcast that is to be taken back, as it was read."""

    row: Row[Any]
    platform: Platform
    account: Account
    calendar: Calendar
    recall: Recall


def unsend(means: Means, broadcast_id: int, reason: str) -> int | None:
    """How many had bought it, None if nobody says. `reason` begins with `by_person`. Raises RecallError."""
    try:
        sent = _read(means, broadcast_id)
        shown = _look(means, sent)
        _take_back(means, sent, shown)
        _record(means, sent.row, reason)
    except credentials.CredentialError as error:
        raise RecallError(f"broadcast {broadcast_id}: {error}") from None
    except errors.PlatformError as error:
        words = f"the platform cannot be asked: {error.words}; try again"
        raise RecallError(f"broadcast {broadcast_id} is still sent: {words}") from None
    return _bought(means, sent, shown)


def _read(means: Means, broadcast_id: int) -> Sent:
    with means.ledger.read() as session:
        row = session.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
        if row is None:
            raise RecallError(f"there is no broadcast {broadcast_id}")
        creator = session.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    if row.state != State.SENT:
        raise RecallError(f"broadcast {row.id} is {row.state}; only sent or placed ones can be taken back")
    platform = PLATFORMS[row.platform]
    if platform.recall is None or platform.calendar is None:
        raise RecallError(f"broadcast {row.id} is still sent: {row.platform} takes nothing back")
    if row.platform_message_id is None:
        raise RecallError(f"broadcast {row.id} is still sent: {row.platform} gave no id for it; see its own page")
    account = means.fresh(platform, account_of(means, creator))
    return Sent(row, platform, account, platform.calendar, platform.recall)


def _look(means: Means, sent: Sent) -> Shown | None:
    since = (sent.row.sent_at or sent.row.state_since) - LOOK_BACK
    caller = means.caller(sent.platform, sent.account)
    return sent.calendar.look(caller, sent.account, sent.row.platform_message_id, since)


def _take_back(means: Means, sent: Sent, shown: Shown | None) -> None:
    """Whoever was cut off in the middle of it finds it withdrawn. What is only shown no more is asked for as well."""
    if shown is not None and shown.delivery == "cancelled":
        return
    why_not = _why_not(means, sent, shown) if shown else None
    if why_not:
        raise RecallError(f"broadcast {sent.row.id} is still sent: {why_not}")
    refused = _withdraw(means, sent)
    if refused is not None and not (shown and _is_gone(_look(means, sent))):
        raise RecallError(f"broadcast {sent.row.id} is still sent: {refused}")


def _why_not(means: Means, sent: Sent, shown: Shown) -> str | None:
    with means.ledger.read() as session:
        now = means.ledger.now(session.connection())
    return sent.recall.recallable(shown, sent.row.sent_at or sent.row.state_since, now)


def _withdraw(means: Means, sent: Sent) -> str | None:
    """None if the platform says that it is done; else only a look tells."""
    request = sent.recall.withdraw(sent.account, sent.row.platform_message_id)
    try:
        written(means.caller(sent.platform, sent.account).write(request), sent.account.secret)
    except errors.Refused as error:
        return None if error.status in (404, 410) else error.words
    except errors.Unreachable as error:
        return f"no clear answer, and the platform does not show that it is done: {error.words}; try again"
    return None


def _is_gone(shown: Shown | None) -> bool:
    return shown is None or shown.delivery == "cancelled"


def _record(means: Means, row: Row[Any], reason: str) -> None:
    """Results may have been written to it meanwhile; of two who take it back, one finds it `unsent`."""
    with accounts.held(means.ledger, [row.creator_id]) as (connection, now):
        changes = {"reason": reason, "delivery": "cancelled"}
        move(connection, broadcasts.c.id == row.id, State.SENT, State.UNSENT, Note(now, means.who, reason), **changes)


def _bought(means: Means, sent: Sent, shown: Shown | None) -> int | None:
    """By the platform now, or by what it told before."""
    this_one = broadcasts.c.id == sent.row.id
    with means.ledger.read() as session:
        evidence = figures.evidence_of(session.connection(), this_one)[sent.row.id]
    told = [shown.purchases if shown else None, figures.chosen(evidence).purchases]
    return max((count for count in told if count is not None), default=None)
