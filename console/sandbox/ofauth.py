"""OFAuth's rules: its guide "Send Mass Messages", and its client's types for what that leaves open.

Its own scheduler is not imitated: `scheduledDate` is refused like any unknown field. Nor is the list of its queue,
which its guide does not know: what was sent shows in the statistics, with all fields that guide and types name.
"""

import re
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import AwareDatetime, Field

from console.sandbox.hypertext import of_markdown
from console.sandbox.onlyfans import date, queue_entry, require_price, sent, user_list
from console.sandbox.records import Delivery
from console.sandbox.rules import (
    Answer,
    Call,
    Camel,
    Order,
    Read,
    Refused,
    Rules,
    Text,
    parsed,
    require,
    require_fans,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

_ACCESS = "/v2/access"
_ERRORS = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "RESOURCE_NOT_FOUND"}

Whole = Annotated[int, Field(gt=0)]
Wholes = Annotated[tuple[Whole, ...], Field(min_length=1)]
MixedIds = Annotated[tuple[Whole | Text, ...], Field(min_length=1)]


class _ReleaseForms(Camel):
    users: Wholes = ()
    partners: Wholes = ()
    guests: Wholes = ()


class _MassMessage(Camel):
    text: Annotated[str, Field(max_length=10_000)] = ""
    media_items: MixedIds = ()
    price: float = 0
    preview_media_count: Annotated[int, Field(ge=0)] = 0
    is_locked_text: bool = False
    user_ids: MixedIds = ()
    user_lists: MixedIds = ()
    exclude_user_lists: MixedIds = ()
    subscribed_after_date: AwareDatetime | None = None
    is_markdown: bool = True
    is_forwarded_message: bool = False
    release_forms: _ReleaseForms | None = None
    user_tags: Wholes = ()


def enter(world: World, call: Call, _: re.Match[str]) -> Account:
    key, connection = call.headers.get("apikey", ""), call.headers.get("x-connection-id")
    if not world.knows("ofauth", key):
        raise Refused("Invalid API key", 401)
    if connection is None:
        raise Refused("x-connection-id is missing", 401, "SESSION_NOT_PROVIDED")
    account = world.find("ofauth", key, connection)
    if account is None:
        raise Refused("The session is gone: link the account again", 401, "SESSION_EXPIRED")
    return account


def order(account: Account, body: bytes) -> Order:
    wanted = parsed(_MassMessage, body)
    media, users = _texts(wanted.media_items), _texts(wanted.user_ids)
    include, exclude = _texts(wanted.user_lists), _texts(wanted.exclude_user_lists)
    since = wanted.subscribed_after_date
    require(bool(wanted.text or media), "text or mediaItems must be given", "text")
    require(bool(include or users or since), "no recipients", "userLists")
    require(wanted.preview_media_count <= len(media), "more previews than media", "previewMediaCount")
    require_price(wanted.price, bool(media), "mediaItems")
    require_lists(account, None, include + exclude)
    require_media(account, [item for item in media if not _is_url(item)])
    require_fans(account, users)
    fans = account.audience(include if include or users else ["fans"], exclude, users)
    recipients = tuple(fan.id for fan in fans if since is None or fan.joined > since)
    return Order(recipients, uploads=tuple(item for item in media if item.startswith("upload:")))


def _texts(ids: tuple[int | str, ...]) -> list[str]:
    return [str(one) for one in ids]


def _is_url(item: str) -> bool:
    parts = urlsplit(item)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def receipt(delivery: Delivery) -> Answer:
    return Answer(201, queue_entry(delivery, len(delivery.recipients)))


def refuse(no: Refused) -> Answer:
    status = no.status or 400
    kind = no.about if no.about.isupper() else _ERRORS.get(status, "UNKNOWN_ERROR")
    if status == 429:
        kind = "RATE_LIMIT_EXCEEDED"
    return Answer(status, {"error": no.words, "type": kind, "requestId": f"req_{uuid4().hex}"}, no.headers)


def _lists(account: Account, call: Call, _: re.Match[str]) -> object:
    asked = call.query.get("query", "").lower()
    found = (kept for kept in account.lists.values() if asked in kept.name.lower())
    return _page(call, [user_list(kept, int(kept.id) if kept.id.isdecimal() else kept.id) for kept in found])


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    if found["list"] not in account.lists:
        raise Refused("List not found", 404)
    fans = account.audience([found["list"]])
    return _page(call, [{"id": int(fan.id), "username": fan.handle, "name": fan.name} for fan in fans])


def _vault(account: Account, call: Call, _: re.Match[str]) -> object:
    rows: list[dict[str, object]] = [
        {"id": int(media), "type": "photo", "isReady": state == "ready", "hasError": state == "error"}
        for media, state in account.media.items()
        if media.isdecimal()
    ]
    return _page(call, rows)


def _sent(account: Account, call: Call, _: re.Match[str]) -> object:
    """There is no offset: further pages end before the last one (its client's types)."""
    begin, end = _instant(call, "startDate"), _instant(call, "endDate")
    limit = call.whole("limit", 10, 1, 100)
    kept = [
        taken
        for taken in account.newest_first()
        if (begin is None or int(taken.arrived_at) >= begin) and (end is None or int(taken.arrived_at) < end)
    ]
    return {"list": [_shown(taken) for taken in kept[:limit]], "hasMore": len(kept) > limit}


def _instant(call: Call, name: str) -> float | None:
    try:
        return datetime.fromisoformat(call.query[name]).timestamp() if name in call.query else None
    except ValueError:
        raise Refused(f"{name} must be a date and time in ISO 8601", about=name) from None


def _shown(taken: Delivery) -> dict[str, object]:
    text, media = str(taken.body.get("text", "")), taken.body.get("mediaItems", [])
    said = text if taken.body.get("isMarkdown") is False else of_markdown(text)
    count = len(media) if isinstance(media, list) else 0
    return sent(taken, said) | {"createdAt": date(taken), "mediaCount": count, "purchasedCount": 0, "totalAmount": 0}


def _page(call: Call, rows: list[dict[str, object]]) -> object:
    limit, offset = call.whole("limit", 10, 1, 100), call.whole("offset", 0, 0)
    return {"list": rows[offset : offset + limit], "hasMore": offset + limit < len(rows)}


RULES = Rules(
    name="ofauth",
    send=re.compile(_ACCESS + "/mass-messages"),
    reads=(
        Read(re.compile(_ACCESS + "/users/lists"), _lists),
        Read(re.compile(_ACCESS + "/users/lists/(?P<list>[^/]+)/users"), _members),
        Read(re.compile(_ACCESS + "/vault/media"), _vault),
        Read(re.compile(_ACCESS + "/analytics/mass-messages/sent"), _sent),
    ),
    enter=enter,
    order=order,
    new_id=str,
    receipt=receipt,
    refuse=refuse,
)
