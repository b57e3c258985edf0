"""Fanvue's rules: its tutorial "Sending Mass Messages", and its reference for what that leaves open.

With `/creators/{uuid}` before the path it is a creator that the key manages. What was sent is listed newest first,
which no page says.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import AliasChoices, AwareDatetime, Field

from console.sandbox import fanvue_audience, fanvue_media, fanvue_results, schedule
from console.sandbox.fanvue_shapes import instant, page, second
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
    Write,
    future,
    parsed,
    require,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

VERSION = "2025-06-26"
_MESSAGES = UUID("c0ffee00-0000-4000-8000-0000000000ff")
_PREFIX = r"(?:/creators/(?P<creator>[^/]+))?"
_TIME = frozenset({"scheduledAt", "scheduled_at"})
_Scheduled = Annotated[AwareDatetime | None, Field(validation_alias=AliasChoices(*_TIME))]


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
    scheduled_at: _Scheduled = None


def enter(world: World, call: Call, found: re.Match[str]) -> Account:
    version = call.headers.get("x-fanvue-api-version")
    if version != VERSION:
        raise Refused(f"X-Fanvue-API-Version must be {VERSION}, not {version}", 400, "version")
    key = world.behind(call.bearer())
    if not world.knows("fanvue", key):
        raise Refused("Unauthorized", 401)
    account = world.find("fanvue", key, found["creator"])
    if account is None:
        raise Refused("Creator not found or not assigned to you", 404)
    return account


def order(account: Account, body: bytes, consumed: Sequence[str] = ()) -> Order:
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
    require_media(account, wanted.media_uuids, consumed)
    at = future(wanted.scheduled_at, "scheduledAt")
    return Order(lambda: tuple(fan.id for fan in account.audience(include.ids(), exclude.ids())), at=at)


def receipt(_: Account, delivery: Delivery, fans: int) -> Answer:
    """Of a scheduled one `createdAt` is null (a public client of Fanvue), and the count is today's."""
    at = None if delivery.waits else instant(delivery.arrived_at)
    return Answer(201, {"id": delivery.message_id, "recipientCount": fans, "createdAt": at})


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


def _sent(account: Account, call: Call, _: re.Match[str]) -> object:
    wanted = call.query.get("includeDeleted", "false")
    require(wanted in ("true", "false"), "includeDeleted must be true or false", "includeDeleted")
    kept = [delivery for delivery in account.newest_first() if wanted == "true" or not delivery.withdrawn]
    return page(call, kept, lambda delivery: _shown(delivery, account, call.arrived_at))


def _shown(delivery: Delivery, account: Account, now: float) -> dict[str, object]:
    told = account.backstage.reactions(delivery)
    return {
        "uuid": delivery.message_id,
        "text": delivery.body.get("text"),
        "mediaUuids": delivery.body.get("mediaUuids", []),
        "price": delivery.body.get("price"),
        "status": _status(delivery),
        "createdAt": second(delivery.arrived_at),
        "scheduledAt": second(delivery.scheduled_at) if delivery.scheduled_at else None,
        "publishedAt": None if delivery.waits or delivery.failed else second(delivery.goes_at),
        "recipientCount": len(delivery.recipients),
        "viewCount": told.views(now),
        "purchaseCount": len(told.purchases(now)),
        "totalRevenue": told.revenue_cents(now),
    }


def _status(delivery: Delivery) -> str:
    if delivery.withdrawn:
        return "UNSENT"
    if delivery.failed:
        return "FAILED"
    return "SCHEDULED" if delivery.waits else "SENT"


def _change(account: Account, call: Call, found: re.Match[str]) -> object:
    """What is left out keeps its value; null and what has nothing in it clears it. Judged as if it were new."""
    delivery = schedule.waiting(account, found["message"])
    named, told = schedule.told(call)
    kept = {name: value for name, value in delivery.body.items() if name not in named | _TIME}
    body = kept | {name: value for name, value in told.items() if value not in (None, "")}
    made = order(account, json.dumps(body).encode(), delivery.uploads)
    schedule.change(account, delivery, made, body)
    return Answer(204)


def _delete(account: Account, _: Call, found: re.Match[str]) -> object:
    """Of a creator's message: unsends it. That it cancels a scheduled one too is said nowhere, and done here."""
    delivery = schedule.known(account, found["message"])
    schedule.require_unsendable(account, delivery)
    schedule.withdraw(delivery)
    return Answer(204)


RULES = Rules(
    name="fanvue",
    send=re.compile(_PREFIX + "/chats/mass-messages"),
    reads=(
        *fanvue_audience.reads(_PREFIX),
        *fanvue_media.reads(_PREFIX),
        *fanvue_results.reads(_PREFIX),
        Read(re.compile(_PREFIX + "/chats/mass-messages"), _sent),
    ),
    writes=(
        *fanvue_audience.writes(),
        *fanvue_media.writes(_PREFIX),
        Write("PATCH", re.compile(_PREFIX + "/chats/mass-messages/(?P<message>[^/]+)"), _change),
        Write("DELETE", re.compile(_PREFIX + "/chats/mass-messages/(?P<message>[^/]+)"), _delete),
    ),
    enter=enter,
    order=order,
    new_id=lambda number: str(uuid5(_MESSAGES, str(number))),
    receipt=receipt,
    refuse=refuse,
)
