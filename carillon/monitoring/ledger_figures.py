"""What the ledger can count, each by its labels; of what was sent, the most of it, no row is visited."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, select

from carillon.handoff.orders import QUEUES as PLATFORMS
from carillon.ledger import beats as beating
from carillon.ledger import questions
from carillon.ledger.states import REASONS, WAITS, State
from carillon.ledger.tables import alarms, beats, broadcasts, catalogues, creators
from carillon.monitoring.metrics import OTHER, word

Figures = Mapping[tuple[str, ...], float]

NOTHING = "nothing"
"""What is due and held by nothing: the scheduler takes it up next."""

ROLES = ("scheduler", "worker")
_TAKEN = (State.SENT, State.UNSENT)
_OTHERS = tuple(state for state in State if state not in _TAKEN)
_TIMES = ("due_at", "goes_at", "not_before")
_WAITING = ("id", "creator_id", "platform", "campaign", "kind", "state", "waiting_for", *_TIMES)


def by_state(connection: Connection) -> Figures:
    """State, platform and the reason's word. What was sent is counted without looking for a reason."""
    found: Counter[tuple[str, ...]] = Counter(dict.fromkeys(product(map(str, State), PLATFORMS, [""]), 0))
    for state, platform, count in connection.execute(_count_by_account()):
        if state in _TAKEN:
            found[state, word(platform, PLATFORMS), ""] += int(count)
    for state, platform, reason, count in connection.execute(_count_by_reason()):
        found[state, word(platform, PLATFORMS), reason] += count
    return found


def _count_by_account() -> Select[Any]:
    """Of the index over accounts alone, since what was sent is the most; that index holds all states."""
    account, state = broadcasts.c.creator_id, broadcasts.c.state
    of = select(account, state, func.count().label("count")).group_by(account, state).subquery()
    joined = select(of.c.state, creators.c.platform, func.sum(of.c.count))
    return joined.join(creators, creators.c.id == of.c.creator_id).group_by(of.c.state, creators.c.platform)


def _count_by_reason() -> Select[Any]:
    reason = broadcasts.c.reason
    words = [(reason.startswith(known), known) for known in REASONS]
    labels = (
        broadcasts.c.state,
        broadcasts.c.platform,
        case((reason.is_(None), ""), *words, else_=OTHER).label("word"),
    )
    return select(*labels, func.count()).where(broadcasts.c.state.in_(_OTHERS)).group_by(*labels)


def waiting(connection: Connection, now: datetime, planned: Mapping[str, float]) -> Figures:
    """Cause and platform, as the command line tells the cause. `planned` is how many there are, by platform."""
    columns = [broadcasts.c[name] for name in _WAITING]
    due = select(*columns).where(broadcasts.c.state == State.PLANNED, broadcasts.c.due_at <= now)
    rows = connection.execute(due).all()
    held_by = questions.waits(connection, rows, now)
    found: Counter[tuple[str, ...]] = Counter(dict.fromkeys(product((*WAITS, NOTHING), PLATFORMS), 0))
    for row in rows:
        wait = held_by.get(row.id)
        found[wait.cause if wait else NOTHING, word(row.platform, PLATFORMS)] += 1
    on_time = Counter(planned) - Counter(word(row.platform, PLATFORMS) for row in rows)
    return found | {("time", platform): count for platform, count in on_time.items()}


def queue_age(connection: Connection, now: datetime) -> Figures:
    """Platform: seconds since the oldest that stands `queued` came there."""
    oldest = (
        select(broadcasts.c.platform, func.min(broadcasts.c.state_since))
        .where(broadcasts.c.state == State.QUEUED)
        .group_by(broadcasts.c.platform)
    )
    ages = {(word(platform, PLATFORMS),): _seconds(since, now) for platform, since in connection.execute(oldest)}
    return _nothing_yet(PLATFORMS) | ages


def by_role(connection: Connection, now: datetime) -> tuple[Figures, Figures]:
    """Role: seconds since its last beat, if there ever was one, and how many processes are alive."""
    living = func.count(case((beating.living(now), 1)))
    rows = connection.execute(select(beats.c.role, func.max(beats.c.at), living).group_by(beats.c.role)).all()
    ages: Figures = {(word(role, ROLES),): _seconds(last, now) for role, last, _ in rows}
    return ages, _nothing_yet(ROLES) | {(word(role, ROLES),): count for role, _, count in rows}


def open_alarms(connection: Connection) -> Figures:
    """The kind, which is the first word of the cause."""
    causes = connection.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None)))
    return Counter((cause.partition(":")[0],) for cause in causes)


def accounts(connection: Connection, now: datetime) -> tuple[Figures, Figures]:
    """Platform: how many of the creators in force are stopped, and how many cool down."""
    cooling = func.count(case((creators.c.cool_down_until > now, 1)))
    counts = select(creators.c.platform, func.count(creators.c.stopped_at), cooling).where(creators.c.enabled)
    rows = connection.execute(counts.group_by(creators.c.platform)).all()
    return _of_platforms(rows, 1), _of_platforms(rows, 2)


def generation(connection: Connection) -> Figures:
    newest = connection.scalar(select(func.max(catalogues.c.generation)))
    return {(): newest or 0}


def _of_platforms(rows: Sequence[Row[Any]], column: int) -> Figures:
    return _nothing_yet(PLATFORMS) | {(word(row[0], PLATFORMS),): row[column] for row in rows}


def _nothing_yet(words: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    return {(known,): 0.0 for known in words}


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
