"""Who the key belongs to, whom it manages, and what was earned (Fanvue's API reference, Users, Creators, Insights)."""

import re
from datetime import datetime

from console.sandbox.fanvue_shapes import cursor, page, second
from console.sandbox.rules import Call, Read, Refused, require
from console.sandbox.sales import Sale
from console.sandbox.world import Account

_SOURCES = {"purchase": "message", "tip": "tip"}
_EVERY = frozenset(
    {"affiliate", "mediaLink", "message", "post", "referral"} | {"renewal", "subscription", "tip", "giveaway", "all"}
)


def _me(account: Account, _: Call, __: re.Match[str]) -> object:
    return {
        "uuid": account.id,
        "email": "creator@example.com",
        "handle": "demo",
        "bio": "",
        "displayName": "Demo",
        "isCreator": True,
        "createdAt": "2023-01-01T00:00:00.000Z",
        "updatedAt": None,
        "avatarUrl": None,
        "bannerUrl": None,
    }


def _creators(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [
        {
            "uuid": one.id,
            "handle": one.id[:8],
            "displayName": one.id[:8],
            "nickname": None,
            "isTopSpender": False,
            "avatarUrl": None,
            "registeredAt": "2023-01-01T00:00:00.000Z",
        }
        for one in account.siblings[1:]
    ]
    return page(call, rows)


def _earnings(account: Account, call: Call, _: re.Match[str]) -> object:
    """The platform keeps a fifth. No row says which message it came from."""
    begin, end = _instant(call, "startDate"), _instant(call, "endDate")
    sources = set(call.query.get("source", "all").split(","))
    require(sources <= _EVERY, f"source must be of {', '.join(sorted(_EVERY))}", "source")
    rows: list[object] = [
        _row(account, sale)
        for sale in account.sales(call.arrived_at)
        if sources & {"all", _SOURCES[sale.kind]}
        and (begin is None or sale.at >= begin)
        and (end is None or sale.at < end)
    ]
    return cursor(call, rows)


def _row(account: Account, sale: Sale) -> dict[str, object]:
    fan = account.fan(sale.fan)
    user = {"uuid": fan.id, "handle": fan.handle, "displayName": fan.name, "nickname": None, "isTopSpender": False}
    net = sale.amount_cents * 80 // 100
    told = {"date": second(sale.at), "gross": sale.amount_cents, "net": net, "currency": "USD"}
    return {**told, "source": _SOURCES[sale.kind], "user": user}


def _instant(call: Call, name: str) -> float | None:
    try:
        return datetime.fromisoformat(call.query[name]).timestamp() if name in call.query else None
    except ValueError:
        raise Refused(f"{name} must be a date in ISO 8601", about=name) from None


def reads(prefix: str) -> tuple[Read, ...]:
    own = "(?P<creator>(?!))?"
    return (
        Read(re.compile(own + "/users/me"), _me),
        Read(re.compile(own + "/creators"), _creators),
        Read(re.compile(prefix + "/insights/earnings"), _earnings),
    )
