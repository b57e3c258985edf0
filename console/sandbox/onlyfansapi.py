"""OnlyFansAPI's rules: its specification of "Send Mass Message", its other pages for what that leaves open.

Its own scheduler is not imitated: `scheduledDate` is refused like any unknown field.
"""

import re
from itertools import takewhile
from typing import Annotated

from pydantic import Field

from console.sandbox.hypertext import of_plain
from console.sandbox.onlyfans import queue_entry, require_price, sent, user_list
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
    Text,
    parsed,
    require,
    require_fans,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

_ACCOUNT = "/api/(?P<account>[^/]+)"
_TOTAL_NOT_COUNTED_YET = -1  # what the specification's sample answers
_RECENTLY = 3_600  # seconds that a sent one stays in the queue; its pages give no number
_ERRORS = {404: "NOT_FOUND", 429: "ONLYFANS_COM_RATE_LIMIT_ERROR"}

Index = Annotated[int, Field(ge=0)]


class _MassMessage(Camel):
    text: Text
    user_lists: Ids = ()
    excluded_lists: Ids = ()
    user_ids: Ids = ()
    locked_text: bool = False
    price: float = 0
    media_files: Ids = ()
    previews: Annotated[tuple[Text | Index, ...], Field(min_length=1)] = ()
    giphy_id: Text = ""
    rf_tag: Text | Ids = ()
    rf_partner: Text | Ids = ()
    rf_guest: Text | Ids = ()
    save_for_later: bool = False


def enter(world: World, call: Call, found: re.Match[str]) -> Account:
    if not world.knows("onlyfansapi", call.bearer()):
        raise Refused("Invalid API key: get one at https://app.onlyfansapi.com/api-keys", 401)
    account = world.find("onlyfansapi", call.bearer(), found["account"])
    if account is None:
        raise Refused("No such account", 404, "account_not_found")
    return account


def order(account: Account, body: bytes) -> Order:
    wanted = parsed(_MassMessage, body)
    require(bool(wanted.user_lists or wanted.user_ids), "no recipients", "userLists")
    require_price(wanted.price, bool(wanted.media_files), "mediaFiles")
    require_lists(account, None, wanted.user_lists + wanted.excluded_lists)
    require_media(account, wanted.media_files)
    require_media(account, [one for one in wanted.previews if isinstance(one, str)])
    indexes = [one for one in wanted.previews if isinstance(one, int)]
    require(all(one < len(wanted.media_files) for one in indexes), "no such media file", "previews")
    require_fans(account, wanted.user_ids)
    fans = account.audience(wanted.user_lists, wanted.excluded_lists, wanted.user_ids)
    uploads = tuple(media for media in wanted.media_files if media.startswith("ofapi_media_"))
    return Order(() if wanted.save_for_later else tuple(fan.id for fan in fans), uploads)


def receipt(delivery: Delivery) -> Answer:
    return Answer(200, _enveloped(queue_entry(delivery, _TOTAL_NOT_COUNTED_YET)))


def _enveloped(data: object) -> dict[str, object]:
    return {
        "data": data,
        "_meta": {
            "_credits": {"used": 1, "balance": 967, "note": "Always"},
            "_cache": {"is_cached": False, "note": "Cache disabled for this endpoint"},
            "_rate_limits": {
                "limit_minute": 1_000,
                "limit_day": 50_000,
                "remaining_minute": 998,
                "remaining_day": 49_992,
            },
        },
    }


def refuse(no: Refused) -> Answer:
    status = no.status or 422
    body: dict[str, object] = {"error": _ERRORS.get(status, "ERROR"), "message": no.words}
    if no.status == 0:
        body = {"error": "VALIDATION_ERROR", "message": no.words, "errors": {no.about: [no.words]}}
    elif status == 401:
        body = {"error": no.words}
    elif no.about == "account_not_found":
        body = {"error": no.about, "message": no.words}
    return Answer(status, body, no.headers)


def _lists(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [user_list(kept, kept.id) for kept in account.lists.values()]
    limit, offset = call.whole("limit", 10, 10, 50), call.whole("offset", 0, 0)
    return _enveloped(rows[offset : offset + limit])


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    if found["list"] not in account.lists:
        raise Refused("No such list", 404)
    rows = [{"id": int(fan.id), "username": fan.handle, "name": fan.name} for fan in account.audience([found["list"]])]
    limit, offset = call.whole("limit", 10, 10, 50), call.whole("offset", 0, 0)
    more = offset + limit < len(rows)
    part = {"list": rows[offset : offset + limit], "hasMore": more}
    return _enveloped(part | {"nextOffset": offset + limit if more else None})


def _queue(account: Account, call: Call, _: re.Match[str]) -> object:
    """Pending and recently sent ones, without texts and without pages (List Mass Message Queue)."""
    recent = takewhile(lambda taken: call.arrived_at - taken.arrived_at < _RECENTLY, account.newest_first())
    rows = [queue_entry(taken, len(taken.recipients)) for taken in recent if not taken.body.get("saveForLater")]
    return _enveloped([row | {"isDone": True, "pending": 0} for row in rows])


def _message(account: Account, _: Call, found: re.Match[str]) -> object:
    """Its content without its recipients (Get Mass Message)."""
    taken = next((one for one in account.taken if one.message_id == found["message"]), None)
    if taken is None:
        raise Refused("No such message", 404)
    text, media = str(taken.body["text"]), taken.body.get("mediaFiles", [])
    kinds = {"photo": len(media)} if isinstance(media, list) and media else None
    more: dict[str, object] = {"textCropped": text[:50], "mediaTypes": kinds, "hasError": False, "releaseForms": []}
    return _enveloped({"success": True, "queue": sent(taken, of_plain(text)) | more})


def _upload_status(account: Account, _: Call, found: re.Match[str]) -> object:
    """Not wrapped in `data` (Upload Media)."""
    state = account.media.get(found["media"])
    if state is None:
        raise Refused("No such upload", 404)
    words = {"ready": "completed", "processing": "processing", "error": "failed"}
    return {"status": words[state], "prefixed_id": found["media"]}


RULES = Rules(
    name="onlyfansapi",
    send=re.compile(_ACCOUNT + "/mass-messaging"),
    reads=(
        Read(re.compile(_ACCOUNT + "/user-lists"), _lists),
        Read(re.compile(_ACCOUNT + "/user-lists/(?P<list>[^/]+)/users"), _members),
        Read(re.compile(_ACCOUNT + "/mass-messaging"), _queue),
        Read(re.compile(_ACCOUNT + "/mass-messaging/(?P<message>[0-9]+)"), _message),
        Read(re.compile(_ACCOUNT + "/media/uploads/(?P<media>ofapi_media_[^/]+)/status"), _upload_status),
    ),
    enter=enter,
    order=order,
    new_id=str,
    receipt=receipt,
    refuse=refuse,
)
