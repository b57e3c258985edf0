"""OFAuth's rules: its guide "Send Mass Messages", and its client's types for what that leaves open.

The list of the queue, which its guide does not know, is served as an older client has it.
"""

import json
import re
from collections.abc import Sequence
from time import time
from typing import Annotated
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import AwareDatetime, Field

from console.sandbox import ofauth_audience, ofauth_results, ofauth_uploads, schedule
from console.sandbox.ofauth_results import html_of, media_count, page
from console.sandbox.onlyfans import in_queue, queue_entry, require_price, second, sent
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
    Write,
    future,
    parsed,
    require,
    require_fans,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

_ACCESS = "/v2/access"
_TARGETS = ("userIds", "userLists", "excludeUserLists", "subscribedAfterDate")
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
    scheduled_date: AwareDatetime | None = None
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
    if account is None or not account.linked:
        raise Refused("The session is gone: link the account again", 401, "SESSION_EXPIRED")
    return account


def order(account: Account, body: bytes, consumed: Sequence[str] = ()) -> Order:
    wanted = parsed(_MassMessage, body)
    media, users = _texts(wanted.media_items), _texts(wanted.user_ids)
    include, exclude = _texts(wanted.user_lists), _texts(wanted.exclude_user_lists)
    since = wanted.subscribed_after_date
    require(bool(wanted.text or media), "text or mediaItems must be given", "text")
    require(bool(include or users or since), "no recipients", "userLists")
    require(wanted.preview_media_count <= len(media), "more previews than media", "previewMediaCount")
    require_price(wanted.price, bool(media), "mediaItems")
    require_lists(account, None, include + exclude)
    require_media(account, [item for item in media if not _is_url(item)], consumed)
    require_fans(account, users)

    def who() -> tuple[str, ...]:
        fans = account.audience(include if include or users else ["fans"], exclude, users)
        return tuple(fan.id for fan in fans if since is None or fan.joined > since)

    uploads = tuple(item for item in media if item.startswith("upload:"))
    return Order(who, uploads, future(wanted.scheduled_date, "scheduledDate"))


def _texts(ids: tuple[int | str, ...]) -> list[str]:
    return [str(one) for one in ids]


def _is_url(item: str) -> bool:
    parts = urlsplit(item)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def receipt(account: Account, delivery: Delivery, fans: int) -> Answer:
    entry = queue_entry(account, delivery, fans)
    return Answer(201, entry | ({"scheduledDate": entry["date"]} if delivery.waits else {}))


def refuse(no: Refused) -> Answer:
    status = no.status or 400
    kind = no.about if no.about.isupper() else _ERRORS.get(status, "UNKNOWN_ERROR")
    if status == 429:
        kind = "RATE_LIMIT_EXCEEDED"
    return Answer(status, {"error": no.words, "type": kind, "requestId": f"req_{uuid4().hex}"}, no.headers)


def _queue(account: Account, call: Call, _: re.Match[str]) -> object:
    """ "List mass messages" of the documentation's next edition; not in the newest client."""
    kind = call.query.get("type")
    require(kind in (None, "sent", "unsent", "scheduled"), "type must be sent, unsent or scheduled", "type")
    kept = sorted(account.newest_first(), key=lambda one: one.goes_at, reverse=True)
    rows = [_queued(account, one) for one in kept if kind in (None, _kind(one)) and not (one.waits and one.withdrawn)]
    return page(call, rows, most=20)


def _kind(delivery: Delivery) -> str:
    if delivery.withdrawn:
        return "unsent"
    return "scheduled" if delivery.waits else "sent"


def _queued(account: Account, delivery: Delivery) -> dict[str, object]:
    return sent(account, delivery, html_of(delivery)) | {
        "textCropped": html_of(delivery)[:50],
        "hasError": delivery.failed,
        "mediaCount": media_count(delivery),
    }


def _one(account: Account, _: Call, found: re.Match[str]) -> object:
    """No time, recipients or price of a scheduled one: its client's type has none."""
    delivery = account.message(found["message"])
    if delivery is None or (delivery.waits and delivery.withdrawn):
        raise Refused("Message not found", 404)
    left = schedule.unsend_seconds(account, delivery, time())
    return {
        "id": int(delivery.message_id),
        "text": html_of(delivery),
        "fromUser": {"id": 1, "name": "Demo"},
        "media": [],
        "previews": [],
        "isMediaReady": True,
        "mediaCount": media_count(delivery),
        "isFree": not delivery.body.get("price"),
        "queueId": int(delivery.message_id),
        "isFromQueue": True,
        "canUnsendQueue": not delivery.withdrawn and left > 0,
        "unsendSecondsQueue": left,
        "createdAt": second(delivery.arrived_at),
    }


def _change(account: Account, call: Call, found: re.Match[str]) -> object:
    """All is as this body says, but those whom it goes to, if it names nobody (the guide's sample does not).

    Whether what is left out keeps its value is not documented; its time does.
    """
    delivery = schedule.waiting(account, found["message"])
    named, told = schedule.told(call)
    kept = {} if named & set(_TARGETS) else delivery.body
    body = {name: kept[name] for name in _TARGETS if name in kept} | told
    schedule.change(account, delivery, order(account, json.dumps(body).encode(), delivery.uploads), body)
    return queue_entry(account, delivery, -1)


def _delete(account: Account, _: Call, found: re.Match[str]) -> object:
    delivery = schedule.known(account, found["message"])
    schedule.require_unsendable(account, delivery)
    schedule.withdraw(delivery)
    return {"success": True, "queue": in_queue(account, delivery) | _queued(account, delivery)}


_MESSAGE = re.compile(_ACCESS + "/mass-messages/(?P<message>[0-9]+)")

RULES = Rules(
    name="ofauth",
    send=re.compile(_ACCESS + "/mass-messages"),
    reads=(
        *ofauth_audience.READS,
        *ofauth_uploads.READS,
        *ofauth_results.READS,
        Read(re.compile(_ACCESS + "/mass-messages"), _queue),
        Read(_MESSAGE, _one),
    ),
    writes=(
        *ofauth_audience.WRITES,
        *ofauth_uploads.WRITES,
        Write("PUT", _MESSAGE, _change),
        Write("DELETE", _MESSAGE, _delete),
    ),
    enter=enter,
    order=order,
    new_id=str,
    receipt=receipt,
    refuse=refuse,
)
