"""Fanvue's lists: smart and custom ones, their members, making one and adding fans (its API reference, Chat lists)."""

import re
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import Field

from console.sandbox.fanvue_shapes import page
from console.sandbox.lists import FanList, add, make
from console.sandbox.rules import Answer, Call, Camel, Read, Refused, Text, Write, parsed, require_json
from console.sandbox.world import Account

CREATED = "2026-01-05T09:00:00.000Z"
_LISTS = UUID("c0ffee00-0000-4000-8000-0000000000fe")


class _NewList(Camel):
    name: Text


class _Members(Camel):
    user_uuids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100, strict=False)]


def _smart(account: Account, _: Call, __: re.Match[str]) -> object:
    smart = (kept for kept in account.lists.values() if kept.kind == "smart")
    return [{"uuid": kept.id, "name": kept.name, "count": len(kept.members)} for kept in smart]


def _custom(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [
        {"uuid": kept.id, "name": kept.name, "membersCount": len(kept.members), "createdAt": CREATED}
        for kept in account.lists.values()
        if kept.kind == "custom" and call.query.get("search", "").lower() in kept.name.lower()
    ]
    return page(call, rows)


def _members(account: Account, call: Call, found: re.Match[str]) -> object:
    kept = _list(account, found["list"], found["kind"])
    rows = [
        {"uuid": fan.id, "displayName": fan.name, "handle": fan.handle, "isCreator": False}
        for fan in account.audience([kept.id])
    ]
    return page(call, rows)


def _list(account: Account, list_id: str, kind: str) -> FanList:
    kept = account.lists.get(list_id)
    if kept is None or kept.kind != kind:
        raise Refused("List not found", 404)
    return kept


def _create(account: Account, call: Call, _: re.Match[str]) -> object:
    require_json(call)
    name = parsed(_NewList, call.body).name
    if any(kept.kind == "custom" and kept.name == name for kept in account.lists.values()):
        raise Refused("A list with this name already exists", 409)
    kept = make(account.lists, str(uuid5(_LISTS, str(account.backstage.records.number()))), name)
    return Answer(201, {"uuid": kept.id, "name": kept.name, "createdAt": CREATED})


def _add(account: Account, call: Call, found: re.Match[str]) -> object:
    """Who is on it already, or is nobody's fan here, is skipped."""
    require_json(call)
    kept = _list(account, found["list"], "custom")
    wanted = [str(one) for one in parsed(_Members, call.body).user_uuids]
    known = {fan.id for fan in account.fans}
    added = add(account.lists, kept.id, [one for one in wanted if one in known])
    return Answer(201, {"added": len(added), "skipped": len(wanted) - len(added)})


def reads(prefix: str) -> tuple[Read, ...]:
    at = prefix + "/chats/lists"
    return (
        Read(re.compile(at + "/smart"), _smart),
        Read(re.compile(at + "/custom"), _custom),
        Read(re.compile(at + "/(?P<kind>smart|custom)/(?P<list>[^/]+)"), _members),
    )


def writes() -> tuple[Write, ...]:
    """None for a managed creator: its reference has no such page."""
    at = "(?P<creator>(?!))?/chats/lists/custom"
    return (
        Write("POST", re.compile(at), _create),
        Write("POST", re.compile(at + "/(?P<list>[^/]+)/members"), _add),
    )
