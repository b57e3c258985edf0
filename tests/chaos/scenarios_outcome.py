"""What came of one run, by the judge's log: doubles, losses, lateness; and what Carillon itself names as in doubt."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlalchemy import select

from carillon.ledger.tables import alarms
from chaos.scenarios_judge import Arrival
from running import Carillon

PATIENCE = 240.0
"""Seconds after the last fault or due time in which what is taken still counts as taken, and not as lost."""

REST = 660.0
"""Seconds in which everything has to come to an end: unknown outcomes may take five minutes, each of two attempts."""

WINDOW = 8.0
_ENDED = {"sent", "held", "failed", "expired", "skipped", "cancelled"}


@dataclass(frozen=True)
class Outcome:
    """`lost`: neither taken in time nor named. `in_doubt`: held, with an open alarm; `doubt_taken`: the judge has them.

    `late` are seconds after the due time, of all that were taken; `states` counts the ledger's rows; `up_late` is how
    long after the first due time Carillon was ready.
    """

    planned: int
    doubles: Sequence[str]
    lost: Sequence[str]
    in_doubt: Sequence[str]
    doubt_taken: int
    late: Sequence[float]
    states: Mapping[str, int]
    kills: int = 0
    throttled: int = 0
    unavailable: int = 0
    worst_tries: int = 0
    last: float = 0
    rested_after: float = 0
    doubt_by_platform: Mapping[str, int] = field(default_factory=dict)
    up_late: float = 0

    @property
    def median(self) -> float:
        return median(self.late)

    @property
    def worst(self) -> float:
        return max(self.late)


def wait_for_rest(carillon: Carillon, count: int, over: float) -> list[dict[str, Any]]:
    """All rows, once each has come to an end and what is held has its alarm; as they stand if that takes too long."""
    while True:
        rows = carillon.broadcasts()
        ended = len(rows) == count and all(row["state"] in _ENDED for row in rows)
        if (ended and _held(rows) <= _alarmed(carillon)) or time.time() > over + REST:
            return rows
        time.sleep(0.5)


def judged(
    planned: Mapping[str, tuple[str, int]],
    arrivals: Sequence[Arrival],
    carillon: Carillon,
    rows: Sequence[Mapping[str, Any]],
    over: float,
    kills: int,
    up_late: float,
) -> Outcome:
    """Rows are matched with what arrived by the campaign's name, which is the text."""
    taken = [arrival for arrival in arrivals if arrival.what in ("taken", "cut")]
    first = {arrival.text: arrival.at for arrival in reversed(taken)}
    named = _held(rows) & _alarmed(carillon)
    doubt = {row["campaign"]: row["platform"] for row in rows if row["id"] in named}
    in_time = {text for text, at in first.items() if at <= over + PATIENCE}
    return Outcome(
        planned=len(planned),
        doubles=sorted(text for text, count in Counter(one.text for one in taken).items() if count > 1),
        lost=sorted(planned.keys() - in_time - doubt.keys()),
        in_doubt=sorted(doubt),
        doubt_taken=len(doubt.keys() & first.keys()),
        late=[first[text] - due for text, (_, due) in planned.items() if text in first],
        states=dict(Counter(row["state"] for row in rows)),
        kills=kills,
        throttled=sum(one.what == "throttled" for one in arrivals),
        unavailable=sum(one.what == "unavailable" for one in arrivals),
        worst_tries=_worst_window(arrivals),
        last=max((at for at in first.values()), default=0) - min(due for _, due in planned.values()),
        rested_after=time.time() - over,
        doubt_by_platform=dict(Counter(doubt.values())),
        up_late=up_late,
    )


def _worst_window(arrivals: Sequence[Arrival]) -> int:
    """The most tries of one account in any eight seconds, refused ones too."""
    tries = defaultdict(list)
    for arrival in arrivals:
        tries[arrival.account].append(arrival.at)
    return max((sum(at <= one < at + WINDOW for one in of_it) for of_it in tries.values() for at in of_it), default=0)


def _held(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {row["id"] for row in rows if row["state"] == "held"}


def _alarmed(carillon: Carillon) -> set[str]:
    """The broadcasts with an open alarm."""
    with carillon.ledger.read() as session:
        found = session.scalars(select(alarms.c.broadcast_id).where(alarms.c.cleared_at.is_(None)))
        return {str(id_) for id_ in found}
