"""FrontRow's webhooks: how they are signed, and what two of their six events say of broadcasts.

Source: pages "Webhooks Overview", "Purchase Received", "Tip Received". The signature covers the body alone: the time
and the delivery's id stand beside it unsigned, so whoever has seen a delivery could make both anew. Whether its
digest is in hex or base64 was not to be seen; either is taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from carillon.platforms import signatures
from carillon.platforms.forms import text_id, whole_number
from carillon.platforms.messages import instant
from carillon.platforms.parts import BadSignatureError, Hint

_SIGNATURE = "X-FrontRow-Signature"
_TIMESTAMP = "X-FrontRow-Timestamp"
_DELIVERY = "X-FrontRow-Delivery"

Told = Mapping[str, object]


class FrontRowWebhooks:
    """The secret is that of the endpoint, shown once when it is made."""

    def verify(self, headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str | None:
        scheme, _, given = signatures.the_only(headers, _SIGNATURE).partition("=")
        if scheme != "sha256":
            raise BadSignatureError(f"{_SIGNATURE}: not sha256=...")
        signed_at = instant(signatures.the_only(headers, _TIMESTAMP))
        signatures.require_either(signatures.mac(secret, raw), given)
        signatures.require_in_time(signed_at, now)
        return text_id(signatures.at_most_one(headers, _DELIVERY))

    def hints(self, body: Mapping[str, object]) -> Iterator[Hint]:
        event, data = body.get("event"), _inside(body, "data")
        if event == "purchase.received":
            yield from _purchase(event, data)
        if event == "tip.received":
            yield _tip(event, data)

    def account(self, body: Mapping[str, object]) -> str | None:  # noqa: ARG002
        return None


def _purchase(event: str, data: Told) -> Iterator[Hint]:
    """`massMessageId` is the id that the POST was answered with; null for what was no broadcast."""
    purchase = _inside(data, "purchase")
    message = text_id(_inside(purchase, "source").get("massMessageId"))
    if message or purchase.get("kind") == "message":
        yield Hint(
            "purchase",
            event,
            message,
            fan=text_id(_inside(data, "purchaser").get("id")),
            amount_cents=whole_number(purchase.get("amountCents")),
            sale=text_id(purchase.get("id")),
            at=instant(data.get("purchasedAt")),
        )


def _tip(event: str, data: Told) -> Hint:
    """Its `contextId` is one fan's message, not a broadcast."""
    tip = _inside(data, "tip")
    return Hint(
        "tip",
        event,
        fan=text_id(_inside(data, "sender").get("id")),
        amount_cents=whole_number(tip.get("amountCents")),
        sale=text_id(tip.get("id")),
        at=instant(data.get("tippedAt")),
    )


def _inside(told: Told, key: str) -> Told:
    found = told.get(key)
    return found if isinstance(found, Mapping) else {}
