"""Fanvue itself: what it takes, how a broadcast is sent, and what it shows of those it has.

Source: Fanvue tutorial, "Sending Mass Messages", and the API reference of version 2025-06-26.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from carillon.platforms import pages, parts
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    MediaState,
    Receipt,
    Request,
    Shown,
    Shows,
)
from carillon.platforms.fanvue import wire
from carillon.platforms.fanvue.audience import FanvueAudience
from carillon.platforms.fanvue.calendar import FanvueCalendar, FanvueRecall
from carillon.platforms.fanvue.library import FanvueLibrary
from carillon.platforms.fanvue.listing import shown
from carillon.platforms.fanvue.readiness import media_state
from carillon.platforms.fanvue.results import FanvueResults
from carillon.platforms.fanvue.webhooks import FanvueWebhooks
from carillon.platforms.forms import receipt
from carillon.platforms.history import Walk, back_past
from carillon.platforms.limits import Limits


class Fanvue:
    """Text and price: API reference, "Send a mass message"; it wants 300 cents where the tutorial wants 200.

    Smart lists: those of the tutorial and of the reference, "Get creator's smart lists". How many broadcasts
    an hour it takes is not documented. Rate: page "Rate limits", a bucket for each creator; older pages say 100.
    """

    name = "fanvue"
    url = "https://api.fanvue.com"
    limits = Limits(
        broadcasts=None,
        text=5_000,
        price_cents=(200, None),
        price_warning_below=300,
        smart_lists=frozenset(
            {"all_fans", "subscribers", "expired_subscribers", "top_spenders"}
            | {"auto_renewing", "non_renewing", "followers", "free_trial_subscribers"}
            | {"spent_more_than_50", "muted"}
        ),
        offers=frozenset({"media_files"}),
    )
    rates = parts.Rates(reads=200)
    audience: parts.Audience = FanvueAudience()
    library: parts.Library = FanvueLibrary()
    calendar: parts.Calendar | None = FanvueCalendar()
    recall: parts.Recall | None = FanvueRecall()
    results: parts.Results = FanvueResults()
    webhooks: parts.Webhooks = FanvueWebhooks()

    def request(self, account: Account, content: Content) -> Request:
        return wire.posting(account, "/chats/mass-messages", wire.message(content))

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        def custom(page: int, _: int) -> Request:
            return wire.getting(account, f"/chats/lists/custom?page={page}&size=50")

        yield from pages.whole(client, wire.getting(account, "/chats/lists/smart"), account.secret, "smart")
        yield from pages.paged(client, custom, account.secret, 50, lambda _: "custom")

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:
        return media_state(client, account, media_id)

    def shows(self, content: Content, age: timedelta) -> Shows:  # noqa: ARG002
        """API reference, "List mass messages": all that an account has sent, deleted ones if they are asked for."""
        return "all"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """API reference, "List mass messages"; `size` is at most 50."""

        def page(walk: Walk) -> Request:
            return wire.getting(account, f"/chats/mass-messages?page={walk.pages + 1}&size=50&includeDeleted=true")

        return back_past(client, account.secret, since, page, shown)

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:  # noqa: ARG002
        """Its list shows all that there is."""
        return shown
