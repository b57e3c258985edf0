"""What a wall clock shows and when: local labels become instants here, and nowhere else.

In a gap (clocks forward) a label means the first instant after it, in a fold (clocks back) the first of two.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

_SECOND = timedelta(seconds=1)


def instant_of(label: datetime, zone: tzinfo) -> datetime:
    """The instant in UTC at which a clock in `zone` shows the naive `label`. Never falls as labels rise."""
    instant = label.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if shown(instant, zone) == label:
        return instant
    return _end_of_gap(label, zone)


def shown(instant: datetime, zone: tzinfo) -> datetime:
    """What a clock in `zone` shows at `instant`, naive."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def times_shown(label: datetime, zone: tzinfo) -> Literal[0, 1, 2]:
    """How often the clock shows `label`: 0 in a gap, 2 in a fold."""
    first = label.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = label.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return 1
    return 2 if shown(first, zone) == label else 0


def _end_of_gap(label: datetime, zone: tzinfo) -> datetime:
    # fold=1 reads the label by the offset after the gap, so it lies before it; fold=0 the other way round.
    before = label.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = label.replace(tzinfo=zone, fold=0).astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
