"""OnlyFansAPI's webhooks: how they are signed, and what they say.

Source: pages "Protecting your webhooks", "Delivery & retries" and "Available webhook events"; where those are silent,
payloads that others captured. `Signature` is the HMAC of the raw body in hex. It has no time, so that a delivery is
told from its repetition by `X-OFAPI-Idempotency-Key`, which events that are not kept lack, and by its body.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from carillon.platforms import signatures
from carillon.platforms.contract import Delivery
from carillon.platforms.forms import receipt, text_id
from carillon.platforms.messages import cents, instant
from carillon.platforms.offsets import Row
from carillon.platforms.parts import Hint

_CHAT = re.compile(r"/chats/chat/(\d{1,30})", re.ASCII)
_FIRST = re.compile(r"[?&;]firstId=(\d{1,30})", re.ASCII)


class OnlyFansAPIWebhooks:
    def verify(self, headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str | None:  # noqa: ARG002
        signatures.require_hex(signatures.mac(secret, raw), signatures.the_only(headers, "Signature"))
        return signatures.at_most_one(headers, "X-OFAPI-Idempotency-Key")

    def hints(self, body: Mapping[str, object]) -> Iterator[Hint]:
        event, payload = body.get("event"), body.get("payload")
        if isinstance(event, str) and isinstance(payload, Mapping):
            yield from _hints(event, payload)

    def account(self, body: Mapping[str, object]) -> str | None:
        return text_id(body.get("account_id"))


def _hints(event: str, payload: Row) -> Iterator[Hint]:
    if event.startswith("chat_queue."):
        yield from _progress(event, payload)
    elif event == "messages.ppv.unlocked":
        yield _unlocked(event, payload)
    elif event == "transactions.new":
        yield from _paid(event, payload)
    elif event == "tips.received":
        yield _tip(event, payload)
    elif event == "messages.sent" and (queue_id := text_id(payload.get("queueId"))):
        yield Hint("progress", event, queue_id=queue_id)
    elif event.startswith("accounts."):
        yield Hint("account", event)
    elif event.startswith("media_uploads."):
        yield Hint("media", event)


def _progress(event: str, payload: Row) -> Iterator[Hint]:
    """How it ended. That it goes on is not told as its state: such an event may come after the one of the end."""
    told = payload.get("queue") if isinstance(payload.get("queue"), Mapping) else payload
    assert isinstance(told, Mapping)
    message_id = next((found for key in ("id", "queue_id", "queueId") if (found := text_id(told.get(key)))), None)
    said = receipt(told)
    goes_on = said.delivery == "accepted"
    ended: Delivery | None = said.delivery if not goes_on else "done" if event == "chat_queue.finished" else None
    recipients = said.recipient_count or receipt({"total": told.get("sentCount")}).recipient_count
    if message_id:
        yield Hint(
            "progress", event, message_id, delivery=None if ended == "accepted" else ended, recipients=recipients
        )


def _unlocked(event: str, payload: Row) -> Hint:
    """The amount stands among the words of a notification; so does the message, in the link to the chat.

    `user_id` on top is the creator, as others saw, and not the fan.
    """
    pairs = _pairs(payload)
    return _purchase(event, payload, cents(pairs.get("{AMOUNT}")), str(pairs.get("{MESSAGE_LINK}", "")))


def _paid(event: str, payload: Row) -> Iterator[Hint]:
    """A payment of any kind. It counts as a purchase only if it names its message: `messages.ppv.unlocked` tells of
    the same money, and so does `tips.received`.
    """
    hint = _purchase(event, payload, cents(payload.get("amount")), str(payload.get("description", "")))
    if hint.message_id or hint.queue_id:
        yield hint


def _purchase(event: str, payload: Row, amount_cents: int | None, words: str) -> Hint:
    """A fan buys a message once: whichever event tells of it, it is one sale, if both are known."""
    fan = _fan(payload) or _found(_CHAT, words)
    names = ("message_id", "messageId")
    message = _found(_FIRST, words) or next((found for key in names if (found := text_id(payload.get(key)))), None)
    return Hint(
        "purchase",
        event,
        message,
        text_id(payload.get("queueId")) or text_id(payload.get("queue_id")),
        fan=fan,
        amount_cents=amount_cents,
        sale=f"message:{message}:{fan}" if message and fan else text_id(payload.get("id")),
        at=_at(payload),
    )


def _tip(event: str, payload: Row) -> Hint:
    pairs = payload.get("replacePairs")
    said = [
        payload.get("amountGross"),
        payload.get("amount"),
        pairs.get("{AMOUNT}") if isinstance(pairs, Mapping) else None,
    ]
    amount = next((found for value in said if (found := cents(value)) is not None), None)
    return Hint("tip", event, fan=_fan(payload), amount_cents=amount, sale=text_id(payload.get("id")), at=_at(payload))


def _pairs(payload: Row) -> Row:
    pairs = payload.get("replacePairs")
    return pairs if isinstance(pairs, Mapping) else {}


def _fan(payload: Row) -> str | None:
    for key in ("user", "fan", "fromUser"):
        if isinstance(who := payload.get(key), Mapping) and (fan := text_id(who.get("id"))):
            return fan
    return None


def _found(pattern: re.Pattern[str], words: str) -> str | None:
    found = pattern.search(words)
    return found[1] if found else None


def _at(payload: Row) -> datetime | None:
    return next((at for key in ("createdAt", "created_at", "created") if (at := instant(payload.get(key)))), None)
