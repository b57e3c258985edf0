"""Results of many broadcasts, summed up by what they have in common.

What nobody said is left out of a sum, and counted as unknown; a sum of nothing known is None. A rate is worked out
over the broadcasts of which both its numbers are known.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from carillon.ledger.figures import Figures, chosen, evidence_of
from carillon.ledger.questions import Wanted
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts

By = Literal["campaign", "creator", "variant", "label", "day"]

COUNTED = ("recipients", "views", "purchases", "revenue_cents")

_COLUMNS = [broadcasts.c[name] for name in ("id", "campaign", "creator", "part", "labels", "day")]


@dataclass
class Ratio:
    """Of sums over the broadcasts of which both are known."""

    part: int = 0
    whole: int = 0

    def add(self, part: int | None, whole: int | None) -> None:
        if part is not None and whole is not None:
            self.part, self.whole = self.part + part, self.whole + whole

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


@dataclass
class Sum:
    """Of some broadcasts. `key` is what they share, None for those that share nothing. Money is in US cents."""

    key: str | None
    broadcasts: int = 0
    known: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    tips_cents: int | None = None
    estimated: bool = False
    opened: Ratio = field(default_factory=Ratio)
    unlocked: Ratio = field(default_factory=Ratio)
    earned: Ratio = field(default_factory=Ratio)

    def add(self, one: Figures) -> None:
        self.broadcasts += 1
        for name in COUNTED:
            value = getattr(one, name)
            if value is None:
                self.unknown[name] += 1
            else:
                self.known[name] = self.known.get(name, 0) + value
        if one.tips_cents is not None:
            self.tips_cents = (self.tips_cents or 0) + one.tips_cents
        self.estimated |= one.estimated
        self.opened.add(one.views, one.recipients)
        self.unlocked.add(one.purchases, one.recipients)
        self.earned.add(one.revenue_cents, one.recipients)


def sums(connection: Connection, wanted: Wanted, by: By) -> tuple[list[Sum], Sum]:
    """Of what was accepted, also if it was recalled later: by key, and of all. A broadcast may have several labels."""
    which = wanted.condition() & broadcasts.c.state.in_((State.SENT, State.UNSENT))
    evidence = evidence_of(connection, which)
    groups: dict[str | None, Sum] = {}
    total = Sum(None)
    for row in connection.execute(select(*_COLUMNS).where(which)):
        if row.id in evidence:  # it was there a moment ago
            figures = chosen(evidence[row.id])
            total.add(figures)
            for key in _KEYS[by](row):
                groups.setdefault(key, Sum(key)).add(figures)
    return _in_order(groups, by), total


def _in_order(groups: Mapping[str | None, Sum], by: By) -> list[Sum]:
    """Days as they come, all else by what it earned; what shares nothing comes last."""
    if by == "day":
        return sorted(groups.values(), key=lambda one: one.key or "")
    return sorted(
        groups.values(), key=lambda one: (one.key is None, -one.known.get("revenue_cents", -1), one.key or "")
    )


def _labels(row: Row[Any]) -> Sequence[str | None]:
    return tuple(dict.fromkeys(json.loads(row.labels))) or (None,) if row.labels else (None,)


_KEYS: Mapping[By, Callable[[Row[Any]], Sequence[str | None]]] = {
    "campaign": lambda row: (row.campaign,),
    "creator": lambda row: (row.creator,),
    "variant": lambda row: (row.part,),
    "label": _labels,
    "day": lambda row: (row.day.isoformat(),),
}
"""A day is the creator's local one."""
