"""OnlyFansAPI's rules: its specification of "Send Mass Message", its other pages for what that leaves open."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from console.sandbox import onlyfansapi_audience, onlyfansapi_results, onlyfansapi_uploads, schedule
from console.sandbox.hypertext import of_plain
from console.sandbox.onlyfans import in_queue, queue_entry, require_price, sent
from console.sandbox.onlyfansapi_results import media_of
from console.sandbox.onlyfansapi_shapes import ACCOUNT, enveloped, headers
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
    Write,
    future,
    parsed,
    require,
    require_fans,
    require_lists,
    require_media,
)
from console.sandbox.world import Account, World

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
    scheduled_date: AwareDatetime | None = None


class _Change(Camel):
    """Exclusions and tags cannot be said (its specification of the update)."""

    text: Text
    user_lists: Ids = ()
    user_ids: Ids = ()
    locked_text: bool = False
    price: float = 0
    media_files: Ids = ()
    previews: Ids = ()
    giphy_id: Text = ""
    scheduled_date: AwareDatetime | None = None


def enter(world: World, call: Call, found: re.Match[str]) -> Account:
    if not world.knows("onlyfansapi", call.bearer()):
        raise Refused("Invalid API key: get one at https://app.onlyfansapi.com/api-keys", 401)
    account = world.find("onlyfansapi", call.bearer(), found["account"])
    if account is None:
        raise Refused("No such account", 404, "account_not_found")
    if not account.linked:
        raise Refused("The session has ended: connect the account again", 401, "ONLYFANS_SESSION_EXPIRED")
    account.backstage.spend(account.key, 1, first=True)
    return account


def order(account: Account, body: bytes, consumed: Sequence[str] = ()) -> Order:
    wanted = parsed(_MassMessage, body)
    require(bool(wanted.user_lists or wanted.user_ids), "no recipients", "userLists")
    require_price(wanted.price, bool(wanted.media_files), "mediaFiles")
    require_lists(account, None, wanted.user_lists + wanted.excluded_lists)
    require_media(account, wanted.media_files, consumed)
    require_media(account, [one for one in wanted.previews if isinstance(one, str)], consumed)
    indexes = [one for one in wanted.previews if isinstance(one, int)]
    require(all(one < len(wanted.media_files) for one in indexes), "no such media file", "previews")
    require_fans(account, wanted.user_ids)
    scheduled = wanted.scheduled_date
    require(not (scheduled and wanted.save_for_later), "not with saveForLater", "scheduledDate")
    require(not scheduled or scheduled.utcoffset() == timedelta(0), "must be in UTC", "scheduledDate")

    def who() -> tuple[str, ...]:
        fans = account.audience(wanted.user_lists, wanted.excluded_lists, wanted.user_ids)
        return () if wanted.save_for_later else tuple(fan.id for fan in fans)

    uploads = tuple(media for media in wanted.media_files if media.startswith("ofapi_media_"))
    return Order(who, uploads, future(scheduled, "scheduledDate"))


def receipt(account: Account, delivery: Delivery, _: int) -> Answer:
    return Answer(200, enveloped(account, queue_entry(account, delivery, _TOTAL_NOT_COUNTED_YET)))


def refuse(no: Refused) -> Answer:
    status = no.status or 422
    body: dict[str, object] = {"error": _ERRORS.get(status, "ERROR"), "message": no.words}
    if no.status == 0:
        body = {"error": "VALIDATION_ERROR", "message": no.words, "errors": {no.about: [no.words]}}
    elif status == 401:
        body = {"error": no.about or no.words, "message": no.words}
    elif no.about == "too_late":
        body = {"error": "ONLYFANS_COM_ERROR", "message": no.words, "onlyfans_response": {"status": status}}
    elif no.about == "account_not_found":
        body = {"error": no.about, "message": no.words}
    return Answer(status, body, no.headers)


def _queue(account: Account, call: Call, _: re.Match[str]) -> object:
    """Pending, scheduled and recently sent ones, without texts and without pages (List Mass Message Queue)."""
    recent = [
        taken
        for taken in sorted(account.newest_first(), key=lambda one: one.goes_at, reverse=True)
        if call.arrived_at - taken.goes_at < _RECENTLY
        and not taken.body.get("saveForLater")
        and not (taken.waits and taken.withdrawn)
    ]
    return enveloped(account, [in_queue(account, taken) for taken in recent])


def _message(account: Account, _: Call, found: re.Match[str]) -> object:
    """Its content without its recipients (Get Mass Message)."""
    taken = account.message(found["message"])
    if taken is None or (taken.waits and taken.withdrawn):
        raise Refused("No such message", 404)
    return enveloped(account, _single(account, taken))


def _single(account: Account, taken: Delivery) -> dict[str, object]:
    text, media = str(taken.body["text"]), media_of(taken)
    kinds = {"photo": len(media)} if media else None
    more: dict[str, object] = {
        "textCropped": text[:50],
        "mediaTypes": kinds,
        "hasError": taken.failed,
        "releaseForms": [],
    }
    return {"success": True, "queue": sent(account, taken, of_plain(text)) | more}


def _change(account: Account, call: Call, found: re.Match[str]) -> object:
    """All is as this body says, so that exclusions are gone (not documented), but its time if that is left out."""
    delivery = schedule.waiting(account, found["message"])
    _, told = schedule.told(call)
    body = json.dumps(told).encode()
    shape = parsed(_Change, body)
    require(set(shape.previews) <= set(shape.media_files), "previews must be among mediaFiles", "previews")
    schedule.change(account, delivery, order(account, body, delivery.uploads), told)
    return enveloped(account, queue_entry(account, delivery, _TOTAL_NOT_COUNTED_YET))


def _delete(account: Account, _: Call, found: re.Match[str]) -> object:
    delivery = schedule.known(account, found["message"])
    schedule.require_unsendable(account, delivery)
    schedule.withdraw(delivery)
    return enveloped(account, _single(account, delivery))


_MESSAGE = re.compile(ACCOUNT + "/mass-messaging/(?P<message>[0-9]+)")

RULES = Rules(
    name="onlyfansapi",
    send=re.compile(ACCOUNT + "/mass-messaging"),
    reads=(
        *onlyfansapi_audience.READS,
        *onlyfansapi_uploads.READS,
        *onlyfansapi_results.READS,
        Read(re.compile(ACCOUNT + "/mass-messaging"), _queue),
        Read(_MESSAGE, _message),
    ),
    writes=(
        *onlyfansapi_audience.WRITES,
        *onlyfansapi_uploads.WRITES,
        Write("PUT", _MESSAGE, _change),
        Write("DELETE", _MESSAGE, _delete),
    ),
    enter=enter,
    order=order,
    new_id=str,
    receipt=receipt,
    refuse=refuse,
    headers=headers,
)
