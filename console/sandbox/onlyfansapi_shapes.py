"""OnlyFansAPI's envelope, with what it says of credits and rates, and its pages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from console.sandbox.rules import Call, Refused
from console.sandbox.world import Account

ACCOUNT = "/api/(?P<account>[^/]+)"


def enveloped(account: Account, data: object, **more: object) -> dict[str, object]:
    used, balance = account.backstage.used, account.backstage.credits[account.key]
    meta = {
        "_credits": {"used": used, "balance": balance, "note": "Always"},
        "_cache": {"is_cached": False, "note": "Cache disabled for this endpoint"},
        "_rate_limits": {
            "limit_minute": 1_000,
            "limit_day": 50_000,
            "remaining_minute": 998,
            "remaining_day": 49_992,
        },
    }
    return {"data": data, "_meta": meta, **more}


def headers(account: Account) -> Mapping[str, str]:
    return {
        "x-ofapi-credits-used": str(account.backstage.used),
        "x-ofapi-credits-balance": str(account.backstage.credits[account.key]),
        "x-ofapi-is-cached": "false",
    }


def onward(call: Call, more: bool, **changed: object) -> dict[str, object]:
    """`_pagination`: the same address with these words in its query."""
    query = urlencode({**call.query, **changed})
    url = f"http://{call.headers.get('host', '')}{call.path}?{query}"
    return {"next_page": url if more else None}


def instant(call: Call, name: str) -> float | None:
    """`YYYY-MM-DD HH:MM:SS`, as the vendor's own skill writes them, or ISO 8601; in UTC unless it says else."""
    try:
        at = datetime.fromisoformat(call.query[name]) if name in call.query else None
    except ValueError:
        raise Refused(f"{name} must be a date and time", about=name) from None
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
