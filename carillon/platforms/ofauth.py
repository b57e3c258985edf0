"""OFAuth: one key for many connections, chosen by a header.

Source: OFAuth guide, "Send Mass Messages", and the models of its SDKs (3.0.0).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from carillon import clock
from carillon.platforms import pages
from carillon.platforms.contract import Account, AudienceList, Content, MediaState, Receipt, Request, TagUsers
from carillon.platforms.forms import dollars, get, given, list_ids, numbers_if_digits, post, receipt
from carillon.platforms.limits import Limits
from carillon.platforms.onlyfansapi import BUILT_IN_LISTS

if TYPE_CHECKING:
    from carillon.platforms.client import Client


class OFAuth:
    """Price: guide, "All Queue Options". Text: the SDKs' models. Lists: OnlyFans' own, by name.

    How many broadcasts an hour it takes is not documented. Previews are a count: the first from the left.
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
            }
        ),
    )

    def request(self, account: Account, content: Content) -> Request:
        after = content.subscribed_after
        body = {
            "text": content.text,
            "mediaItems": numbers_if_digits(content.media),
            "price": dollars(content),
            "previewMediaCount": _preview_count(content),
            "isLockedText": content.locked_text,
            "userIds": numbers_if_digits(content.users),
            "userLists": numbers_if_digits(list_ids(content.include)),
            "excludeUserLists": numbers_if_digits(list_ids(content.exclude)),
            "subscribedAfterDate": None if after is None else clock.rfc3339_seconds(after),
            "isMarkdown": content.markdown,
            "releaseForms": _release_forms(content.tag_users or TagUsers()),
        }
        return post(f"{account.url}/v2/access/mass-messages", _headers(account), body)

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: "Client", account: Account) -> Iterator[AudienceList]:
        def page(_: int, read: int) -> Request:
            return get(f"{account.url}/v2/access/users/lists?limit=100&offset={read}", _headers(account))

        return pages.paged(client, page, account.secret, 100, pages.by_id)

    def media(self, client: "Client", account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        return "unknown"


def _headers(account: Account) -> dict[str, str]:
    assert account.id is not None, "OFAuth needs an account"
    return {"apikey": account.secret, "x-connection-id": account.id}


def _preview_count(content: Content) -> int | None:
    """Ids are checked to be the beginning of the media before, so that their number says which."""
    previews = content.preview_media
    return len(previews) if isinstance(previews, tuple) else previews


def _release_forms(tagged: TagUsers) -> dict[str, object]:
    return given(
        {
            "users": numbers_if_digits(tagged.creators),
            "partners": numbers_if_digits(tagged.partners),
            "guests": numbers_if_digits(tagged.guests),
        }
    )
