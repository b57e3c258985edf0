"""OnlyFansAPI's lists (its client's user-lists), and which accounts a key opens."""

import re
from typing import Annotated

from pydantic import Field

from console.sandbox.lists import FanList, add, make, next_number
from console.sandbox.onlyfans import user_list
from console.sandbox.onlyfansapi_shapes import ACCOUNT, enveloped, onward
from console.sandbox.rules import Call, Camel, Ids, Read, Refused, Write, parsed, require, require_json
from console.sandbox.world import Account, World

_LISTS = ACCOUNT + "/user-lists"
_NOT_FOR_THE_QUEUE = ("following", "muted")  # `view=queue`; which lists it leaves out is not documented


class _NewList(Camel):
    name: Annotated[str, Field(min_length=1, max_length=64)]


class _Members(Camel):
    ids: Ids


def _enter(world: World, call: Call, _: re.Match[str]) -> Account:
    if not world.knows("onlyfansapi", call.bearer()):
        raise Refused("Invalid API key: get one at https://app.onlyfansapi.com/api-keys", 401)
    account = world.first("onlyfansapi", call.bearer())
    account.backstage.spend(account.key, 0, first=True)
    return account


def _whoami(account: Account, _: Call, __: re.Match[str]) -> object:
    return enveloped(account, {"id": "team_demo", "name": "Demo"})


def _accounts(account: Account, _: Call, __: re.Match[str]) -> object:
    rows = [
        {"id": one.id, "onlyfans_username": "demo", "display_name": "Demo", "is_authenticated": one.linked}
        for one in account.siblings
    ]
    return enveloped(account, rows)


def _lists(account: Account, call: Call, _: re.Match[str]) -> object:
    view = call.query.get("view")
    require(view in (None, "queue"), "view must be queue", "view")
    left_out = _NOT_FOR_THE_QUEUE if view else ()
    rows = [user_list(kept, kept.id) for kept in account.lists.values() if kept.id not in left_out]
    limit, offset = call.whole("limit", 10, 10, 50), call.whole("offset", 0, 0)
    further = onward(call, offset + limit < len(rows), limit=limit, offset=offset + limit)
    return enveloped(account, rows[offset : offset + limit], _pagination=further)


def _known(account: Account, list_id: str) -> FanList:
    if list_id not in account.lists:
        raise Refused("No such list", 404)
    return account.lists[list_id]


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    fans = account.audience([_known(account, found["list"]).id])
    rows = [{"id": int(fan.id), "username": fan.handle, "name": fan.name} for fan in fans]
    limit, offset = call.whole("limit", 10, 10, 50), call.whole("offset", 0, 0)
    more = offset + limit < len(rows)
    part = {"list": rows[offset : offset + limit], "hasMore": more, "nextOffset": offset + limit if more else None}
    return enveloped(account, part, _pagination=onward(call, more, limit=limit, offset=offset + limit))


def _create(account: Account, call: Call, _: re.Match[str]) -> object:
    """Its id is a number here and a text in the list of lists."""
    require_json(call)
    kept = make(account.lists, next_number(account.lists), parsed(_NewList, call.body).name)
    return enveloped(account, user_list(kept, int(kept.id)))


def _add(account: Account, call: Call, found: re.Match[str]) -> object:
    """Who is nobody's fan here is left out of the answer."""
    require_json(call)
    kept = _known(account, found["list"])
    require(kept.kind == "custom", "Users cannot be added to this list", "list")
    known = {fan.id for fan in account.fans}
    wanted = [one for one in parsed(_Members, call.body).ids if one in known]
    add(account.lists, kept.id, wanted)
    return enveloped(account, {kept.id: wanted})


READS = (
    Read(re.compile("/api/whoami"), _whoami, _enter),
    Read(re.compile("/api/accounts"), _accounts, _enter),
    Read(re.compile(_LISTS), _lists),
    Read(re.compile(_LISTS + "/(?P<list>[^/]+)/users"), _members),
)
WRITES = (
    Write("POST", re.compile(_LISTS), _create),
    Write("POST", re.compile(_LISTS + "/(?P<list>[^/]+)/users"), _add),
)
