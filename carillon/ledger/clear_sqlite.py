"""The clear cases on SQLite, where one transaction at a time writes, and sees everything."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import Executable, exists, func, insert, literal, or_, select, update

from carillon import clock
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.prepared import Prepared, the
from carillon.ledger.tables import attempts, broadcasts, creators, events, pauses, slots


def claim(ledger: Ledger, taking: Mapping[str, Any]) -> tuple[int, int] | None:
    """As `clear.claim`."""
    return ledger.gathered.write(partial(_claim_with, taking))


def record(ledger: Ledger, acceptance: Mapping[str, Any]) -> bool:
    """As `clear.record`."""
    return ledger.gathered.write(partial(_record_with, acceptance))


def _claim_with(taking: Mapping[str, Any], cursor: Any) -> tuple[int, int] | None:
    now, steps = clock.now(), _claim()
    values = {**taking, "now": now}
    limit = steps.limit.one(cursor, values)
    if limit is None:
        return None
    count, seconds = limit
    values |= {"most": count, "window_begin": now - timedelta(seconds=seconds)}
    moved = steps.move.one(cursor, values)
    if moved is None:
        return None
    (number,) = moved
    lease_until = now + timedelta(seconds=taking["lease_seconds"])
    values |= {"number": number, "lease_until": lease_until, "why": f"claimed, attempt {number}"}
    attempt_id: int = steps.attempt.run(cursor, values).lastrowid
    taken_at = _slot_clock(cursor, steps.latest, values)
    ended_at = taken_at + timedelta(seconds=taking["lease_seconds"] + taking["timeout_seconds"])
    steps.slot.run(cursor, {**values, "attempt": attempt_id, "taken_at": taken_at, "ended_at": ended_at})
    steps.event.run(cursor, values)
    return attempt_id, number


def _record_with(acceptance: Mapping[str, Any], cursor: Any) -> bool:
    steps = _record()
    values = {**acceptance, "now": clock.now(), "why": f"{acceptance['verdict']}: {acceptance['words']}"}
    if not steps.move.run(cursor, values).rowcount:
        return False
    values["ended_at"] = _slot_clock(cursor, steps.latest, values)
    for step in (steps.attempt, steps.slot, steps.event, steps.wake):
        step.run(cursor, values)
    return True


def _slot_clock(cursor: Any, latest: Prepared, values: Mapping[str, Any]) -> datetime:
    """As `allowance.slot_clock`."""
    now: datetime = values["now"]
    (taken_at,) = latest.one(cursor, values) or (None,)
    return max(now, taken_at) if taken_at else now


class _Claim(NamedTuple):
    limit: Prepared
    move: Prepared
    attempt: Prepared
    latest: Prepared
    slot: Prepared
    event: Prepared


class _Record(NamedTuple):
    move: Prepared
    latest: Prepared
    attempt: Prepared
    slot: Prepared
    event: Prepared
    wake: Prepared


@cache
def _claim() -> _Claim:
    steps = (_limit(), _take(), _open_attempt(), _latest_slot(), _take_slot(), _said("queued", "sending"))
    return _Claim(*map(_prepared, steps))


@cache
def _record() -> _Record:
    steps = (_accept(), _latest_slot(), _close_attempt(), _end_slot(), _said("sending", "sent"), _wake())
    return _Record(*map(_prepared, steps))


def _prepared(statement: Executable) -> Prepared:
    return Prepared(statement, embedded=True)


def _limit() -> Executable:
    """The limit of an account that nothing holds back as a whole."""
    paused = select(pauses.c.level).where(
        or_(
            pauses.c.level == "all",
            (pauses.c.level == "platform") & (pauses.c.target == creators.c.platform),
            (pauses.c.level == "creator") & (pauses.c.target == creators.c.key),
        )
    )
    return select(creators.c.limit_count, creators.c.limit_seconds).where(
        creators.c.id == the("account"),
        creators.c.stopped_at.is_(None),
        func.coalesce(creators.c.quiet_hours, "") == "",
        or_(creators.c.cool_down_until.is_(None), creators.c.cool_down_until <= the("now")),
        ~paused.exists(),
    )


def _take() -> Executable:
    paused = exists().where(pauses.c.level == "campaign", pauses.c.target == broadcasts.c.campaign)
    return (
        update(broadcasts)
        .where(
            broadcasts.c.id == the("broadcast"),
            broadcasts.c.version == the("version"),
            broadcasts.c.state == "queued",
            broadcasts.c.due_at <= the("now"),
            broadcasts.c.expires_at > the("now"),
            ~paused,
            _used() + _due() <= the("most"),
        )
        .values(attempts=broadcasts.c.attempts + 1, **_moved_to("sending"))
        .returning(broadcasts.c.attempts)
    )


def _used() -> Any:
    live = (slots.c.creator_id == the("account"), slots.c.ended_at > the("window_begin"))
    return select(func.count()).select_from(slots).where(*live).scalar_subquery()


def _due() -> Any:
    """How many broadcasts of the account, with this one, could want a slot now; counted to one past the limit.

    As values the states would have SQLite ask at each run, and plan anew, which of the partial indexes they fit.
    """
    of_account = broadcasts.alias("of_account")
    wanting = select(of_account.c.id).where(
        of_account.c.creator_id == the("account"),
        or_(*(of_account.c.state == literal(state, literal_execute=True) for state in ("queued", "planned"))),
        of_account.c.due_at <= the("now"),
    )
    some = wanting.limit(the("most") + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _open_attempt() -> Executable:
    return insert(attempts).values(
        broadcast_id=the("broadcast"),
        number=the("number"),
        token=the("token"),
        host=the("host"),
        pid=the("pid"),
        process_birth=the("birth"),
        started_at=the("now"),
        lease_until=the("lease_until"),
        timeout_seconds=the("timeout_seconds"),
        request_digest=the("request_digest"),
        baseline=the("baseline"),
    )


def _take_slot() -> Executable:
    return insert(slots).values(
        attempt_id=the("attempt"), creator_id=the("account"), taken_at=the("taken_at"), ended_at=the("ended_at")
    )


def _accept() -> Executable:
    other = broadcasts.alias("other")
    its_attempt = (attempts.c.id == the("attempt"), attempts.c.token == the("token"), attempts.c.finished_at.is_(None))
    same_message = (other.c.creator_id == the("account"), other.c.platform_message_id == the("message_id"))
    return (
        update(broadcasts)
        .where(
            broadcasts.c.id == the("broadcast"),
            broadcasts.c.state == "sending",
            broadcasts.c.attempts == the("number"),
            exists().where(*its_attempt),
            ~exists().where(*same_message),
            exists().where(creators.c.id == the("account"), creators.c.throttled_in_a_row == 0),
        )
        .values(
            reason=None,
            platform_message_id=the("message_id"),
            recipient_count=the("recipient_count"),
            sent_at=the("now"),
            delivery=the("delivery"),
            **_moved_to("sent"),
        )
    )


def _close_attempt() -> Executable:
    closed = update(attempts).where(attempts.c.id == the("attempt"))
    return closed.values(
        finished_at=the("now"),
        latency_ms=the("latency_ms"),
        status=the("status"),
        verdict=the("verdict"),
        words=the("words"),
    )


def _end_slot() -> Executable:
    return update(slots).where(slots.c.attempt_id == the("attempt")).values(ended_at=the("ended_at"))


def _latest_slot() -> Executable:
    of_account = (slots.c.creator_id == the("account"), slots.c.ended_at > the("now"))
    return select(func.max(slots.c.taken_at)).where(*of_account)


def _wake() -> Executable:
    awaited = (creators.c.id == the("account"), accounts.sleeps_though_awaited(the("now")))
    return update(creators).where(*awaited).values(wake_at=the("now"))


def _said(source: str, target: str) -> Executable:
    return insert(events).values(
        broadcast_id=the("broadcast"),
        creator_id=the("account"),
        at=the("now"),
        source=source,
        target=target,
        why=the("why"),
        who=the("who"),
    )


def _moved_to(target: str) -> dict[str, Any]:
    return {
        "state": target,
        "version": broadcasts.c.version + 1,
        "state_since": the("now"),
        "waiting_for": None,
        "not_before": None,
    }
