"""What OFAuth shows of mass messages: its queue, if it is served, and its statistics of what was sent."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from carillon import clock
from carillon.platforms import messages
from carillon.platforms.contract import Account, Caller, Request, Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import get
from carillon.platforms.history import Walk, back_past
from carillon.platforms.ofauth.content import access, headers
from carillon.platforms.wording import plain

QUEUE_NOT_SERVED = (403, 404)
Kind = Literal["scheduled", "sent", "unsent"]

_SAME_TIME = timedelta(minutes=1)


def sent(client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
    """Guide, "List Sent Mass Messages"."""
    return back_past(client, account.secret, since, statistics_page(account), messages.onlyfans)


def statistics_page(
    account: Account, since: datetime | None = None, until: datetime | None = None
) -> Callable[[Walk], Request]:
    """There is no offset: the SDKs go on by an earlier end."""

    def page(walk: Walk) -> Request:
        url = f"{access(account)}/analytics/mass-messages/sent?limit=10"
        begin = f"&startDate={clock.rfc3339_seconds(since)}" if since else ""
        return get(url + begin + _until(walk, until), headers(account))

    return page


def _until(walk: Walk, end: datetime | None) -> str:
    """A second on, so that none is lost whether or not the end itself belongs to it."""
    if not walk.pages:
        return f"&endDate={clock.rfc3339_seconds(end)}" if end else ""
    oldest = walk.back_to()
    if oldest is None:
        raise Unreadable("the sent mass messages have more pages, but do not come newest first")
    return f"&endDate={clock.rfc3339_seconds(oldest + timedelta(seconds=1))}"


def queued(client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
    """All that the queue shows. Where one is under two types, the later of them is what has become of it."""
    found = [shown for kind in _KINDS for shown in listed(client, account, since, kind)]
    return tuple({shown.id: shown for shown in found}.values())


_KINDS: tuple[Kind, ...] = ("scheduled", "sent", "unsent")


def listed(client: Caller, account: Account, since: datetime, kind: Kind) -> tuple[Shown, ...]:
    """Pre-release reference, "List mass messages"; the guide and newer SDKs lack it, so it may not be served."""
    found = back_past(
        client, account.secret, since, queue_page(account, kind), messages.onlyfans, not_served=QUEUE_NOT_SERVED
    )
    return tuple(_as(kind, shown) for shown in found)


def queue_page(account: Account, kind: Kind) -> Callable[[Walk], Request]:
    def page(walk: Walk) -> Request:
        url = f"{access(account)}/mass-messages?limit=20&offset={walk.items}&type={quote(kind)}"
        return get(url, headers(account))

    return page


def _as(kind: Kind, shown: Shown) -> Shown:
    """What stands under `scheduled` has not gone, and under `unsent` was withdrawn, whatever else it says."""
    if kind == "scheduled" and shown.delivery == "accepted":
        return replace(shown, scheduled_at=shown.scheduled_at or shown.created_at)
    if kind == "unsent":
        return messages.without_blanks(replace(shown, delivery="cancelled", scheduled_at=None))
    return replace(shown, scheduled_at=None)


def joined(queued: Iterable[Shown], sent: Iterable[Shown]) -> tuple[Shown, ...]:
    """Each message once, with what both say of it. One stands for one, so that two twins stay two."""
    others = {shown.id: shown for shown in sent}
    by_id = {shown.id: others.pop(shown.id, None) for shown in queued}
    found = []
    for shown in queued:
        other = by_id[shown.id] or next((one for one in others.values() if _is_same(shown, one)), None)
        found.append(messages.filled(shown, other) if other else shown)
        if other:
            others.pop(other.id, None)
    return (*found, *others.values())


def _is_same(queued: Shown, sent: Shown) -> bool:
    """Ids aside: how those of the queue and of the statistics relate is not documented."""
    times, texts = (queued.created_at, sent.created_at), (queued.text, sent.text)
    if times[0] is None or times[1] is None or texts[0] is None or texts[1] is None:
        return False
    return abs(times[0] - times[1]) <= _SAME_TIME and plain(texts[0]) == plain(texts[1])
