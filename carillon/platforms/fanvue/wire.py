"""What all requests to Fanvue share: where, with which headers, and how a message is written down."""

from collections.abc import Iterable, Mapping

from carillon.platforms.contract import Account, Content, ListRef, Request
from carillon.platforms.forms import bearer, get, given, list_ids, part, post
from carillon.platforms.writing import bare, saying


def at(account: Account) -> str:
    return account.url if account.id is None else f"{account.url}/creators/{part(account.id)}"


def headers(account: Account) -> dict[str, str]:
    return {**bearer(account.secret), "X-Fanvue-API-Version": "2025-06-26"}


def getting(account: Account, path: str) -> Request:
    return get(at(account) + path, headers(account))


def posting(account: Account, path: str, body: Mapping[str, object]) -> Request:
    return post(at(account) + path, headers(account), body)


def patching(account: Account, path: str, body: Mapping[str, object]) -> Request:
    """`body` goes out whole: what is null or empty in a change says that it shall be so."""
    return saying("PATCH", at(account) + path, headers(account), body)


def deleting(account: Account, path: str) -> Request:
    return bare("DELETE", at(account) + path, headers(account))


def message(content: Content) -> dict[str, object]:
    """API reference, "Send a mass message"."""
    return {
        "includedLists": given(lists(content.include)),
        "excludedLists": given(lists(content.exclude)),
        "text": content.text,
        "mediaUuids": list(content.media),
        "price": content.price_cents,
    }


def lists(refs: Iterable[ListRef]) -> dict[str, object]:
    refs = tuple(refs)
    return {"smartListUuids": list_ids(refs, "smart"), "customListUuids": list_ids(refs, "custom")}
