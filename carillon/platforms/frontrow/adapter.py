"""FrontRow itself: what it takes, and how a broadcast is sent.

Source: FrontRow tutorial, "Sending mass messages".
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from carillon.platforms import pages, parts
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    ListRef,
    MediaState,
    Receipt,
    Request,
    Shown,
    Shows,
)
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get, list_ids, post, receipt
from carillon.platforms.frontrow.audience import FrontRowAudience
from carillon.platforms.frontrow.library import FrontRowLibrary
from carillon.platforms.frontrow.results import FrontRowResults
from carillon.platforms.frontrow.webhooks import FrontRowWebhooks
from carillon.platforms.limits import Limits, Rate


class FrontRow:
    """Broadcasts: FrontRow tutorial, "Rate limits & best practices". Price: "Pay-to-view broadcasts".

    The smart lists are those that "Discover available lists" calls the common ones. Rates: API reference; it has no
    scheduler, and "once queued, a mass message cannot be recalled".
    """

    name = "frontrow"
    url = "https://frontrow.center"
    limits = Limits(
        broadcasts=Rate(10, 3_600),
        text=None,
        price_cents=(200, None),
        smart_lists=frozenset({"all_fans", "subscribers", "expired_subscribers", "top_spenders", "recent_tippers"}),
        takes_account=False,
    )
    rates = parts.Rates(reads=60, writes=30, by="key")
    audience: parts.Audience = FrontRowAudience()
    library: parts.Library = FrontRowLibrary()
    calendar: parts.Calendar | None = None
    recall: parts.Recall | None = None
    results: parts.Results = FrontRowResults()
    webhooks: parts.Webhooks = FrontRowWebhooks()

    def request(self, account: Account, content: Content) -> Request:
        body = {
            "text": content.text,
            "media": list(content.media),
            "priceCents": content.price_cents,
            "includeLists": _refs(content.include),
            "excludeLists": _refs(content.exclude),
        }
        return post(f"{account.url}/api/v1/chats/mass-messages", bearer(account.secret), body)

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        at = f"{account.url}/api/v1/chats/lists"
        headers = bearer(account.secret)

        def custom(page: int, _: int) -> Request:
            return get(f"{at}/custom?page={page}&size=20", headers)

        yield from pages.whole(client, get(f"{at}/smart", headers), account.secret, "smart")
        yield from pages.paged(client, custom, account.secret, 20, lambda _: "custom")

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        return "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:  # noqa: ARG002
        """No page of its documents has a call that lists or reads a mass message."""
        return "nothing"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:  # noqa: ARG002
        raise Unreadable("FrontRow shows nothing of what it was sent")

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:  # noqa: ARG002
        return shown


def _refs(refs: tuple[ListRef, ...]) -> list[dict[str, str]]:
    return [{"type": ref.kind, "id": id_} for ref, id_ in zip(refs, list_ids(refs), strict=True)]
