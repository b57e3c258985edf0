"""Whose is which message: what a platform shows newly, seen with the eyes of one broadcast of unknown outcome. Pure.

A message that agrees in all with one broadcast alone is that one's. Several that say the same are told apart by their
order, if that leaves one way only; else nobody is given any, and a person decides.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations, permutations

from carillon.platforms.agreement import Agreement, agrees
from carillon.platforms.contract import Content, Shown
from worker.settle import Sighted

_MARGIN = timedelta(minutes=1)
"""Around the attempt: platforms count whole seconds, and their clocks are not ours."""

_MOST_ALIKE = 5


@dataclass(frozen=True, eq=False)  # two that say the same at the same time are still two
class Wanted:
    """A broadcast that may have been taken and has no message yet.

    `started_at` and `ended_at` say when its request may have arrived, `baseline` what was shown before it, None if
    nobody looked. One that is `under_way` may still get its answer. `goes_at` is for when it was to be placed.
    """

    content: Content
    started_at: datetime
    ended_at: datetime
    baseline: frozenset[str] | None
    under_way: bool = False
    goes_at: datetime | None = None


def judged(wanted: Wanted, others: Sequence[Wanted], messages: Collection[Shown]) -> Sighted:
    """How each message agrees with `wanted`; those of `others`, and those that were there before, are left out."""
    own = [one for one in messages if may_be(wanted, one) and is_in_time(wanted, one)]
    rivals = {one.id: [other for other in others if may_be(other, one)] for one in own}
    contested = tuple(one.id for one in own if rivals[one.id])
    whole = tuple(one.id for one in own if not rivals[one.id])
    rest = [one for one in messages if one.id not in rivals and not any(may_be(other, one) for other in others)]
    part = tuple(one.id for one in rest if _agreement(wanted, one) == "part")
    other = tuple(one.id for one in rest if _agreement(wanted, one) == "no")
    if not contested:
        return Sighted(whole, part, other)
    if (found := _by_order(wanted, others, messages)) in rivals:
        return Sighted((found,), part, other)
    if any(rival.under_way for id_ in contested for rival in rivals[id_]):
        return Sighted(whole, part, other, awaited=contested)
    return Sighted(whole, part + contested, other)


def is_new(wanted: Wanted, message: Shown) -> bool:
    """Whether it can have been made by its request, as far as its id, or without a baseline its time, tells."""
    return may_be_in_time(wanted, message) if wanted.baseline is None else message.id not in wanted.baseline


def may_be(wanted: Wanted, message: Shown) -> bool:
    """Whether nothing speaks against its being the broadcast's."""
    new = is_new(wanted, message) and may_be_in_time(wanted, message)
    return new and agrees(wanted.content, message) == "whole"


def is_in_time(wanted: Wanted, message: Shown) -> bool:
    """Without a time only a baseline can tell that it is new."""
    return wanted.baseline is not None if _time(message) is None else may_be_in_time(wanted, message)


def may_be_in_time(wanted: Wanted, message: Shown) -> bool:
    at = _time(message)
    if at is None or (wanted.goes_at is not None and abs(at - wanted.goes_at) <= _MARGIN):
        return True
    return wanted.started_at - _MARGIN <= at <= wanted.ended_at + _MARGIN


def is_ahead(message: Shown, goes_at: datetime, now: datetime) -> bool:
    """Whether what was to be placed for then, and is shown, has not gone yet."""
    if message.delivery in ("delivering", "done", "error", "cancelled"):
        return False
    return message.scheduled_at is not None or now < goes_at


def _time(message: Shown) -> datetime | None:
    return message.scheduled_at or message.created_at


def _agreement(wanted: Wanted, message: Shown) -> Agreement | None:
    """Of a message that cannot be `wanted` for sure; None if it has nothing to do with it."""
    if not is_new(wanted, message):
        return None
    agreement = agrees(wanted.content, message)
    return "part" if agreement == "whole" else agreement


def _by_order(wanted: Wanted, others: Sequence[Wanted], messages: Collection[Shown]) -> str | None:
    """The one message that is `wanted`'s, if all that say the same were taken; None if that is not clear."""
    alike, shown = _knot(wanted, others, messages)
    if len(alike) != len(shown) or len(alike) > _MOST_ALIKE:
        return None
    ways = [way for way in permutations(shown) if _is_possible(list(zip(alike, way, strict=True)))]
    return ways[0][0].id if len(ways) == 1 else None


def _knot(wanted: Wanted, others: Sequence[Wanted], messages: Collection[Shown]) -> tuple[list[Wanted], list[Shown]]:
    """`wanted`, first, and all whose messages it might have, and all of those messages, and so on."""
    alike, shown = [wanted], list[Shown]()
    while True:
        more = [one for one in messages if one not in shown and any(may_be(each, one) for each in alike)]
        rivals = [one for one in others if one not in alike and any(may_be(one, each) for each in (*shown, *more))]
        if not more and not rivals:
            return alike, shown
        shown, alike = shown + more, alike + rivals


def _is_possible(way: Sequence[tuple[Wanted, Shown]]) -> bool:
    return all(may_be(one, message) for one, message in way) and not any(map(_is_turned, combinations(way, 2)))


def _is_turned(two: Iterable[tuple[Wanted, Shown]]) -> bool:
    """Whether the one that had ended when the other began has the later message."""
    (early, first), (late, second) = sorted(two, key=lambda pair: pair[0].started_at)
    if early.ended_at > late.started_at or first.created_at is None or second.created_at is None:
        return False
    return first.created_at > second.created_at
