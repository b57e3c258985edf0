"""What each platform's webhooks say of a broadcast, a sale, a lost login.

FrontRow: pages "Purchase Received" and "Tip Received". OnlyFansAPI: "Available webhook events" and what others captured
of it (the top `user_id` is the creator). OFAuth: "System Webhook Events", which know no sales. Fanvue's newer events,
`creator.*`, are known by their envelope alone: what stands in `data` of a payment and of a mass message is made up
here; its flat ones of old ("Purchase Received", "Tip Received") come with the variant `legacy`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from console.sandbox.fans import Fan
from console.sandbox.records import Delivery
from console.sandbox.sales import Sale

Body = Mapping[str, object]


@dataclass(frozen=True)
class Event:
    """`id` is the same however often it is delivered."""

    id: str
    name: str
    body: Body


def of_sale(sale: Sale, fan: Fan, variant: str) -> Iterator[Event]:
    if sale.platform == "fanvue":
        yield _fanvue_flat(sale, fan) if variant == "legacy" else _fanvue_payment(sale)
    elif sale.platform == "frontrow":
        yield _frontrow_purchase(sale, fan) if sale.kind == "purchase" else _frontrow_tip(sale, fan)
    elif sale.platform == "onlyfansapi":
        yield from _onlyfans_sale(sale, fan)


def of_progress(delivery: Delivery, done: bool, at: float, variant: str) -> Iterator[Event]:
    name = f"{delivery.message_id}-{'done' if done else 'begun'}"
    total = len(delivery.recipients)
    if delivery.platform == "fanvue" and done and variant != "legacy":
        data = {"object": "mass_message", "uuid": delivery.message_id, "recipient_count": total}
        yield _creator_event(name, "creator.message.sent", delivery.account, data, at)
    if delivery.platform == "onlyfansapi":
        told = {"id": int(delivery.message_id), "date": _offset(delivery.goes_at), "isDone": done, "isCanceled": False}
        event = "chat_queue.finished" if done else "chat_queue.updated"
        payload = {**told, "pending": 0 if done else total, "total": total}
        yield _onlyfans(name, event, delivery.account, payload)


def of_link(platform: str, account: str, linked: bool, number: int, at: float) -> Iterator[Event]:
    if platform == "ofauth":
        name = "connection.updated" if linked else "connection.expired"
        connection = {"id": account, "status": "active" if linked else "expired"}
        body: Body = {
            "type": name,
            "timestamp": _zulu(at),
            "data": {"clientReferenceId": None, "connection": connection},
        }
        yield Event(f"msg_{number}", name, body)
    if platform == "onlyfansapi":
        name = "accounts.reconnected" if linked else "accounts.session_expired"
        yield _onlyfans(f"account-{number}", name, account, {"state": "active" if linked else "expired"})


def of_upload(account: str, upload_id: str) -> Event:
    return _onlyfans(upload_id, "media_uploads.completed", account, {"prefixed_id": upload_id})


def _creator_event(event_id: str, name: str, creator: str, data: Body, at: float) -> Event:
    body = {"id": event_id, "type": name, "timestamp": _zulu(at), "data": {**data, "creator": {"uuid": creator}}}
    return Event(event_id, name, body)


def _fanvue_payment(sale: Sale) -> Event:
    source = {"source": "message", "message_uuid": sale.message_id} if sale.kind == "purchase" else {"source": "tip"}
    amount = {"object": "payment", "uuid": sale.id, "amount": sale.amount_cents, "currency": "USD"}
    data: Body = {**amount, **source, "fan": {"uuid": sale.fan}}
    return _creator_event(sale.id, "creator.payment.succeeded", sale.account, data, sale.at)


def _fanvue_flat(sale: Sale, fan: Fan) -> Event:
    sender = {"uuid": fan.id, "handle": fan.handle, "displayName": fan.name, "avatarUrl": None}
    told: Body = {
        "price": sale.amount_cents,
        "recipientUuid": sale.account,
        "sender": sender,
        "timestamp": _zulu(sale.at),
    }
    if sale.kind == "purchase":
        return Event(sale.id, "purchase.new", {"type": "purchase.new", "routeUuid": sale.message_id, **told})
    return Event(sale.id, "tip.new", {"type": "tip.new", **told})


def _frontrow_purchase(sale: Sale, fan: Fan) -> Event:
    source = {"id": f"msg_{sale.id}", "massMessageId": sale.message_id}
    purchase = {"id": f"pur_{sale.id}", "amountCents": sale.amount_cents, "kind": "message", "source": source}
    data = {"purchase": purchase, "purchaser": _who(fan), "purchasedAt": _zulu(sale.at)}
    return _frontrow(sale, "purchase.received", data)


def _frontrow_tip(sale: Sale, fan: Fan) -> Event:
    about = {"message": None, "context": "message", "contextId": f"msg_{sale.id}"}
    tip = {"id": f"tip_{sale.id}", "amountCents": sale.amount_cents, **about}
    return _frontrow(sale, "tip.received", {"tip": tip, "sender": _who(fan), "tippedAt": _zulu(sale.at)})


def _frontrow(sale: Sale, name: str, data: Mapping[str, object]) -> Event:
    return Event(f"dlv_{sale.id}", name, {"event": name, "data": data, "timestamp": _zulu(sale.at)})


def _who(fan: Fan) -> Body:
    return {"id": fan.id, "handle": fan.handle}


def _onlyfans_sale(sale: Sale, fan: Fan) -> Iterator[Event]:
    dollars, net = sale.amount_cents / 100, sale.amount_cents * 80 // 100 / 100
    user: Body = {"id": int(fan.id), "name": fan.name, "username": fan.handle}
    told: Body = {"id": int(sale.id, 16) >> 1, "createdAt": _offset(sale.at), "user": user, "user_id": 1}
    link = f'<a href="https://onlyfans.com/my/chats/chat/{fan.id}/?firstId={sale.message_id}">message</a>'
    pairs = {"{AMOUNT}": f"${dollars:.2f}", "{NAME}": fan.name, "{MESSAGE_LINK}": link}
    if sale.kind == "purchase":
        kind = {"type": "paided_message", "subType": "subscriber_pay_for_chat_message"}
        spent: Body = {"fanData": {"spending": {"total": fan.spent_cents / 100 + dollars}}}
        payload = {**told, **kind, "replacePairs": pairs, **spent}
        yield _onlyfans(f"{sale.id}-unlocked", "messages.ppv.unlocked", sale.account, payload)
    else:
        yield _onlyfans(f"{sale.id}-tip", "tips.received", sale.account, {**told, "amount": dollars, "net": net})
    paid = {"id": sale.id, "amount": dollars, "net": net, "created": _offset(sale.at), "user": user}
    yield _onlyfans(f"{sale.id}-paid", "transactions.new", sale.account, paid)


def _onlyfans(event_id: str, name: str, account: str, payload: Body) -> Event:
    return Event(event_id, name, {"event": name, "account_id": account, "payload": payload})


def _zulu(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat()
