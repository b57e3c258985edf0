"""OnlyFansAPI's statistics of what was sent, newest first: the overview, and engagement, which may show purchases too.

Source: reference, "Mass Messaging Overview" and "Engagement, Mass Messages": `endDate` is the way back in both. It has
no zone; UTC is assumed, as for `scheduledDate`. Where the answer names the next page itself, that is followed.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from carillon.platforms import onlyfans
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get
from carillon.platforms.history import Walk
from carillon.platforms.offsets import Row, following
from carillon.platforms.onlyfansapi.content import at

Which = Literal["engagement", "overview"]
_PATHS = {"engagement": "engagement/messages/mass-messages", "overview": "mass-messaging/overview"}


def items_of(
    client: Caller,
    account: Account,
    which: Which,
    since: datetime,
    until: datetime | None,
    not_served: tuple[int, ...] = (),
) -> list[Row]:
    page = _page(account, which, since, until)
    return onlyfans.statistics(client, account.secret, since, page, not_served)


def between(since: datetime, until: datetime | None) -> str:
    """A query. `YYYY-MM-DD HH:MM:SS`, as the vendor's own description of dates has it."""
    said = {"startDate": since, "endDate": until}
    return urlencode({name: f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for name, value in said.items() if value})


def _page(account: Account, which: Which, since: datetime, until: datetime | None) -> Callable[[Walk], Request]:
    asked: list[Request] = []

    def page(walk: Walk) -> Request:
        request = following(walk.last, asked[-1]) if asked else None
        asked[:] = [request or _asking(account, which, since, _end(walk, until))]
        return asked[-1]

    return page


def _asking(account: Account, which: Which, since: datetime, until: datetime | None) -> Request:
    return get(f"{at(account)}/{_PATHS[which]}?limit=10&{between(since, until)}", bearer(account.secret))


def _end(walk: Walk, until: datetime | None) -> datetime | None:
    """A second on, so that none is lost whether or not the end itself belongs to it."""
    if not walk.pages:
        return until
    oldest = walk.back_to()
    if oldest is None:
        raise Unreadable("the sent mass messages have more pages, but do not come newest first")
    return oldest + timedelta(seconds=1)
