"""One mass message as its platform shows it: every field read if it can be, and none of them demanded but the id."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite

from carillon import clock
from carillon.platforms.contract import Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import receipt, whole_number

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_DOLLARS = re.compile(r"\$?(\d{1,10}|\d{1,3}(?:,\d{3}){1,3})(?:\.(\d\d?)0*)?", re.ASCII)
_NOISE = Decimal("0.000001")  # in dollars: what a sum of binary fractions may be off
_SURELY_AHEAD = timedelta(seconds=10)  # by more a platform's clock hardly differs from ours


def onlyfans(item: object) -> Shown:
    """The same message behind OnlyFansAPI and OFAuth: prices in dollars, mostly as text. Raises Unreadable."""
    told = fields_of(item)
    known = named(told)
    shown = replace(
        known,
        created_at=instant(told.get("createdAt")) or instant(told.get("date")) or instant(told.get("scheduledDate")),
        text=text_of(told, "text", "rawText"),
        media_count=_media_count(told),
        price_cents=_price(told),
        scheduled_at=_scheduled_at(told) if known.delivery == "accepted" else None,
        can_unsend=flag(told, "canUnsend", "canUnsendQueue"),
        unsend_seconds=_count(told, "unsendSeconds", "unsendSecondsQueue"),
        purchases=whole_number(told.get("purchasedCount")),
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


def cents(value: object) -> int | None:
    """Dollars as a number or text (`"$1,234.50"`) in exact cents; None for what is no sum of whole cents."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        value = _without_noise(value)
    found = _DOLLARS.fullmatch(str(value).strip())
    return int(found[1].replace(",", "")) * 100 + int((found[2] or "").ljust(2, "0")) if found else None


def _without_noise(value: float) -> object:
    """`344.77000000000004`, a sum of binary fractions, is 344.77."""
    if not isfinite(value):
        return value
    exact = Decimal(str(value))
    whole = round(exact, 2)
    return f"{whole:f}" if abs(exact - whole) < _NOISE else value


def flag(told: Mapping[str, object], *keys: str) -> bool | None:
    return next((value for key in keys if isinstance(value := told.get(key), bool)), None)


def _count(told: Mapping[str, object], *keys: str) -> int | None:
    return next((count for key in keys if (count := whole_number(told.get(key))) is not None), None)


def _scheduled_at(told: Mapping[str, object]) -> datetime | None:
    """When it will go. Neither platform has a word for it: a time that is ahead, and nobody has it yet."""
    at = instant(told.get("scheduledDate")) or instant(told.get("date")) or instant(told.get("createdAt"))
    ahead = at is not None and at > clock.now() + _SURELY_AHEAD
    return at if ahead and not whole_number(told.get("sentCount")) else None


def _price(told: Mapping[str, object]) -> int | None:
    price = told.get("price")
    if price is None:
        return 0 if told.get("isFree") is True else None
    return cents(price)


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
