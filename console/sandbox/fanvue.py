"""Fanvue's rules: its tutorial "Sending Mass Messages", and its reference for what that leaves open.

With `/creators/{uuid}` before the path it is a creator that the key manages. Its own scheduler is not
imitated: `scheduledAt` is refused like any unknown field. What was sent is listed newest first, which no page says.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID, uuid5

from pydantic import Field

from console.sandbox.lists import FanList
from console.sandbox.records import Delivery
from console.sandbox.rules import (
    Answer,
    Call,
    Camel,
    Ids,
    Order,
    Read,
    Refused,
    Rules,
    parsed,
    require,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

VERSION = "2025-06-26"
_MESSAGES = UUID("c0ffee00-0000-4000-8000-0000000000ff")
_PREFIX = r"(?:/creators/(?P<creator>[^/]+))?"

Row = TypeVar("Row")


class _Lists(Camel):
    smart_list_uuids: Ids = ()
    custom_list_uuids: Ids = ()

    def ids(self) -> tuple[str, ...]:
        return self.smart_list_uuids + self.custom_list_uuids


class _MassMessage(Camel):
    included_lists: _Lists
    excluded_lists: _Lists = _Lists()
    text: Annotated[str, Field(min_length=1, max_length=5_000)] = ""
    media_uuids: Ids = ()
    price: Annotated[int, Field(ge=200)] | None = None


def enter(world: World, call: Call, found: re.Match[str]) -> Account:
    version = call.headers.get("x-fanvue-api-version")
    if version != VERSION:
        raise Refused(f"X-Fanvue-API-Version must be {VERSION}, not {version}", 400, "version")
    if not world.knows("fanvue", call.bearer()):
        raise Refused("Unauthorized", 401)
    account = world.find("fanvue", call.bearer(), found["creator"])
    if account is None:
        raise Refused("Creator not found or not assigned to you", 404)
    return account


def order(account: Account, body: bytes) -> Order:
    wanted = parsed(_MassMessage, body)
    include, exclude = wanted.included_lists, wanted.excluded_lists
    require(bool(include.ids()), "At least one list must be provided", "includedLists")
    named = "excluded_lists" in wanted.model_fields_set
    require(not named or bool(exclude.ids()), "excludedLists is empty", "excludedLists")
    require(bool(wanted.text or wanted.media_uuids), "Either text or mediaUuids must be provided", "text")
    require(wanted.price is None or bool(wanted.media_uuids), "price needs mediaUuids", "price")
    for lists in (include, exclude):
        require_lists(account, "smart", lists.smart_list_uuids)
        require_lists(account, "custom", lists.custom_list_uuids)
    require_media(account, wanted.media_uuids)
    return Order(tuple(fan.id for fan in account.audience(include.ids(), exclude.ids())))


def receipt(delivery: Delivery) -> Answer:
    at = datetime.fromtimestamp(delivery.arrived_at, UTC).isoformat(timespec="milliseconds")
    count = len(delivery.recipients)
    body = {"id": delivery.message_id, "recipientCount": count, "createdAt": at.replace("+00:00", "Z")}
    return Answer(201, body)


def refuse(no: Refused) -> Answer:
    status = no.status or 400
    body: dict[str, object] = {"message": no.words}
    if no.about == "version":
        body = {"error": "Bad Request", "message": no.words}
    elif no.status == 0:
        body = {"errors": [no.words]}
    elif status in (401, 403):
        body = {"error": no.words}
    return Answer(status, body, no.headers)


def _smart(account: Account, _: Call, __: re.Match[str]) -> object:
    smart = (kept for kept in account.lists.values() if kept.kind == "smart")
    return [{"uuid": kept.id, "name": kept.name, "count": len(kept.members)} for kept in smart]


def _custom(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [
        {
            "uuid": kept.id,
            "name": kept.name,
            "membersCount": len(kept.members),
            "createdAt": "2026-01-05T09:00:00.000Z",
        }
        for kept in account.lists.values()
        if kept.kind == "custom" and call.query.get("search", "").lower() in kept.name.lower()
    ]
    return _page(call, rows)


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    kept: FanList | None = account.lists.get(found["list"])
    if kept is None or kept.kind != found["kind"]:
        raise Refused("List not found", 404)
    rows = [
        {"uuid": fan.id, "displayName": fan.name, "handle": fan.handle, "isCreator": False}
        for fan in account.audience([kept.id])
    ]
    return _page(call, rows)


def _media(account: Account, _: Call, found: re.Match[str]) -> object:
    if found["media"] not in account.media:
        raise Refused("Media not found", 404)
    return {"uuid": found["media"], "status": account.media[found["media"]]}


def _sent(account: Account, call: Call, _: re.Match[str]) -> object:
    wanted = call.query.get("includeDeleted", "false")
    require(wanted in ("true", "false"), "includeDeleted must be true or false", "includeDeleted")
    kept = [delivery for delivery in account.newest_first() if wanted == "true" or not delivery.withdrawn]
    return _page(call, kept, _shown)


def _shown(delivery: Delivery) -> dict[str, object]:
    at = datetime.fromtimestamp(int(delivery.arrived_at), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "uuid": delivery.message_id,
        "text": delivery.body.get("text"),
        "mediaUuids": delivery.body.get("mediaUuids", []),
        "price": delivery.body.get("price"),
        "status": "UNSENT" if delivery.withdrawn else "SENT",
        "createdAt": at,
        "scheduledAt": None,
        "publishedAt": at,
        "recipientCount": len(delivery.recipients),
        "viewCount": 0,
        "purchaseCount": 0,
        "totalRevenue": 0,
    }


def _page(call: Call, rows: list[Row], shown: Callable[[Row], object] = lambda row: row) -> object:
    page, size = call.whole("page", 1, 1), call.whole("size", 15, 1, 50)
    part = [shown(row) for row in rows[(page - 1) * size : page * size]]
    return {"data": part, "pagination": {"page": page, "size": len(part), "hasMore": page * size < len(rows)}}


RULES = Rules(
    name="fanvue",
    send=re.compile(_PREFIX + "/chats/mass-messages"),
    reads=(
        Read(re.compile(_PREFIX + "/chats/lists/smart"), _smart),
        Read(re.compile(_PREFIX + "/chats/lists/custom"), _custom),
        Read(re.compile(_PREFIX + "/chats/lists/(?P<kind>smart|custom)/(?P<list>[^/]+)"), _members),
        Read(re.compile(_PREFIX + "/chats/mass-messages"), _sent),
        Read(re.compile(_PREFIX + "/media/(?P<media>[^/]+)"), _media),
    ),
    enter=enter,
    order=order,
    new_id=lambda number: str(uuid5(_MESSAGES, str(number))),
    receipt=receipt,
    refuse=refuse,
)
