"""Whether the account behind a key is linked and may be spoken for, where a platform stands between OnlyFans and us.

Sources: OFAuth's SDKs, `GET /v2/account/connections`; OnlyFansAPI's reference, `GET /api/accounts`. Where that cannot
be read, or reads otherwise, nothing is known.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from carillon.platforms import offsets
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get

_SENDS = "messages:write"
_Trouble = Callable[[Caller, Account], str | None]


def trouble(platform: str, client: Caller, account: Account) -> str | None:
    """What keeps the account from being spoken for, in words for a person; None if nothing does, or is known.

    Raises Unauthorized, Throttled and Unreachable.
    """
    look = _LOOKS.get(platform)
    try:
        return look(client, account) if look else None
    except Unreadable:
        return None


def _connection(client: Caller, account: Account) -> str | None:
    def page(offset: int) -> Request:
        url = f"{account.url}/v2/account/connections?limit=100&offset={offset}"
        return get(url, {"apikey": account.secret})

    found = _found(offsets.rows(client, account.secret, page, "connections"), account)
    if found is None:
        return f"OFAuth has no connection {account.id}: see its id on OFAuth's page"
    status, permissions = found.get("status"), found.get("permissions")
    if isinstance(status, str) and status != "active":
        return f"the connection {account.id} is {status.replace('_', ' ')}: link the account again on OFAuth's page"
    if isinstance(permissions, list) and permissions and _SENDS not in permissions:
        return f"the connection {account.id} lacks the permission {_SENDS}: link the account again with it"
    return None


def _onlyfans_account(client: Caller, account: Account) -> str | None:
    def page(offset: int) -> Request:
        url = f"{account.url}/api/accounts"
        return get(url if not offset else f"{url}?limit=50&offset={offset}", bearer(account.secret))

    found = _found(offsets.rows(client, account.secret, page, "accounts"), account)
    if found is None:
        return f"OnlyFansAPI has no account {account.id} for this key: see its id on OnlyFansAPI's page"
    if found.get("is_authenticated") is False:
        return f"the account {account.id} is signed out of OnlyFans: connect it again on OnlyFansAPI's page"
    return None


def _found(rows: Iterator[tuple[str, Mapping[str, object]]], account: Account) -> Mapping[str, object] | None:
    return next((row for id_, row in rows if id_ == account.id), None)


_LOOKS: Mapping[str, _Trouble] = MappingProxyType({"ofauth": _connection, "onlyfansapi": _onlyfans_account})
