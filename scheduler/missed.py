"""What fell due while no scheduler ran, and which of it is still sent.

A scheduler beats; what fell due between two beats that lie over a minute apart, and was not noticed within that
minute, was missed. Waiting for a limit, a cool-down, a pause or quiet hours is not missing, and what a person sends, or
has planned again, goes as that person said.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, exists, or_, select

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.text import TextError
from carillon.ledger import accounts, beats, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.inserts import among
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts, cursors, events
from scheduler.pairs import Pair, batches, cursors_of
from scheduler.plan import NOT_WITHDRAWN
from scheduler.proposals import carry_out, propose
from scheduler.resent import PLANNED_BY_A_PERSON
from scheduler.revise import entry_of, is_live, names_of

GRACE = timedelta(minutes=1)
MOST_ROWS = 100
_AT_ONCE = 1000
_PAIRS_AT_ONCE = 20
"""Each may bring a hundred rows."""


def gap(ledger: Ledger) -> tuple[datetime, datetime] | None:
    """(last beat of any scheduler, now), if that is too long ago."""
    with ledger.read() as session:
        connection = session.connection()
        now, last = ledger.now(connection), beats.last(connection, "scheduler")
    return (last, now) if last is not None and now - last > GRACE else None


def catch_up(
    ledger: Ledger,
    catalogue: Catalogue,
    missed: tuple[datetime, datetime],
    who: str,
    ends: Callable[[], bool] = lambda: False,
) -> None:
    """Apply each campaign's `catch_up` to what fell due in the gap. Safe to repeat, and to end when told."""
    start, end = missed
    unplanned = _unplanned(ledger, end - GRACE)
    names = names_of(ledger, catalogue) if unplanned else {}
    for batch in batches(unplanned, _PAIRS_AT_ONCE):
        if ends():
            return
        entries = {pair: entry_of(catalogue, names, pair) for pair in batch}
        _plan_missed(ledger, entries, end - GRACE, who)
    reason = "missed_window: no scheduler ran when it was due"
    for ids_left_out in batches(_left_out_ids(ledger, start, end), _AT_ONCE):
        with ledger.write() as connection:
            which = among(connection, broadcasts.c.id, ids_left_out)
            accounts.lock_of(connection, which)
            note = Note(ledger.now(connection), who, reason)
            move(connection, which, State.PLANNED, State.SKIPPED, note, reason=reason)


def left_out(catch_up: str, missed: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Which of a pair's missed broadcasts, oldest first, are not sent any more."""
    match catch_up:
        case "all":
            return ()
        case "latest":
            return missed[:-1]
        case _:
            return missed


def _left_out_ids(ledger: Ledger, start: datetime, end: datetime) -> list[int]:
    fell_due = (
        broadcasts.c.state == State.PLANNED,
        broadcasts.c.waiting_for == "time",
        broadcasts.c.kind != "send",
        ~exists().where(events.c.broadcast_id == broadcasts.c.id, PLANNED_BY_A_PERSON),
        or_(
            and_(broadcasts.c.goes_at.is_(None), broadcasts.c.due_at > start, broadcasts.c.due_at <= end - GRACE),
            and_(broadcasts.c.goes_at > start, broadcasts.c.goes_at <= end - GRACE),
        ),
    )
    columns = (broadcasts.c.id, broadcasts.c.campaign, broadcasts.c.creator_id, broadcasts.c.catch_up)
    pairs: dict[Pair, list[Row[Any]]] = defaultdict(list)
    with ledger.read() as session:
        for row in session.execute(select(*columns).where(*fell_due).order_by(placing.DUE)):
            pairs[row.campaign, row.creator_id].append(row)
    return [row.id for missed in pairs.values() for row in left_out(missed[-1].catch_up, missed)]


def _unplanned(ledger: Ledger, until: datetime) -> Sequence[Pair]:
    """What an outage has outlasted the plan of."""
    behind = select(cursors.c.campaign, cursors.c.creator_id).where(NOT_WITHDRAWN, cursors.c.planned_until < until)
    with ledger.read() as session:
        return [(row.campaign, row.creator_id) for row in session.execute(behind)]


def _plan_missed(ledger: Ledger, entries: Mapping[Pair, Entry | None], until: datetime, who: str) -> None:
    """Rows for the last of it, and a count of the rest."""
    with ledger.read() as session:
        connection = session.connection()
        known = cursors_of(connection, entries)
        note = Note(ledger.now(connection), who, "missed")
    proposals = []
    for pair, cursor in known.items():
        entry = entries[pair]
        if entry and is_live(entry) and cursor.revision == entry.revision and entry.schedule.kind != "at":
            missed = list(entry.occurrences(cursor.planned_until, until))
            unseen = max(0, len(missed) - MOST_ROWS)
            with suppress(TextError):  # the planner meets it too, and tells
                proposals.append(propose(cursor, entry, missed[-MOST_ROWS:], until, note, unseen))
    with ledger.write() as connection:
        accounts.lock(connection, sorted({creator_id for _, creator_id in entries}))
        carry_out(connection, proposals, Note(ledger.now(connection), who, "missed"))
