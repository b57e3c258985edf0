"""OFAuth: one key for many connections, chosen by a header.

Source: OFAuth guide, "Send Mass Messages", and the models of its SDKs (3.0.0).
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
from carillon.platforms.forms import get, post, receipt
from carillon.platforms.limits import Limits
from carillon.platforms.ofauth import messages
from carillon.platforms.ofauth.audience import OFAuthAudience
from carillon.platforms.ofauth.calendar import OFAuthCalendar, OFAuthRecall
from carillon.platforms.ofauth.content import access, fields, headers
from carillon.platforms.ofauth.library import OFAuthLibrary
from carillon.platforms.ofauth.results import OFAuthResults
from carillon.platforms.ofauth.webhooks import OFAuthWebhooks
from carillon.platforms.onlyfans import BUILT_IN_LISTS
from carillon.platforms.parts import Audience, Calendar, Library, Rates, Recall, Results, Webhooks


class OFAuth:
    """Price: guide, "All Queue Options". Text: the SDKs' models. Lists: OnlyFans' own, by name.

    How many broadcasts an hour it takes is not documented. Previews are a count: the first from the left.
    Rates: page "Rate Limiting", by connection, as the smaller plans have it; the larger one has none.
    """

    name = "ofauth"
    url = "https://api.ofauth.com"
    limits = Limits(
        broadcasts=None,
        text=10_000,
        price_cents=(300, 20_000),
        smart_lists=BUILT_IN_LISTS,
        needs_account=True,
        offers=frozenset(
            {
                "users",
                "preview_media",
                "locked_text",
                "markdown",
                "subscribed_after",
                "tag_users",
                "media_urls",
                "media_files",
            }
        ),
    )
    rates: Rates = Rates(reads=60, burst=90, by="account")
    audience: Audience = OFAuthAudience()
    library: Library = OFAuthLibrary()
    calendar: Calendar | None = OFAuthCalendar()
    recall: Recall | None = OFAuthRecall()
    results: Results = OFAuthResults()
    webhooks: Webhooks = OFAuthWebhooks()

    def request(self, account: Account, content: Content) -> Request:
        return post(f"{access(account)}/mass-messages", headers(account), fields(content))

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        def page(_: int, read: int) -> Request:
            return get(f"{access(account)}/users/lists?limit=100&offset={read}", headers(account))

        return pages.paged(client, page, account.secret, 100, pages.by_id)

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        """No call shows a single medium, and reading the vault through costs more than a preflight may."""
        return "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:  # noqa: ARG002
        """No page says how soon statistics show what was sent, and the queue may not be served at all."""
        return "some"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """The queue, under the ids of the receipts, and the statistics, which may count by others."""
        return messages.joined(messages.queued(client, account, since), messages.sent(client, account, since))

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:  # noqa: ARG002
        """A single message has its own id, and whether that is the one shown here is not documented."""
        return shown
