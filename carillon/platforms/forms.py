"""The forms that several platforms share on the wire: headers, lists, numbers, dollars, receipts."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import quote

from carillon.platforms.contract import Content, Delivery, ListRef, Receipt, Request

_LONGEST_ID = 200
_MOST = 2**31 - 1


def get(url: str, headers: Mapping[str, str]) -> Request:
    return Request("GET", url, {**headers, **_spoken()})


def post(url: str, headers: Mapping[str, str], body: Mapping[str, object]) -> Request:
    return Request("POST", url, {**headers, **_spoken(), "Content-Type": "application/json"}, given(body))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _spoken() -> dict[str, str]:
    return {"Accept": "application/json", "User-Agent": f"carillon/{_version()}"}


@cache
def _version() -> str:
    try:
        return version("carillon")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """What was given, false and 0 too; what was not, and empty arrays and objects, are left out."""
    return {key: value for key, value in fields.items() if value is not None and value not in ([], {})}


def part(value: str) -> str:
    """One part of a URL's path; a slash in it stays inside it."""
    return quote(value, safe="")


def list_ids(refs: Iterable[ListRef], kind: Literal["smart", "custom"] | None = None) -> list[str]:
    """The ids of one kind of list, or of all, in the order of the file."""
    refs = tuple(refs)
    assert all(ref.kind != "name" for ref in refs), "a list's name was not looked up before sending"
    return [ref.value for ref in refs if kind is None or ref.kind == kind]


def number_if_digits(value: str) -> int | str:
    """`"123"` as 123; what would not come back the same, such as `"007"`, stays text."""
    return int(value) if is_number(value) else value


def numbers_if_digits(values: Iterable[str] | None) -> list[int | str]:
    return [number_if_digits(value) for value in values or ()]


def is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and (value == "0" or value[0] != "0")


def dollars(content: Content) -> float | None:
    """Exact to the cent in JSON: the shortest decimal of cents / 100 is those cents."""
    return None if content.price_cents is None else content.price_cents / 100


def receipt(body: Mapping[str, object]) -> Receipt:
    """Never raises: what it reads was accepted already."""
    message_id = text_id(body.get("id")) or text_id(body.get("uuid"))
    count = whole_number(body.get("recipientCount"))
    return Receipt(message_id, whole_number(body.get("total")) if count is None else count, _delivery(body))


def _delivery(body: Mapping[str, object]) -> Delivery:
    if body.get("hasError") is True:
        return "error"
    if body.get("isCanceled") is True:
        return "cancelled"
    return "done" if body.get("isDone") is True else "accepted"


def text_id(value: object) -> str | None:
    """An id as text, whole above 2**53 too; None if it is none, or nothing a ledger should keep."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable():
        return value
    return None


def whole_number(value: object) -> int | None:
    """A count; below 0 (OnlyFansAPI: not counted yet) and absurd ones are None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    return None
