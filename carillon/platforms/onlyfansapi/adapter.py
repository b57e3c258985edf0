"""OnlyFansAPI: one key for many linked accounts, which are a part of each path.

Source: OnlyFansAPI reference, "Send Mass Message".
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from carillon.platforms import pages
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
from carillon.platforms.forms import bearer, get, post, receipt
from carillon.platforms.history import made_since
from carillon.platforms.limits import Limits
from carillon.platforms.onlyfans import BUILT_IN_LISTS
from carillon.platforms.onlyfansapi import queue
from carillon.platforms.onlyfansapi.audience import OnlyFansAPIAudience
from carillon.platforms.onlyfansapi.calendar import OnlyFansAPICalendar, OnlyFansAPIRecall
from carillon.platforms.onlyfansapi.content import at, fields
from carillon.platforms.onlyfansapi.library import OnlyFansAPILibrary
from carillon.platforms.onlyfansapi.results import OnlyFansAPIResults
from carillon.platforms.onlyfansapi.webhooks import OnlyFansAPIWebhooks
from carillon.platforms.parts import Audience, Calendar, Library, Rates, Recall, Results, Webhooks

_RECENTLY = timedelta(minutes=15)


class OnlyFansAPI:
    """Price and text: reference, "Send Mass Message". How many broadcasts an hour is not documented.

    Rates: page "Rate Limits", the smallest plan's, by key. OnlyFans itself slows down far earlier, as others saw.
    """

    name = "onlyfansapi"
    url = "https://app.onlyfansapi.com"
    limits = Limits(
        broadcasts=None,
        text=None,
        price_cents=(300, 20_000),
        smart_lists=BUILT_IN_LISTS,
        needs_account=True,
        needs_text=True,
        offers=frozenset(
            {"users", "preview_media", "preview_media_ids", "locked_text"}
            | {"giphy", "save_for_later", "tag_users", "media_files", "media_fetched"}
        ),
    )
    rates: Rates = Rates(reads=1_000, by="key")
    audience: Audience = OnlyFansAPIAudience()
    library: Library = OnlyFansAPILibrary()
    calendar: Calendar | None = OnlyFansAPICalendar()
    recall: Recall | None = OnlyFansAPIRecall()
    results: Results = OnlyFansAPIResults()
    webhooks: Webhooks = OnlyFansAPIWebhooks()

    def request(self, account: Account, content: Content) -> Request:
        return post(f"{at(account)}/mass-messaging", bearer(account.secret), fields(content))

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        data = body.get("data")
        return receipt(data if isinstance(data, Mapping) else body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        """`view=queue`: only lists that mass messages may go to (reference, "List User Lists")."""

        def page(_: int, read: int) -> Request:
            url = f"{at(account)}/user-lists?view=queue&limit=50&offset={read}"
            return get(url, bearer(account.secret))

        return pages.paged(client, page, account.secret, 50, pages.by_id)

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        """Each look at a medium costs a credit: none is spent before every send."""
        return "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:
        """Reference, "List Mass Message Queue": what is pending or was sent recently; saved ones are not named.

        How long "recently" is, it does not say: a quarter of an hour is what we trust it for.
        """
        return "all" if age <= _RECENTLY and not content.save_for_later else "some"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        return made_since(since, queue.all_of(client, account).values())

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:
        return queue.whole(client, account, shown)
