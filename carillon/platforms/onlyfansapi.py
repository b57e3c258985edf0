"""OnlyFansAPI: one key for many linked accounts, which are a part of each path.

Source: OnlyFansAPI reference, "Send Mass Message".
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from carillon.platforms import answers, messages, pages
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
    TagUsers,
)
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, dollars, get, list_ids, part, post, receipt
from carillon.platforms.history import made_since
from carillon.platforms.limits import Limits

# OnlyFans' own lists, as the reference and its webhook events name them.
BUILT_IN_LISTS = frozenset({"fans", "recent", "following", "rebill_off", "rebill_on", "tagged", "friends", "muted"})
_PAGINATION = (("_pagination",), ("_meta", "_pagination"))
_RECENTLY = timedelta(minutes=15)


class OnlyFansAPI:
    """Price and text: reference, "Send Mass Message". How many broadcasts an hour is not documented."""

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
            {"users", "preview_media", "preview_media_ids", "locked_text"} | {"giphy", "save_for_later", "tag_users"}
        ),
    )

    def request(self, account: Account, content: Content) -> Request:
        tagged = content.tag_users or TagUsers()
        body = {
            "text": content.text,
            "userLists": list_ids(content.include),
            "excludedLists": list_ids(content.exclude),
            "userIds": list(content.users),
            "lockedText": content.locked_text,
            "price": dollars(content),
            "mediaFiles": list(content.media),
            "previews": _previews(content),
            "giphyId": content.giphy,
            "rfTag": _joined(tagged.creators),
            "rfPartner": _joined(tagged.partners),
            "rfGuest": _joined(tagged.guests),
            "saveForLater": content.save_for_later,
        }
        return post(f"{_at(account)}/mass-messaging", bearer(account.secret), body)

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        data = body.get("data")
        return receipt(data if isinstance(data, Mapping) else body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        """`view=queue`: only lists that mass messages may go to (reference, "List User Lists")."""

        def page(_: int, read: int) -> Request:
            url = f"{_at(account)}/user-lists?view=queue&limit=50&offset={read}"
            return get(url, bearer(account.secret))

        return pages.paged(client, page, account.secret, 50, pages.by_id)

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        return "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:
        """Reference, "List Mass Message Queue": what is pending or was sent recently; saved ones are not named.

        How long "recently" is, it does not say: a quarter of an hour is what we trust it for.
        """
        return "all" if age <= _RECENTLY and not content.save_for_later else "some"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """Reference, "List Mass Message Queue": no pages, and no texts. An answer from a cache may be too old."""
        body = answers.read(client.get(_get(account, "")), account.secret)
        items = pages.items_of(body, "mass messages")
        if pages.says_more(body) or any(_told(body, *where, "next_page") for where in _PAGINATION):
            raise Unreadable("the queue of mass messages goes on where its documents know no more")
        if _told(body, "_meta", "_cache", "is_cached") is True:
            raise Unreadable("the queue of mass messages came from a cache")
        return made_since(since, {shown.id: shown for shown in map(messages.onlyfans, items)}.values())

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:
        """Reference, "Get Mass Message": its content, without its recipients."""
        body = answers.read(client.get(_get(account, f"/{part(shown.id)}")), account.secret)
        found = messages.onlyfans(_told(body, "data", "queue") or _told(body, "data") or body)
        if found.id != shown.id:
            raise Unreadable("the answer shows another mass message than the one asked for")
        return messages.filled(found, shown)


def _at(account: Account) -> str:
    assert account.id is not None, "OnlyFansAPI needs an account"
    return f"{account.url}/api/{part(account.id)}"


def _get(account: Account, which: str) -> Request:
    return get(f"{_at(account)}/mass-messaging{which}", bearer(account.secret))


def _told(body: object, *keys: str) -> object:
    for key in keys:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def _previews(content: Content) -> list[str]:
    if isinstance(content.preview_media, int):
        return list(content.media[: content.preview_media])
    return list(content.preview_media or ())


def _joined(ids: tuple[str, ...] | None) -> str | None:
    """The reference types these fields as text and describes them as arrays of ids."""
    return ",".join(ids) if ids else None
