"""What the judge says in each platform's words: receipts, the lists before a send, and what it has taken.

Written from the platforms' documents alone, not from Carillon's adapters. Where a platform has no list of what was
sent (FrontRow), there is none here. Messages show whole seconds, and OnlyFans gives its texts back as HTML.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

SENDS = {
    "fanvue": re.compile(r"(?:/creators/[^/]+)?/chats/mass-messages"),
    "frontrow": re.compile(r"/api/v1/chats/mass-messages"),
    "ofauth": re.compile(r"/v2/access/mass-messages"),
    "onlyfansapi": re.compile(r"/api/[^/]+/mass-messaging"),
}
FANS = 9


@dataclass(frozen=True)
class Message:
    """One broadcast that was taken; `at` in seconds since 1970."""

    number: int
    text: str
    at: float

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(int(self.at), UTC).isoformat()

    @property
    def uuid(self) -> str:
        return str(UUID(int=self.number))


@dataclass(frozen=True)
class Asked:
    """A read: what the account has taken, newest first, and the query."""

    newest: Sequence[Message]
    query: Mapping[str, str]


Answer = tuple[int, Any]


def account_of(path: str, headers: Mapping[str, str]) -> str:
    """Whose request it is: OnlyFansAPI has it in the path, OFAuth in a header, the others in the key."""
    found = re.match(r"/api/(?!v1/)([^/]+)/", path)
    if found:
        return found[1]
    return headers.get("x-connection-id") or headers.get("authorization", "")


def platform_of(path: str) -> str | None:
    """Where a POST to this path sends a broadcast."""
    return next((name for name, pattern in SENDS.items() if pattern.fullmatch(path)), None)


def receipt(platform: str, message: Message) -> Answer:
    fanvue = {"id": message.uuid, "recipientCount": FANS, "createdAt": message.date}
    frontrow = {"id": f"mm_{message.number:08x}", "recipientCount": FANS, "queuedAt": message.date}
    onlyfans = {"id": message.number, "date": message.date, "total": FANS, "isDone": False, "hasError": False}
    answers: dict[str, Answer] = {
        "fanvue": (201, fanvue),
        "frontrow": (202, frontrow),
        "ofauth": (201, onlyfans),
        "onlyfansapi": (200, {"data": onlyfans, "_meta": {}}),
    }
    return answers[platform]


def read(path: str, asked: Asked) -> Answer:
    for pattern, answer in _READS.items():
        if found := re.fullmatch(pattern, path):
            return answer(asked, *found.groups())
    return 404, {"error": "not found", "message": f"no GET {path} here"}


def _fanvue_sent(asked: Asked, _: str | None) -> Answer:
    page, size = int(asked.query.get("page", 1)), int(asked.query.get("size", 15))
    rows: list[dict[str, object]] = [
        {
            "uuid": message.uuid,
            "text": message.text,
            "mediaUuids": [],
            "price": None,
            "status": "SENT",
            "createdAt": message.date,
            "recipientCount": FANS,
        }
        for message in asked.newest
    ]
    part = rows[(page - 1) * size : page * size]
    return 200, {"data": part, "pagination": {"page": page, "size": len(part), "hasMore": page * size < len(rows)}}


def _ofauth_sent(asked: Asked) -> Answer:
    """No offset: further pages end before the last one."""
    end, limit = asked.query.get("endDate"), int(asked.query.get("limit", 10))
    before = datetime.fromisoformat(end).timestamp() if end else float("inf")
    rows = [_onlyfans(message) for message in asked.newest if int(message.at) < before]
    return 200, {"list": rows[:limit], "hasMore": len(rows) > limit}


def _queue(asked: Asked) -> Answer:
    """Without texts."""
    rows = [{"id": one.number, "date": one.date, "total": FANS, "isDone": True} for one in asked.newest]
    return 200, {"data": rows, "_meta": {}}


def _queued(asked: Asked, number: str) -> Answer:
    found = [_onlyfans(message) for message in asked.newest if message.number == int(number)]
    return (200, {"data": {"success": True, "queue": found[0]}, "_meta": {}}) if found else (404, {"error": "no such"})


def _onlyfans(message: Message) -> dict[str, object]:
    text = f"<p>{message.text}</p>"
    return {"id": message.number, "date": message.date, "text": text, "isFree": True, "sentCount": FANS}


def _always(body: object) -> Callable[..., Answer]:
    return lambda *_: (200, body)


_READS: dict[str, Callable[..., Answer]] = {
    r"(/creators/[^/]+)?/chats/mass-messages": _fanvue_sent,
    r"(?:/creators/[^/]+)?/chats/lists/smart": _always([{"uuid": "all_fans", "name": "All fans", "count": FANS}]),
    r"(?:/creators/[^/]+)?/chats/lists/custom": _always(
        {"data": [], "pagination": {"page": 1, "size": 0, "hasMore": False}}
    ),
    r"/api/v1/chats/lists/smart": _always({"lists": [{"id": "subscribers", "name": "Fans", "memberCount": FANS}]}),
    r"/api/v1/chats/lists/custom": _always({"data": []}),
    r"/v2/access/users/lists": _always(
        {"list": [{"id": "fans", "name": "Fans", "usersCount": FANS}], "hasMore": False}
    ),
    r"/v2/access/analytics/mass-messages/sent": _ofauth_sent,
    r"/api/[^/]+/user-lists": _always({"data": [{"id": "fans", "name": "Fans", "usersCount": FANS}]}),
    r"/api/[^/]+/mass-messaging": _queue,
    r"/api/[^/]+/mass-messaging/(\d+)": _queued,
}
