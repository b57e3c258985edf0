"""Fanvue's list of mass messages: one of its items, and those that are looked for by id.

Source: API reference, "List mass messages". It confirms four statistics but not their names; `status`, `mediaUuids`,
`scheduledAt` and those names are what a public client of the list reads. Nothing says how the list is ordered.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from carillon.platforms import messages
from carillon.platforms.contract import Account, Caller, Delivery, Request, Shown
from carillon.platforms.fanvue import wire
from carillon.platforms.forms import text_id, whole_number
from carillon.platforms.history import Walk
from carillon.platforms.rows import Place, pages_of

_CLOCKS_APART = timedelta(days=1)
_DELIVERIES: Mapping[object, Delivery] = {
    "SENT": "done",
    "SENDING": "delivering",
    "UNSENT": "cancelled",
    "FAILED": "error",
    "MODERATED": "error",
}
_STATISTICS = ("stats", "statistics")


def find(
    client: Caller, account: Account, wanted: Collection[str], since: datetime
) -> Iterator[tuple[Shown, Mapping[str, object]]]:
    """Those of these ids that there are, with all that the list says of them; none was made before `since`.

    Reads no further than where the last of them is found, or surely cannot be any more. Raises the reading errors.
    """

    def request(place: Place) -> Request:
        return wire.getting(account, f"/chats/mass-messages?{place.query(50)}&includeDeleted=true")

    walk, missing = Walk(), set(wanted)
    for page in pages_of(client, account.secret, request, "mass messages"):
        items = [(shown(item), messages.fields_of(item)) for item in page]
        walk.take(one for one, _ in items)
        yield from ((one, told) for one, told in items if one.id in missing)
        missing -= walk.found.keys()
        oldest = walk.back_to()
        if not missing or (oldest is not None and oldest < since - _CLOCKS_APART):
            return


def shown(item: object) -> Shown:
    """Raises Unreadable if it is no message with an id."""
    told = messages.fields_of(item)
    found = replace(
        messages.named(told),
        created_at=messages.instant(told.get("createdAt")) or messages.instant(told.get("publishedAt")),
        text=messages.text_of(told, "text"),
        media=_media_ids(told),
        price_cents=0 if told.get("price", "") is None else whole_number(told.get("price")),
        delivery=_DELIVERIES.get(status(told), "accepted"),
        scheduled_at=_goes_at(told),
        purchases=statistic(told, "purchaseCount", "purchases", "purchasedCount"),
    )
    return messages.without_blanks(found)


def status(told: Mapping[str, object]) -> str | None:
    """In upper case, as the reference writes it."""
    said = told.get("status")
    return said.upper() if isinstance(said, str) else None


def statistic(told: Mapping[str, object], *names: str) -> int | None:
    """By the first of these names, in the item or in an object of statistics inside it."""
    places = (told, *(told.get(name) for name in _STATISTICS))
    found = (whole_number(place.get(name)) for place in places if isinstance(place, Mapping) for name in names)
    return next((number for number in found if number is not None), None)


def _goes_at(told: Mapping[str, object]) -> datetime | None:
    """Of what has gone the list goes on showing when it was to go. Without a status, having no time says it has not."""
    waits = status(told) == "SCHEDULED" or (status(told) is None and told.get("publishedAt") is None)
    return messages.instant(told.get("scheduledAt")) if waits else None


def _media_ids(told: Mapping[str, object]) -> frozenset[str] | None:
    if "mediaUuids" not in told:
        return None
    listed = told["mediaUuids"] or []
    ids = [text_id(one) for one in listed] if isinstance(listed, list) else [None]
    return None if None in ids else frozenset(one for one in ids if one)
