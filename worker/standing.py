"""How a broadcast that was placed stands, by what its platform shows, and when to look at it again. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from carillon.platforms.agreement import differences
from carillon.platforms.contract import Content, Shown

Standing = Literal["scheduled", "sent", "gone"]

SETTLED = timedelta(minutes=1)
"""After its due time a message may be in neither of the platform's lists for a moment: until then it is not gone."""

_HOURLY = timedelta(hours=1)
_SHORTLY_BEFORE = timedelta(minutes=2)
_SHORTLY_AFTER = timedelta(seconds=2)
_SOONEST, _LATEST = timedelta(seconds=3), timedelta(minutes=5)
_SAME_TIME = timedelta(minutes=1)


def standing(shown: Shown | None, goes_at: datetime, now: datetime) -> Standing:
    """`gone`: the platform has it no more, and did not send it."""
    if shown is None or shown.delivery == "cancelled":
        return "gone"
    if shown.delivery in ("delivering", "done"):
        return "sent"
    return "scheduled" if shown.scheduled_at is not None or now < goes_at else "sent"


def drift(content: Content, goes_at: datetime, shown: Shown) -> list[str]:
    """What somebody else has changed of it: `text`, `media`, `price`, `time`, or `delivery` where it is in trouble."""
    found = differences(content, _as_far_as_comparable(content, shown))
    if shown.scheduled_at is not None and abs(shown.scheduled_at - goes_at) > _SAME_TIME:
        found.append("time")
    return [*found, "delivery"] if shown.delivery == "error" else found


def _as_far_as_comparable(content: Content, shown: Shown) -> Shown:
    """Files and URLs have other names on the platform: there only their number tells."""
    if shown.media is None or not any(medium.startswith(("file:", "http:", "https:")) for medium in content.media):
        return shown
    return Shown(shown.id, text=shown.text, media_count=len(shown.media), price_cents=shown.price_cents)


def sent_at(shown: Shown, goes_at: datetime) -> datetime:
    """The platform's time, unless that is when it was placed."""
    at = shown.created_at
    return at if at is not None and at >= goes_at - _SAME_TIME else goes_at


def next_look(goes_at: datetime, now: datetime) -> datetime:
    """Hourly, shortly before it is due, when it is due, and then with pauses that grow."""
    ahead: Sequence[datetime] = (now + _HOURLY, goes_at - _SHORTLY_BEFORE, goes_at + _SHORTLY_AFTER)
    if now < goes_at:
        return min(at for at in ahead if at > now)
    return now + min(_LATEST, max(_SOONEST, (now - goes_at) / 2))
