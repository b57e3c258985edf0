"""One mass message as its platform shows it: every field read if it can be, and none of them demanded but the id."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime

from carillon.platforms.contract import Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import receipt, whole_number

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_DOLLARS = re.compile(r"\$?(\d{1,7})(?:\.(\d\d?)0*)?", re.ASCII)


def onlyfans(item: object) -> Shown:
    """The same message behind OnlyFansAPI and OFAuth: prices in dollars, mostly as text. Raises Unreadable."""
    told = fields_of(item)
    shown = replace(
        named(told),
        created_at=instant(told.get("createdAt")) or instant(told.get("date")),
        text=text_of(told, "text", "rawText"),
        media_count=_media_count(told),
        price_cents=_cents_of_dollars(told),
    )
    return without_blanks(shown)


def fields_of(item: object) -> Mapping[str, object]:
    """Raises Unreadable: what shows no message may hide one."""
    if not isinstance(item, Mapping):
        raise Unreadable("the answer shows something else among its mass messages")
    return item


def named(told: Mapping[str, object]) -> Shown:
    """Its id, recipients and progress. Raises Unreadable if it has no id: such a list is not complete."""
    known = receipt(told)
    if known.message_id is None:
        raise Unreadable("the answer shows a mass message without an id")
    return Shown(known.message_id, recipient_count=known.recipient_count, delivery=known.delivery)


def without_blanks(shown: Shown) -> Shown:
    """What a withdrawn message shows as empty may only have been taken away with it."""
    if shown.delivery != "cancelled":
        return shown
    return replace(
        shown,
        text=shown.text or None,
        media=shown.media or None,
        media_count=shown.media_count or None,
        price_cents=shown.price_cents or None,
    )


def filled(shown: Shown, less: Shown) -> Shown:
    """`shown`, and what only `less` shows."""
    missing = {field.name: getattr(less, field.name) for field in fields(shown) if getattr(shown, field.name) is None}
    return replace(shown, **missing, delivery=less.delivery if shown.delivery == "accepted" else shown.delivery)


def instant(value: object) -> datetime | None:
    """RFC 3339, or seconds since 1970. One without a zone is None: it may be hours away from what it seems."""
    if isinstance(value, int | float) and 10**9 <= value < 10**10:  # from 2001 to 2286
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text_of(told: Mapping[str, object], *keys: str) -> str | None:
    """The first that is text; "" where one is null, which says that there is none."""
    there = [told[key] for key in keys if key in told]
    return next((text for text in there if isinstance(text, str)), "" if None in there else None)


def _cents_of_dollars(told: Mapping[str, object]) -> int | None:
    price = told.get("price")
    if price is None:
        return 0 if told.get("isFree") is True else None
    found = _DOLLARS.fullmatch(str(price).strip())
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else None


def _media_count(told: Mapping[str, object]) -> int | None:
    """`mediaTypes` counts them by kind, and is null where there are none (reference, "Unsend/Delete")."""
    count, media, kinds = told.get("mediaCount"), told.get("media"), told.get("mediaTypes")
    if isinstance(count, int):
        return whole_number(count)
    if isinstance(media, list):
        return len(media)
    if isinstance(kinds, Mapping):
        counts = [whole_number(number) for number in kinds.values()]
        return None if None in counts else sum(number or 0 for number in counts)
    return 0 if "mediaTypes" in told and kinds is None else None
