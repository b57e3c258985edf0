"""What OFAuth and OnlyFansAPI share, since OnlyFans stands behind both: queue entries, lists, prices."""

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
        "date": datetime.fromtimestamp(int(delivery.arrived_at), UTC).isoformat(),
        "isReady": True,
        "isDone": False,
        "total": total,
        "pending": max(0, total),
        "canUnsend": True,
        "unsendSeconds": 1_000_000,
        "hasError": False,
        "isCanceled": False,
        "isCouplePeopleMedia": False,
    }


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
