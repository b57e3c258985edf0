"""What OFAuth and OnlyFansAPI share, since OnlyFans stands behind both: queue entries, sent ones, lists, prices."""

from collections import Counter
from datetime import UTC, datetime
from time import time

from console.sandbox import schedule
from console.sandbox.lists import FanList
from console.sandbox.records import Delivery
from console.sandbox.rules import Refused
from console.sandbox.sales import price_cents
from console.sandbox.world import Account

PRICE = (3, 200)  # US dollars (OFAuth guide, All Queue Options; OnlyFansAPI specification, price)


def require_price(price: float | None, has_media: bool, media_field: str) -> None:
    """None and 0 are free."""
    if not price:
        return
    if not PRICE[0] <= price <= PRICE[1] or round(price, 2) != price:
        raise Refused(f"price must be 0, or {PRICE[0]} to {PRICE[1]} dollars in whole cents", about="price")
    if not has_media:
        raise Refused(f"{media_field} is required when price is set", about=media_field)


def queue_entry(account: Account, delivery: Delivery, total: int, done: bool = False) -> dict[str, object]:
    left = schedule.unsend_seconds(account, delivery, time())
    return {
        "id": int(delivery.message_id),
        "date": date(delivery),
        "isReady": True,
        "isDone": done and not delivery.waits,
        "total": total,
        "pending": 0 if done and not delivery.waits else max(0, total),
        "canUnsend": not delivery.withdrawn and left > 0,
        "unsendSeconds": left,
        "hasError": delivery.failed,
        "isCanceled": delivery.withdrawn,
        "isCouplePeopleMedia": False,
    }


def in_queue(account: Account, delivery: Delivery) -> dict[str, object]:
    return queue_entry(account, delivery, -1 if delivery.waits else len(delivery.recipients), done=True)


def date(delivery: Delivery) -> str:
    """When it goes out. OnlyFans counts whole seconds."""
    return second(delivery.goes_at)


def second(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat()


def sent(account: Account, delivery: Delivery, text: str) -> dict[str, object]:
    """What both show of a message beside its media."""
    cents, now = price_cents(delivery.platform, delivery.body), time()
    told = account.backstage.reactions(delivery)
    left = schedule.unsend_seconds(account, delivery, now)
    paid = {
        "price": f"{cents / 100:.2f}",
        "purchasedCount": len(told.purchases(now)),
        "canSendMessageToBuyers": bool(told.purchases(now)),
    }
    return {
        "id": int(delivery.message_id),
        "date": date(delivery),
        "text": text,
        "giphyId": delivery.body.get("giphyId"),
        "isFree": not cents,
        "sentCount": len(delivery.recipients),
        "viewedCount": told.views(now),
        "canUnsend": not delivery.withdrawn and left > 0,
        "unsendSeconds": left,
        "isCanceled": delivery.withdrawn,
    } | (paid if cents else {})


def chart(account: Account, begin: float | None, end: float | None) -> dict[str, object]:
    """Broadcasts and purchases by day; the change against the stretch before is not made up here."""
    now = time()

    def days(instants: list[float]) -> dict[str, object]:
        inside = [at for at in instants if (begin is None or at >= begin) and (end is None or at < end)]
        by_day = Counter(f"{second(at)[:10]}T00:00:00+00:00" for at in inside)
        rows = [{"date": day, "count": count} for day, count in sorted(by_day.items())]
        return {"chart": rows, "total": len(inside), "delta": 0}

    bought = [sale.at for sale in account.sales(now) if sale.kind == "purchase"]
    return {
        "group_messages": days([one.goes_at for one in account.sent_first()]),
        "group_messages_purchases": days(bought),
    }


def buyers(account: Account, delivery: Delivery) -> list[dict[str, object]]:
    """In the order in which they bought, with the amount."""
    named = {fan.id: fan for fan in account.fans}
    return [
        {
            "id": int(sale.fan),
            "username": named[sale.fan].handle,
            "name": named[sale.fan].name,
            "amount": sale.amount_cents / 100,
        }
        for sale in account.backstage.reactions(delivery).purchases(time())
    ]


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
