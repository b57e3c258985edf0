"""FrontRow's rules: its tutorial "Sending mass messages".

The tutorial shows no reply to a list call, no end of paging and no error body; those are made up here.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

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
    Strict,
    Text,
    parsed,
    require,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

_CHATS = "/api/v1/chats"


class _ListRef(Strict):
    type: Literal["smart", "custom"]
    id: str


ListRefs = Annotated[tuple[_ListRef, ...], Field(min_length=1)]


class _MassMessage(Camel):
    include_lists: ListRefs
    exclude_lists: ListRefs = ()
    text: Text = ""
    media: Ids = ()
    price_cents: Annotated[int, Field(ge=200)] = 0


def enter(world: World, call: Call, _: re.Match[str]) -> Account:
    account = world.find("frontrow", call.bearer())
    if account is None:
        raise Refused("Invalid API key", 401)
    return account


def order(account: Account, body: bytes) -> Order:
    wanted = parsed(_MassMessage, body)
    require(bool(wanted.text or wanted.media), "A mass message needs text or media", "text")
    require(not wanted.price_cents or bool(wanted.media), "priceCents needs media", "priceCents")
    for ref in wanted.include_lists + wanted.exclude_lists:
        require_lists(account, ref.type, [ref.id])
    require_media(account, wanted.media)
    fans = account.audience((ref.id for ref in wanted.include_lists), (ref.id for ref in wanted.exclude_lists))
    return Order(lambda: tuple(fan.id for fan in fans))


def receipt(_: Account, delivery: Delivery, fans: int) -> Answer:
    at = datetime.fromtimestamp(int(delivery.arrived_at), UTC).isoformat().replace("+00:00", "Z")
    return Answer(202, {"id": delivery.message_id, "recipientCount": fans, "queuedAt": at})


def refuse(no: Refused) -> Answer:
    return Answer(no.status or 400, {"error": no.words}, no.headers)


def _smart(account: Account, _: Call, __: re.Match[str]) -> object:
    return {"lists": [_shown(kept) for kept in account.lists.values() if kept.kind == "smart"]}


def _custom(account: Account, call: Call, _: re.Match[str]) -> object:
    return _page(call, [_shown(kept) for kept in account.lists.values() if kept.kind == "custom"])


def _shown(kept: FanList) -> dict[str, object]:
    return {"id": kept.id, "name": kept.name, "memberCount": len(kept.members)}


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    kept = account.lists.get(found["list"])
    if kept is None or kept.kind != "custom":
        raise Refused("List not found", 404)
    rows: list[dict[str, object]] = [
        {"id": fan.id, "name": fan.name, "handle": fan.handle} for fan in account.audience([kept.id])
    ]
    return _page(call, rows)


def _me(account: Account, _: Call, __: re.Match[str]) -> object:
    """API Reference, `GET /me`."""
    by = [fan.standing for fan in account.fans]
    return {
        "id": account.id,
        "name": "Demo",
        "handle": "demo",
        "isAiCreator": False,
        "isVerified": True,
        "stats": {"subscribers": by.count("subscriber"), "followers": by.count("follower"), "posts": 0},
        "createdAt": "2026-01-05T09:00:00Z",
    }


def _page(call: Call, rows: list[dict[str, object]]) -> object:
    """The end is a page that is not full: the tutorial shows no other sign."""
    page, size = call.whole("page", 1, 1), call.whole("size", 20, 1, 100)
    return {"data": rows[(page - 1) * size : page * size]}


RULES = Rules(
    name="frontrow",
    send=re.compile(_CHATS + "/mass-messages"),
    reads=(
        Read(re.compile("/api/v1/me"), _me),
        Read(re.compile(_CHATS + "/lists/smart"), _smart),
        Read(re.compile(_CHATS + "/lists/custom"), _custom),
        Read(re.compile(_CHATS + "/lists/custom/(?P<list>[^/]+)/members"), _members),
    ),
    enter=enter,
    order=order,
    new_id=lambda number: f"mm_{number:08x}",
    receipt=receipt,
    refuse=refuse,
)
