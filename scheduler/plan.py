"""Schedules become planned broadcasts, up to a day ahead: one row for one occurrence, for ever.

A cursor for each campaign and creator says how far that has come, so a beat reads those alone that fall behind. They
are planned hundreds at a time, under the locks of their accounts, which are held while rows are written and no longer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, literal, select

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.occurrences import Occurrence
from carillon.campaigns.text import TextError
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note
from carillon.ledger.tables import cursors
from scheduler.pairs import Pair, batches, cursors_of
from scheduler.proposals import Ats, Proposal, ats, carry_out, propose, tell_of_text
from scheduler.resent import hold_resent
from scheduler.revise import entry_of, is_live, names_of, revise, still_in_force

HORIZON = timedelta(days=1)
SOON = timedelta(hours=20)
"""What is planned no further than this falls behind."""

AHEAD = timedelta(hours=23)
"""Of what is planned further than that, but not so far, each beat takes some, those that are planned least: what came
into force together is not planned again all at once."""

_BEYOND_LEAD, _LEAD_AHEAD = timedelta(hours=1), timedelta(minutes=30)
"""What is placed ahead is planned so much further than its lead, and falls behind when it is only so much further."""

_SOME, _PART = 100, 100
"""So many, or such a part of all where that is more."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_OF_ONE = 300
_AT_ONCE = 200
NOT_WITHDRAWN = cursors.c.revision != literal("", literal_execute=True)
"""Said in the statement itself: the index of what falls behind is only for statements that say so."""


def plan(
    ledger: Ledger, catalogue: Catalogue, generation: int, who: str, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Plan every campaign of the catalogue up to the horizon; returns how many broadcasts are new."""
    revise(ledger, catalogue, generation, who, stopping)
    planner = _Planner(ledger, catalogue, generation, who)
    count = 0
    for batch in batches(_behind(ledger, catalogue), _AT_ONCE):
        new = None if stopping() else planner.plan(batch)
        if new is None:
            break
        count += new
    return count


def _behind(ledger: Ledger, catalogue: Catalogue) -> Sequence[Pair]:
    """Those planned least first: of what is new, all."""
    pair = select(cursors.c.campaign, cursors.c.creator_id).where(NOT_WITHDRAWN)
    ordered = pair.order_by(cursors.c.planned_until, cursors.c.campaign, cursors.c.creator_id)
    some = max(_SOME, catalogue.live_count // _PART)
    with ledger.read() as session:
        now = ledger.now(session.connection())
        late = session.execute(ordered.where(cursors.c.planned_until < now + SOON)).all()
        window = (cursors.c.planned_until >= now + SOON, cursors.c.planned_until < now + AHEAD)
        ahead = session.execute(ordered.where(*window).limit(some)).all()
        found = dict.fromkeys((row.campaign, row.creator_id) for row in (*late, *ahead))
        return list(found | dict.fromkeys(_with_lead_behind(session.connection(), catalogue, now)))


def _with_lead_behind(connection: Connection, catalogue: Catalogue, now: datetime) -> Sequence[Pair]:
    """Those that are placed ahead of time must be planned further than that."""
    leads = catalogue.leads
    if not leads:
        return ()
    columns = (cursors.c.campaign, cursors.c.creator_id, cursors.c.planned_until)
    until = now + max(leads.values()) + _LEAD_AHEAD
    behind = select(*columns).where(NOT_WITHDRAWN, cursors.c.planned_until < until).order_by(*columns[:2])
    return [
        (row.campaign, row.creator_id)
        for names in batches(sorted(leads), _AT_ONCE)
        for row in connection.execute(behind.where(cursors.c.campaign.in_(names)))
        if row.planned_until < now + leads[row.campaign] + _LEAD_AHEAD
    ]


class _Planner:
    """Plans batches of pairs by one catalogue."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue, generation: int, who: str) -> None:
        self._ledger, self._catalogue, self._generation, self._who = ledger, catalogue, generation, who

    @cached_property
    def _names(self) -> Mapping[int, str]:
        return names_of(self._ledger, self._catalogue)

    def plan(self, batch: Sequence[Pair]) -> int | None:
        """How many broadcasts are new; None once another generation is in force."""
        found = {pair: entry_of(self._catalogue, self._names, pair) for pair in batch}
        entries = {pair: entry for pair, entry in found.items() if entry and is_live(entry)}
        proposals = self._proposals(entries)
        with self._ledger.write() as connection:
            if not still_in_force(connection, self._generation):
                return None
            accounts.lock(connection, sorted({creator_id for _, creator_id in batch}))
            note = Note(self._ledger.now(connection), self._who, "planned")
            new = carry_out(connection, proposals, note)
            hold_resent(connection, new, self._catalogue.campaigns.keys(), note)
            return len(new)

    def _proposals(self, entries: Mapping[Pair, Entry]) -> list[Proposal]:
        with self._ledger.read() as session:
            connection = session.connection()
            note = Note(self._ledger.now(connection), self._who, "planned")
            once = ats(connection, [pair for pair, entry in entries.items() if entry.schedule.kind == "at"])
            known = cursors_of(connection, entries)
        proposals = []
        for pair, cursor in known.items():
            try:
                # what an edit has changed meanwhile is brought in line before it is planned further
                if not cursor.edited and cursor.revision == entries[pair].revision:
                    proposals.append(_proposal(cursor, entries[pair], once, note))
            except TextError as error:
                tell_of_text(self._ledger, pair, entries[pair], error)
        return proposals


def _proposal(cursor: Row[Any], entry: Entry, once: Ats, note: Note) -> Proposal:
    until = note.at + max(HORIZON, (entry.lead or timedelta()) + _BEYOND_LEAD)
    found = list(islice(_occurrences(cursor, entry, once, until), _MOST_OF_ONE))
    return propose(cursor, entry, found, found[-1].instant if len(found) == _MOST_OF_ONE else until, note)


def _occurrences(cursor: Row[Any], entry: Entry, once: Ats, until: datetime) -> Iterator[Occurrence]:
    pair = (cursor.campaign, cursor.creator_id)
    if entry.schedule.kind != "at":
        return entry.occurrences(cursor.planned_until, until)
    if pair in once.gone:
        return iter(())
    return entry.occurrences(cursor.since if pair in once.had else _EPOCH, until)
