"""The lists that each platform keeps: its smart ones by their documented words, and a few custom ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from console.sandbox.fans import Fan, segment

VIP = "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"
LAST_DROP = "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a12"
NOBODY = "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a13"

# Fanvue: the words of its reference, and two that only its tutorial names.
_FANVUE = {
    "all_fans": "everyone",
    "subscribers": "subscribers",
    "auto_renewing": "renewing",
    "non_renewing": "not_renewing",
    "followers": "followers",
    "free_trial_subscribers": "on_trial",
    "expired_subscribers": "expired",
    "spent_more_than_50": "spent_over_50",
    "top_spenders": "top_spenders",
    "muted": "muted",
}
_FRONTROW = {
    "all_fans": "everyone",
    "subscribers": "subscribers",
    "expired_subscribers": "expired",
    "top_spenders": "top_spenders",
    "recent_tippers": "tipped_lately",
}
# OnlyFans keeps these for both of its proxies.
_ONLYFANS = {
    "fans": "subscribers",
    "recent": "recent",
    "following": "nobody",
    "friends": "followers",
    "rebill_on": "renewing",
    "rebill_off": "not_renewing",
    "tagged": "tipped_lately",
    "muted": "muted",
}
_SMART = {"fanvue": _FANVUE, "frontrow": _FRONTROW, "ofauth": _ONLYFANS, "onlyfansapi": _ONLYFANS}

_BY_UUID = {
    VIP: ("VIP", "spent_over_50"),
    LAST_DROP: ("Got the last drop", "tipped_lately"),
    NOBODY: ("Nobody yet", "nobody"),
}
_BY_NUMBER = {
    "1": ("Active", "subscribers"),
    "2": ("VIP", "spent_over_50"),
    "3": ("Got the last drop", "tipped_lately"),
    "4": ("Nobody yet", "nobody"),
}
_CUSTOM = {"fanvue": _BY_UUID, "frontrow": _BY_UUID, "ofauth": _BY_NUMBER, "onlyfansapi": _BY_NUMBER}


@dataclass(frozen=True)
class FanList:
    """An audience as the platform keeps it; `members` are fan ids."""

    kind: Literal["smart", "custom"]
    id: str
    name: str
    members: tuple[str, ...]


def make(lists: dict[str, FanList], list_id: str, name: str) -> FanList:
    lists[list_id] = FanList("custom", list_id, name, ())
    return lists[list_id]


def add(lists: dict[str, FanList], list_id: str, fans: Sequence[str]) -> list[str]:
    """Those that were not on it yet."""
    kept = lists[list_id]
    new = list(dict.fromkeys(fan for fan in fans if fan not in kept.members))
    lists[list_id] = replace(kept, members=kept.members + tuple(new))
    return new


def next_number(lists: Mapping[str, FanList]) -> str:
    """OnlyFans numbers the lists that a creator makes."""
    return str(max(int(list_id) for list_id in lists if list_id.isdecimal()) + 1)


def of(platform: str, fans: Sequence[Fan]) -> dict[str, FanList]:
    smart = [
        FanList("smart", word, word.replace("_", " ").capitalize(), segment(part, fans))
        for word, part in _SMART[platform].items()
    ]
    custom = [
        FanList("custom", list_id, name, segment(part, fans)) for list_id, (name, part) in _CUSTOM[platform].items()
    ]
    return {kept.id: kept for kept in smart + custom}
