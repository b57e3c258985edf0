"""OFAuth's account calls and its lists, as its client's types have them: fans are added one at a time."""

import re
from typing import Annotated

from pydantic import Field

from console.sandbox.lists import FanList, add, make, next_number
from console.sandbox.ofauth_results import page
from console.sandbox.onlyfans import user_list
from console.sandbox.rules import Answer, Call, Camel, Read, Refused, Write, parsed, require, require_json
from console.sandbox.world import Account, World

_LISTS = "/v2/access/users/lists"


class _NewList(Camel):
    name: Annotated[str, Field(min_length=1, max_length=100)]


def _enter(world: World, call: Call, _: re.Match[str]) -> Account:
    key = call.headers.get("apikey", "")
    if not world.knows("ofauth", key):
        raise Refused("Invalid API key", 401)
    return world.first("ofauth", key)


def _whoami(_: Account, __: Call, ___: re.Match[str]) -> object:
    words = ["messages:write", "messages:read", "analytics:read", "lists:read", "lists:write", "vault:write"]
    return {"id": "org_demo", "name": "Demo", "permissions": words}


def _connections(account: Account, call: Call, _: re.Match[str]) -> object:
    wanted = call.query.get("status")
    require(wanted in (None, "active", "expired", "awaiting_2fa"), "status is not known", "status")
    rows = [_connection(one) for one in account.siblings]
    return page(call, [row for row in rows if wanted in (None, row["status"])])


def _connection(account: Account) -> dict[str, object]:
    return {
        "id": account.id,
        "status": "active" if account.linked else "expired",
        "userData": {"id": "1", "name": "Demo", "username": "demo", "avatar": None},
        "permissions": ["messages:write"],
        "createdAt": "2026-01-05T09:00:00.000Z",
        "imported": False,
    }


def _lists(account: Account, call: Call, _: re.Match[str]) -> object:
    asked = call.query.get("query", "").lower()
    return page(call, [_shown(kept) for kept in account.lists.values() if asked in kept.name.lower()])


def _shown(kept: FanList) -> dict[str, object]:
    return user_list(kept, int(kept.id) if kept.id.isdecimal() else kept.id)


def _known(account: Account, list_id: str) -> FanList:
    if list_id not in account.lists:
        raise Refused("List not found", 404)
    return account.lists[list_id]


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    fans = account.audience([_known(account, found["list"]).id])
    return page(call, [{"id": int(fan.id), "username": fan.handle, "name": fan.name} for fan in fans])


def _create(account: Account, call: Call, _: re.Match[str]) -> object:
    require_json(call)
    name = parsed(_NewList, call.body).name
    return Answer(201, _shown(make(account.lists, next_number(account.lists), name)))


def _add(account: Account, _: Call, found: re.Match[str]) -> object:
    kept = _known(account, found["list"])
    require(kept.kind == "custom", "Users cannot be added to this list", "list")
    if found["user"] not in {fan.id for fan in account.fans}:
        raise Refused("User not found", 404)
    add(account.lists, kept.id, [found["user"]])
    return {"list": _shown(account.lists[kept.id]), "userState": {"hasUser": True, "canAddUser": True}}


READS = (
    Read(re.compile("/v2/account/whoami"), _whoami, _enter),
    Read(re.compile("/v2/account/connections"), _connections, _enter),
    Read(re.compile(_LISTS), _lists),
    Read(re.compile(_LISTS + "/(?P<list>[^/]+)/users"), _members),
)
WRITES = (
    Write("POST", re.compile(_LISTS), _create),
    Write("POST", re.compile(_LISTS + "/(?P<list>[^/]+)/users/(?P<user>[^/]+)"), _add),
)
