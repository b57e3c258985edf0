"""What OFAuth and OnlyFansAPI share, since OnlyFans stands behind both: queue entries, sent ones, lists, prices."""

from datetime import UTC, datetime

from console.sandbox.lists import FanList
from console.sandbox.records import Delivery
from console.sandbox.rules import Refused

PRICE = (3, 200)  # US dollars (OFAuth guide, All Queue Options; OnlyFansAPI specification, price)


def require_price(price: float | None, has_media: bool, media_field: str) -> None:
    """None and 0 are free."""
    if not price:
        return
    if not PRICE[0] <= price <= PRICE[1] or round(price, 2) != price:
        raise Refused(f"price must be 0, or {PRICE[0]} to {PRICE[1]} dollars in whole cents", about="price")
    if not has_media:
        raise Refused(f"{media_field} is required when price is set", about=media_field)


def queue_entry(delivery: Delivery, total: int) -> dict[str, object]:
    return {
        "id": int(delivery.message_id),
        "date": date(delivery),
        "isReady": True,
        "isDone": False,
        "total": total,
        "pending": max(0, total),
        "canUnsend": not delivery.withdrawn,
        "unsendSeconds": 1_000_000,
        "hasError": False,
        "isCanceled": delivery.withdrawn,
        "isCouplePeopleMedia": False,
    }


def date(delivery: Delivery) -> str:
    """OnlyFans counts whole seconds."""
    return datetime.fromtimestamp(int(delivery.arrived_at), UTC).isoformat()


def sent(delivery: Delivery, text: str) -> dict[str, object]:
    """What both show of a message beside its media."""
    price = float(str(delivery.body.get("price") or 0))
    paid = {"price": f"{price:.2f}", "purchasedCount": 0, "canSendMessageToBuyers": False}
    return {
        "id": int(delivery.message_id),
        "date": date(delivery),
        "text": text,
        "giphyId": delivery.body.get("giphyId"),
        "isFree": not price,
        "sentCount": len(delivery.recipients),
        "viewedCount": 0,
        "canUnsend": not delivery.withdrawn,
        "unsendSeconds": 1_000_000,
        "isCanceled": delivery.withdrawn,
    } | (paid if price else {})


def user_list(kept: FanList, list_id: str | int) -> dict[str, object]:
    kind = "custom" if kept.kind == "custom" else kept.id
    return {
        "id": list_id,
        "type": kind,
        "name": kept.name,
        "usersCount": len(kept.members),
        "postsCount": 0,
        "canUpdate": kept.kind == "custom",
        "canDelete": kept.kind == "custom",
        "canManageUsers": kept.kind == "custom",
        "canAddUsers": kept.kind == "custom",
        "users": [],
    }
