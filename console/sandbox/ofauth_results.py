"""OFAuth's pages and statistics: the guide's `list` with money, the client's `items` where the guide has nothing."""

import re
from datetime import datetime
from time import time

from console.sandbox.hypertext import of_markdown
from console.sandbox.onlyfans import buyers, chart, date, sent
from console.sandbox.records import Delivery
from console.sandbox.rules import Call, Read, Refused
from console.sandbox.world import Account

_STATISTICS = "/v2/access/analytics/mass-messages"


def page(call: Call, rows: list[dict[str, object]], key: str = "list", most: int = 100) -> object:
    limit, offset = call.whole("limit", 10, 1, most), call.whole("offset", 0, 0)
    more = offset + limit < len(rows)
    return {key: rows[offset : offset + limit], "hasMore": more} | ({"nextOffset": offset + limit} if more else {})


def html_of(delivery: Delivery) -> str:
    text = str(delivery.body.get("text", ""))
    return text if delivery.body.get("isMarkdown") is False else of_markdown(text)


def media_count(delivery: Delivery) -> int:
    media = delivery.body.get("mediaItems", [])
    return len(media) if isinstance(media, list) else 0


def _sent(account: Account, call: Call, _: re.Match[str]) -> object:
    """There is no offset: further pages end before the last one (its client's types)."""
    begin, end = instant(call, "startDate"), instant(call, "endDate")
    limit = call.whole("limit", 10, 1, 100)
    kept = [
        taken
        for taken in account.sent_first()
        if (begin is None or int(taken.goes_at) >= begin) and (end is None or int(taken.goes_at) < end)
    ]
    return {"list": [_shown(account, taken) for taken in kept[:limit]], "hasMore": len(kept) > limit}


def instant(call: Call, name: str) -> float | None:
    try:
        return datetime.fromisoformat(call.query[name]).timestamp() if name in call.query else None
    except ValueError:
        raise Refused(f"{name} must be a date and time in ISO 8601", about=name) from None


def _shown(account: Account, taken: Delivery) -> dict[str, object]:
    told = account.backstage.reactions(taken)
    bought = told.purchases(time())
    money = {"purchasedCount": len(bought), "totalAmount": sum(sale.amount_cents for sale in bought) / 100}
    return sent(account, taken, html_of(taken)) | {"createdAt": date(taken), "mediaCount": media_count(taken)} | money


def _purchased(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [_shown(account, one) for one in account.sent_first()]
    return page(call, [row for row in rows if row["purchasedCount"]], key="items")


def _chart(account: Account, call: Call, _: re.Match[str]) -> object:
    none = {"chart": [], "total": 0, "delta": 0}
    told = chart(account, instant(call, "startDate"), instant(call, "endDate"))
    return told | {"direct_messages": none, "direct_messages_purchases": none}


def _buyers(account: Account, call: Call, found: re.Match[str]) -> object:
    """The marker is where to go on; the guide alone names amounts."""
    delivery = account.message(found["message"])
    if delivery is None:
        raise Refused("Message not found", 404)
    rows = buyers(account, delivery)
    limit, start = call.whole("limit", 10, 1, 20), call.whole("marker", 0, 0) + call.whole("offset", 0, 0)
    more = start + limit < len(rows)
    return {"list": rows[start : start + limit], "hasMore": more, "nextMarker": start + limit if more else None}


READS = (
    Read(re.compile(_STATISTICS + "/sent"), _sent),
    Read(re.compile(_STATISTICS + "/purchased"), _purchased),
    Read(re.compile(_STATISTICS + "/chart"), _chart),
    Read(re.compile(_STATISTICS + "/(?P<message>[0-9]+)/buyers"), _buyers),
)
