"""Fanvue: OAuth bearer tokens; with `account` an agency speaks for one of its creators.

Source: Fanvue tutorial, "Sending Mass Messages", and the API reference of version 2025-06-26.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from carillon.platforms import answers, messages, pages
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    Delivery,
    ListRef,
    MediaState,
    Receipt,
    Request,
    Shown,
    Shows,
)
from carillon.platforms.forms import bearer, get, given, list_ids, part, post, receipt, text_id, whole_number
from carillon.platforms.history import Walk, back_past
from carillon.platforms.limits import Limits

_MEDIA_STATES: Mapping[object, MediaState] = {
    "ready": "ready",
    "created": "processing",
    "processing": "processing",
    "error": "broken",
}
_DELIVERIES: Mapping[object, Delivery] = {
    "SENT": "done",
    "SENDING": "delivering",
    "UNSENT": "cancelled",
    "FAILED": "error",
    "MODERATED": "error",
}


class Fanvue:
    """Text and price: API reference, "Send a mass message"; it wants 300 cents where the tutorial wants 200.

    Smart lists: those of the tutorial and of the reference, "Get creator's smart lists". How many broadcasts
    an hour it takes is not documented.
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
    )

    def request(self, account: Account, content: Content) -> Request:
        body = {
            "includedLists": _refs(content.include),
            "excludedLists": _refs(content.exclude),
            "text": content.text,
            "mediaUuids": list(content.media),
            "price": content.price_cents,
        }
        return post(f"{_at(account)}/chats/mass-messages", _headers(account), body)

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        at = f"{_at(account)}/chats/lists"
        headers = _headers(account)

        def custom(page: int, _: int) -> Request:
            return get(f"{at}/custom?page={page}&size=50", headers)

        yield from pages.whole(client, get(f"{at}/smart", headers), account.secret, "smart")
        yield from pages.paged(client, custom, account.secret, 50, lambda _: "custom")

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:
        """API reference, "Create multipart upload session": created, processing, ready, error."""
        request = get(f"{_at(account)}/media/{part(media_id)}", _headers(account))
        body = answers.read(client.get(request), account.secret)
        status = body.get("status") if isinstance(body, Mapping) else None
        return _MEDIA_STATES.get(status, "unknown") if isinstance(status, str) else "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:  # noqa: ARG002
        """API reference, "List mass messages": all that an account has sent, deleted ones if they are asked for."""
        return "all"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """API reference, "List mass messages"; `size` is at most 50."""

        def page(walk: Walk) -> Request:
            url = f"{_at(account)}/chats/mass-messages?page={walk.pages + 1}&size=50&includeDeleted=true"
            return get(url, _headers(account))

        return back_past(client, account.secret, since, page, _shown)

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:  # noqa: ARG002
        """Its list shows all that there is."""
        return shown


def _shown(item: object) -> Shown:
    """`status`, `mediaUuids` and `scheduledAt` are named by a public client of the list, the rest by the reference."""
    told = messages.fields_of(item)
    status, price = told.get("status"), told.get("price")
    shown = replace(
        messages.named(told),
        created_at=messages.instant(told.get("createdAt")) or messages.instant(told.get("publishedAt")),
        text=messages.text_of(told, "text"),
        media=_media_ids(told),
        price_cents=0 if price is None and "price" in told else whole_number(price),
        delivery=_DELIVERIES.get(status.upper() if isinstance(status, str) else None, "accepted"),
    )
    return messages.without_blanks(shown)


def _media_ids(told: Mapping[str, object]) -> frozenset[str] | None:
    if "mediaUuids" not in told:
        return None
    listed = told["mediaUuids"] or []
    ids = [text_id(one) for one in listed] if isinstance(listed, list) else [None]
    return None if None in ids else frozenset(one for one in ids if one)


def _at(account: Account) -> str:
    return account.url if account.id is None else f"{account.url}/creators/{part(account.id)}"


def _headers(account: Account) -> dict[str, str]:
    return {**bearer(account.secret), "X-Fanvue-API-Version": "2025-06-26"}


def _refs(refs: tuple[ListRef, ...]) -> dict[str, object]:
    return given({"smartListUuids": list_ids(refs, "smart"), "customListUuids": list_ids(refs, "custom")})
