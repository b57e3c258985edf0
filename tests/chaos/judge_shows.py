"""What the four platforms answer to a send, and what each shows of what it has taken: nothing on FrontRow.

Only as much as Carillon reads. Their other reads answer 404, which a preflight lets pass.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SENDS = {
    "fanvue": r"/chats/mass-messages",
    "frontrow": r"/api/v1/chats/mass-messages",
    "ofauth": r"/v2/access/mass-messages",
    "onlyfansapi": r"/api/(?P<account>[^/]+)/mass-messaging",
}

_OFAUTH_SENT = "/v2/access/analytics/mass-messages/sent"


@dataclass(frozen=True)
class Message:
    """What was taken, and when: `at` on `time.monotonic()`."""

    number: int
    platform: str
    account: str
    text: str
    at: float
    taken_at: datetime


def account_of(target: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """(platform, account): the account is named by the path, a header or the key."""
    path = target.partition("?")[0]
    for platform, send in SENDS.items():
        found = re.fullmatch(send, path)
        if found:
            return platform, _account(platform, found, headers)
    raise EOFError(f"nothing is sent to {path}")


def receipt(message: Message) -> tuple[int, object]:
    """The status and the body of an accepting answer."""
    if message.platform == "onlyfansapi":
        return 200, {"data": {"id": message.number, "total": -1, "hasError": False}, "_meta": {}}
    if message.platform == "ofauth":
        return 201, {"id": message.number, "total": 3}
    body = {"id": f"m{message.number}", "recipientCount": 3}
    return 202 if message.platform == "frontrow" else 201, body


def shown(target: str, headers: Mapping[str, str], taken: Sequence[Message]) -> tuple[int, object]:
    """What a read is answered."""
    path = target.partition("?")[0]
    one = re.fullmatch(SENDS["onlyfansapi"] + r"/(?P<number>\d+)", path)
    if one:
        return _single(one, taken)
    platform, account = ("ofauth", _ofauth(headers)) if path == _OFAUTH_SENT else _asked(path, headers)
    mine = [message for message in taken if (message.platform, message.account) == (platform, account)]
    if platform == "fanvue":
        return 200, {"data": [_on_fanvue(message) for message in mine[::-1]], "pagination": {"hasMore": False}}
    if path == _OFAUTH_SENT:
        return 200, {"data": [_on_onlyfans(message) for message in mine[::-1]], "hasMore": False}
    if platform == "onlyfansapi":
        rows = [{"id": message.number, "date": _seconds(message)} for message in mine[::-1]]
        return 200, {"data": rows, "_meta": {}}
    return 404, {"message": "not here"}


def _asked(path: str, headers: Mapping[str, str]) -> tuple[str, str]:
    try:
        return account_of(path, headers)
    except EOFError:
        return "", ""


def _account(platform: str, found: re.Match[str], headers: Mapping[str, str]) -> str:
    if platform == "onlyfansapi":
        return found["account"]
    return _ofauth(headers) if platform == "ofauth" else headers.get("authorization", "")


def _ofauth(headers: Mapping[str, str]) -> str:
    return headers.get("x-connection-id", "")


def _single(one: re.Match[str], taken: Sequence[Message]) -> tuple[int, object]:
    for message in taken:
        if (message.account, str(message.number)) == (one["account"], one["number"]):
            return 200, {"data": {"queue": _on_onlyfans(message)}}
    return 404, {"message": "no such message"}


def _on_fanvue(message: Message) -> dict[str, object]:
    at = _seconds(message)
    same: dict[str, object] = {
        "text": message.text,
        "mediaUuids": [],
        "price": None,
        "status": "SENT",
        "recipientCount": 3,
    }
    return {"uuid": f"m{message.number}", "createdAt": at, "publishedAt": at, **same}


def _on_onlyfans(message: Message) -> dict[str, object]:
    return {
        "id": message.number,
        "date": _seconds(message),
        "text": f"<p>{message.text}</p>",
        "isFree": True,
        "mediaTypes": None,
        "hasError": False,
        "isCanceled": False,
    }


def _seconds(message: Message) -> str:
    """Platforms count whole seconds."""
    return message.taken_at.replace(microsecond=0).isoformat()
