"""Fanvue's webhooks: how they are signed, and what they say of broadcasts.

Source: page "Verify webhook signatures", and "Webhooks overview" for the flat events of old, which carry no id. The
newer `creator.*` events (an envelope with `id`, `type`, `timestamp` and `data` in snake case) are known from public
clients alone: which amounts and ids a payment carries, and what the event of a mass message is called, was not
seen, so every likely name is read, and what names neither message nor tip says nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from carillon.platforms import signatures
from carillon.platforms.forms import text_id, whole_number
from carillon.platforms.messages import instant
from carillon.platforms.parts import BadSignatureError, Hint

_SIGNATURE = "X-Fanvue-Signature"
_MESSAGES = ("mass_message_uuid", "mass_message", "message_uuid", "message")
_AMOUNTS = ("gross", "amount", "price", "total")
_SALES = ("transaction_order_id", "payment_uuid", "uuid", "id")

Told = Mapping[str, object]


class FanvueWebhooks:
    """Both families are signed alike."""

    def verify(self, headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str | None:
        """`t=<unix seconds>,v0=<hex>`: HMAC-SHA256 of `t.body`. The id stands in the body, so it is signed too."""
        said = signatures.fields(signatures.the_only(headers, _SIGNATURE))
        if "t" not in said or "v0" not in said:
            raise BadSignatureError(f"{_SIGNATURE}: no t or no v0")
        signed_at = signatures.unix_time(said["t"])
        signatures.require_hex(signatures.mac(secret, said["t"].encode() + b"." + raw), said["v0"])
        signatures.require_in_time(signed_at, now)
        return _delivery(raw)

    def hints(self, body: Mapping[str, object]) -> Iterator[Hint]:
        data = body.get("data")
        hint = _flat(body) if not isinstance(data, Mapping) else _enveloped(body, data)
        if hint is not None:
            yield hint

    def account(self, body: Mapping[str, object]) -> str | None:
        """The creator; in a flat event the one who received what the fan sent."""
        data = body.get("data")
        return _id(data, "creator", "creator_uuid") if isinstance(data, Mapping) else text_id(body.get("recipientUuid"))


def _delivery(raw: bytes) -> str | None:
    with suppress(ValueError, RecursionError):
        body = json.loads(raw)
        if isinstance(body, Mapping) and isinstance(body.get("data"), Mapping):
            return text_id(body.get("id"))
    return None


def _enveloped(body: Told, data: Told) -> Hint | None:
    event, at = _event(body), instant(body.get("timestamp"))
    about, fan = _word(data.get("object")), _id(data, "fan", "fan_uuid", "user")
    if "mass" in event or "mass" in about:
        message = _id(data, *_MESSAGES) or text_id(data.get("uuid"))
        return Hint("progress", event, message, at=at, recipients=whole_number(data.get("recipient_count")))
    if event != "creator.payment.succeeded":
        return None
    message, sale = _id(data, *_MESSAGES), _id(data, *_SALES)
    if "tip" in _source(data):
        return Hint("tip", event, message, fan=fan, amount_cents=_cents(data), sale=sale, at=at)
    if message or "message" in _source(data):
        return Hint("purchase", event, message, fan=fan, amount_cents=_cents(data), sale=sale, at=at)
    return None


def _flat(body: Told) -> Hint | None:
    """A purchase of a message names it by `routeUuid`; whether that can be the mass message is not documented."""
    event, at = _event(body), instant(body.get("timestamp"))
    fan, amount = _id(body, "sender"), _cents(body)
    if "tip" in event or "tipUuid" in body:
        return Hint("tip", event or "tip", fan=fan, amount_cents=amount, sale=_id(body, "tipUuid"), at=at)
    if fan and "price" in body and (message := text_id(body.get("routeUuid"))):
        return Hint("purchase", event or "purchase", message, fan=fan, amount_cents=amount, at=at)
    return None


def _event(body: Told) -> str:
    return next((word for key in ("type", "event") if (word := _word(body.get(key)))), "")


def _source(data: Told) -> str:
    return " ".join(_word(data.get(key)) for key in ("source", "type", "kind", "payment_type"))


def _word(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _id(told: Told, *keys: str) -> str | None:
    """The first of these that is an id, or an object with one."""
    for key in keys:
        value = told.get(key)
        found = text_id(value.get("uuid")) or text_id(value.get("id")) if isinstance(value, Mapping) else text_id(value)
        if found:
            return found
    return None


def _cents(told: Told) -> int | None:
    """In minor units; None in another currency than US dollars."""
    if _word(told.get("currency")) not in ("", "usd"):
        return None
    values = (told.get(key) for key in _AMOUNTS)
    places = (value.get("gross", value.get("amount")) if isinstance(value, Mapping) else value for value in values)
    return next((cents for place in places if (cents := whole_number(place)) is not None), None)
