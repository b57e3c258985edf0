"""OnlyFansAPI's queue: what is pending, scheduled or was sent recently, and a single message of it."""

from collections.abc import Mapping

from carillon.platforms import answers, messages, pages
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Request, Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get, part
from carillon.platforms.offsets import Row
from carillon.platforms.onlyfansapi.content import at

_PAGINATION = (("_pagination",), ("_meta", "_pagination"))


def all_of(client: Caller, account: Account) -> dict[str, Shown]:
    """By id. Reference, "List Mass Message Queue": no texts."""
    found = (messages.onlyfans(item) for item in items(client, account))
    return {shown.id: shown for shown in found}


def items(client: Caller, account: Account) -> list[Row]:
    """No pages. An answer from a cache may be too old."""
    body = answers.read(client.get(_get(account, "")), account.secret)
    found = pages.items_of(body, "mass messages")
    if pages.says_more(body) or any(told(body, *where, "next_page") for where in _PAGINATION):
        raise Unreadable("the queue of mass messages goes on where its documents know no more")
    if told(body, "_meta", "_cache", "is_cached") is True:
        raise Unreadable("the queue of mass messages came from a cache")
    return [messages.fields_of(item) for item in found]


def whole(client: Caller, account: Account, shown: Shown) -> Shown:
    return filled(client.get(one(account, shown.id)), account.secret, shown)


def filled(answer: Answer, secret: str, shown: Shown) -> Shown:
    """Reference, "Get Mass Message": its content, without its recipients."""
    found = messages.onlyfans(single(answer, secret))
    if found.id != shown.id:
        raise Unreadable("the answer shows another mass message than the one asked for")
    return messages.filled(found, shown)


def single(answer: Answer, secret: str) -> Row:
    body = answers.read(answer, secret)
    return messages.fields_of(told(body, "data", "queue") or told(body, "data") or told(body, "queue") or body)


def one(account: Account, message_id: str) -> Request:
    return _get(account, f"/{part(message_id)}")


def told(body: object, *keys: str) -> object:
    for key in keys:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def _get(account: Account, which: str) -> Request:
    return get(f"{at(account)}/mass-messaging{which}", bearer(account.secret))
