"""One look at what an account's platform has taken, and what of it a person is told."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from carillon import clock
from carillon.platforms import errors
from carillon.platforms.agreement import differences
from carillon.platforms.contract import Account, Platform, Shown
from worker.matching import Wanted, is_new, may_be_in_time
from worker.means import Means
from worker.settle import Sighted

LOOK_BACK = timedelta(hours=1)
"""How far before the request a look reaches."""

BASELINE_BACK = timedelta(hours=2)
"""A baseline reaches further, so that nothing old seems new, not even to a clock that is wrong by an hour."""

_MOST_READ_SINGLY = 50
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Sight:
    """A complete look: the messages that may be new to one of the broadcasts it was made for, and the ids of all."""

    messages: Sequence[Shown]
    ids: frozenset[str]


@dataclass(frozen=True)
class Blind:
    """No look, or one that failed. `error` is the platform's answer, if that concerns the whole account."""

    why: Literal["unreadable", "unreachable", "throttled", "credentials"]
    words: str
    error: errors.TurnedAway | None = None
    asked: bool = True


def look(
    means: Means, platform: Platform, account: Account, wanted: Sequence[Wanted], bound: Collection[str]
) -> Sight | Blind:
    """`bound` are the ids that are known to be other broadcasts'."""
    try:
        return _look(means, platform, account, wanted, bound)
    except errors.Unauthorized as error:
        return Blind("credentials", error.words, error)
    except errors.Throttled as error:
        return Blind("throttled", error.words, error)
    except errors.Unreachable as error:
        return Blind("unreachable", error.words)
    except errors.PlatformError as error:
        return Blind("unreadable", error.words)


def _look(
    means: Means, platform: Platform, account: Account, wanted: Sequence[Wanted], bound: Collection[str]
) -> Sight:
    caller = means.caller(platform, account)
    shown = platform.shown(caller, account, min(one.started_at for one in wanted) - LOOK_BACK)
    fresh = [one for one in shown if one.id not in bound and any(is_new(each, one) for each in wanted)]
    if sum(one.text is None for one in fresh) > _MOST_READ_SINGLY:
        raise errors.Unreadable("the platform shows more new messages than can be looked at one by one")
    found = [platform.whole(caller, account, one) if one.text is None else one for one in fresh]
    return Sight(found, frozenset(one.id for one in shown))


def told(wanted: Wanted, sighted: Sighted, messages: Sequence[Shown]) -> str:
    """What was seen and how it agrees, as JSON for the person who may have to decide."""
    groups = {"whole": sighted.whole, "part": sighted.part, "awaited": sighted.awaited, "no": sighted.other}
    by_id = {one.id: one for one in messages}
    return json.dumps([_told(wanted, by_id[id_], agrees) for agrees, ids in groups.items() for id_ in ids])


def _told(wanted: Wanted, message: Shown, agrees: str) -> dict[str, object]:
    time = [] if may_be_in_time(wanted, message) else ["time"]
    return {
        "id": message.id,
        "agrees": agrees,
        "differs": differences(wanted.content, message) + time,
        "created_at": clock.rfc3339(message.created_at) if message.created_at else None,
        "text": message.text and message.text[:_LONGEST_TEXT],
        "media_count": len(message.media) if message.media is not None else message.media_count,
        "price_cents": message.price_cents,
        "recipient_count": message.recipient_count,
        "delivery": message.delivery,
    }
