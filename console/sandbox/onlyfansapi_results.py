"""OnlyFansAPI's overview and engagement of broadcasts (its client's mass-messaging and engagement calls).

Further pages of both end before the last item: `endDate` is the handle.
"""

import re
from collections.abc import Callable
from time import time

from console.sandbox.hypertext import of_plain
from console.sandbox.onlyfans import buyers, chart, sent
from console.sandbox.onlyfansapi_shapes import ACCOUNT, enveloped, instant, onward
from console.sandbox.records import Delivery
from console.sandbox.rules import Call, Read, Refused
from console.sandbox.world import Account

_MESSAGES = ACCOUNT + "/engagement/messages"


def media_of(delivery: Delivery) -> list[object]:
    media = delivery.body.get("mediaFiles", [])
    return media if isinstance(media, list) else []


def _inside(account: Account, call: Call) -> list[Delivery]:
    begin, end = instant(call, "startDate"), instant(call, "endDate")
    asked = call.query.get("query", "").lower()
    return [
        one
        for one in account.sent_first()
        if (begin is None or int(one.goes_at) >= begin)
        and (end is None or int(one.goes_at) < end)
        and asked in str(one.body.get("text", "")).lower()
        and not one.body.get("saveForLater")
    ]


def _page(account: Account, call: Call, shown: Callable[[Account, Delivery], dict[str, object]]) -> object:
    limit, kept = call.whole("limit", 10, 1, 100), _inside(account, call)
    rows, more = [shown(account, one) for one in kept[:limit]], len(kept) > limit
    end = str(rows[-1]["date"])[:19].replace("T", " ") if rows else ""
    return enveloped(account, {"hasMore": more, "items": rows}, _pagination=onward(call, more, endDate=end))


def _overview(account: Account, call: Call, _: re.Match[str]) -> object:
    return _page(account, call, _item)


def _engagement(account: Account, call: Call, _: re.Match[str]) -> object:
    return _page(account, call, lambda account, one: _item(account, one) | _bought(account, one))


def _item(account: Account, delivery: Delivery) -> dict[str, object]:
    """Without purchases: its typed item has none."""
    told = sent(account, delivery, of_plain(str(delivery.body["text"])))
    told = {name: value for name, value in told.items() if name not in ("price", "purchasedCount")}
    return told | {
        "responseType": "message",
        "rawText": delivery.body["text"],
        "isMediaReady": True,
        "mediaCount": len(media_of(delivery)),
        "media": [],
        "previews": [],
        "isTip": False,
        "isReportedByMe": False,
        "template": "group",
    }


def _bought(account: Account, delivery: Delivery) -> dict[str, object]:
    told = sent(account, delivery, "")
    return {name: told[name] for name in ("price", "purchasedCount") if name in told}


def _chart(account: Account, call: Call, _: re.Match[str]) -> object:
    return enveloped(account, chart(account, instant(call, "startDate"), instant(call, "endDate")))


def _buyers(account: Account, call: Call, found: re.Match[str]) -> object:
    """No amounts: its client's type has none."""
    delivery = account.message(found["message"])
    if delivery is None:
        raise Refused("No such message", 404)
    rows = [{**row, "displayName": row["name"]} for row in buyers(account, delivery)]
    for row in rows:
        del row["amount"]
    limit, offset = call.whole("limit", 10, 1, 100), call.whole("offset", 0, 0) + call.whole("marker", 0, 0)
    more = offset + limit < len(rows)
    part = {"hasMore": more, "list": rows[offset : offset + limit], "marker": None}
    return enveloped(account, part, _pagination=onward(call, more, limit=limit, offset=offset + limit))


def _top(account: Account, call: Call, _: re.Match[str]) -> object:
    """By what it earned; `purchases` is null if nothing was sold."""
    now = time()
    ranked = sorted(_inside(account, call), key=lambda one: account.backstage.reactions(one).revenue_cents(now))
    if not ranked or not (cents := account.backstage.reactions(ranked[-1]).revenue_cents(now)):
        return enveloped(account, {"purchases": None})
    top = ranked[-1]
    href = f"{call.path.removesuffix('top-message')}{top.message_id}/buyers"
    more = {
        "totalRevenueGenerated": f"{cents / 100:.2f}",
        "media": [],
        "relationships": {"buyers": {"href": href, "method": "GET"}},
    }
    return enveloped(account, {"purchases": sent(account, top, of_plain(str(top.body["text"]))) | more})


READS = (
    Read(re.compile(ACCOUNT + "/mass-messaging/overview"), _overview),
    Read(re.compile(_MESSAGES + "/mass-messages"), _engagement),
    Read(re.compile(_MESSAGES + "/mass-messages/chart"), _chart),
    Read(re.compile(_MESSAGES + "/top-message"), _top),
    Read(re.compile(_MESSAGES + "/(?P<message>[0-9]+)/buyers"), _buyers),
)
