"""One look at what an account's platform shows, seen with the eyes of one broadcast whose outcome is unknown."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from carillon import clock
from carillon.platforms.agreement import Agreement, agrees
from carillon.platforms.contract import Account, Content, Platform, Shown
from worker.means import Means
from worker.settle import Sighted

LOOK_BACK = timedelta(hours=1)
"""How far before the request a look reaches."""

BASELINE_BACK = timedelta(hours=2)
"""A baseline reaches further, so that nothing old seems new, not even to a clock that is wrong by an hour."""

_MARGIN = timedelta(minutes=1)
"""Around the attempt: platforms count whole seconds, and their clocks are not ours."""

_MOST_NEW = 50


@dataclass(frozen=True)
class Wanted:
    """The broadcast, when its request may have arrived, and what is known to be something else."""

    content: Content
    started_at: datetime
    ended_at: datetime
    baseline: frozenset[str] | None
    bound: Collection[str]
    siblings: Sequence[Content]
    """Of the account's other broadcasts that may have been taken and have no message yet."""


@dataclass(frozen=True)
class Sight:
    sighted: Sighted
    messages: Mapping[str, Shown] = field(default_factory=dict)

    def told(self) -> str:
        """For the person who may have to decide."""
        grouped = {"whole": self.sighted.whole, "part": self.sighted.part, "no": self.sighted.other}
        return json.dumps([_told(self.messages[id_], agrees) for agrees, ids in grouped.items() for id_ in ids])


def look(means: Means, platform: Platform, account: Account, wanted: Wanted) -> Sight:
    """Raises the reading errors of `errors.py`; of a look that is not complete nothing counts."""
    shown = platform.shown(means.client, account, wanted.started_at - LOOK_BACK)
    fresh = [one for one in shown if one.id not in (wanted.baseline or ()) and one.id not in wanted.bound]
    messages = {one.id: _whole(means, platform, account, one) for one in fresh[:_MOST_NEW]}
    return Sight(judged(wanted, messages.values(), more=len(fresh) > _MOST_NEW), messages)


def judged(wanted: Wanted, messages: Collection[Shown], *, more: bool = False) -> Sighted:
    """How each message that may be the broadcast agrees with it; what is surely another broadcast's is left out."""
    found: dict[Agreement, list[str]] = {"whole": [], "part": [], "no": []}
    for message in messages:
        agreement = _agreement(wanted, message)
        if agreement:
            found[agreement].append(message.id)
    return Sighted(found["whole"], found["part"], [*found["no"], *(["more than can be looked at"] if more else [])])


def _agreement(wanted: Wanted, message: Shown) -> Agreement | None:
    agreement = agrees(wanted.content, message)
    anothers = any(agrees(sibling, message) == "whole" for sibling in wanted.siblings)
    if agreement == "whole" and not anothers and _in_time(wanted, message):
        return "whole"
    if agreement == "whole":
        return "part" if wanted.baseline is not None or _may_be_in_time(wanted, message) else None
    if anothers or (wanted.baseline is None and not _may_be_in_time(wanted, message)):
        return None
    return agreement


def _in_time(wanted: Wanted, message: Shown) -> bool:
    """Without a time only a baseline can tell that it is new."""
    return wanted.baseline is not None if message.created_at is None else _may_be_in_time(wanted, message)


def _may_be_in_time(wanted: Wanted, message: Shown) -> bool:
    return message.created_at is None or wanted.started_at - _MARGIN <= message.created_at <= wanted.ended_at + _MARGIN


def _whole(means: Means, platform: Platform, account: Account, message: Shown) -> Shown:
    return platform.whole(means.client, account, message) if message.text is None else message


def _told(message: Shown, agreement: str) -> dict[str, object]:
    return {
        "id": message.id,
        "agrees": agreement,
        "created_at": clock.rfc3339(message.created_at) if message.created_at else None,
        "text": (message.text or "")[:200],
        "price_cents": message.price_cents,
        "recipient_count": message.recipient_count,
    }
