"""Lists of lists, page by page, in whatever envelope a platform puts them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from carillon.platforms import answers
from carillon.platforms.contract import AudienceList, Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import is_number, text_id, whole_number

Kind = Literal["smart", "custom"]

_MOST_PAGES = 200
_ENVELOPES = ("data", "lists", "items", "list")
_COUNTS = (
    "count",
    "membersCount",
    "memberCount",
    "usersCount",
    "userCount",
    "members",
    "size",
    "total",
)


def whole(client: Caller, request: Request, secret: str, kind: Kind) -> Iterator[AudienceList]:
    """The lists of a read that is not paged."""
    body = answers.read(client.get(request), secret)
    yield from _lists(items_of(body), lambda _: kind)


def paged(
    client: Caller,
    request: Callable[[int, int], Request],
    secret: str,
    size: int,
    kind: Callable[[str], Kind],
) -> Iterator[AudienceList]:
    """All pages of `size`; `request` makes one from the page's number (from 1) and the items already read.

    Raises Unreadable if the pages do not end: better no list at all than one that seems to be missing.
    """
    seen: set[str] = set()
    read = 0
    for page in range(1, _MOST_PAGES + 1):
        body = answers.read(client.get(request(page, read)), secret)
        items = items_of(body)
        fresh = [found for found in _lists(items, kind) if found.id not in seen]
        yield from fresh
        seen.update(found.id for found in fresh)
        read = next_offset(body, read + len(items))
        more = more_to_come(body)
        if not fresh or not (len(items) >= size if more is None else more):
            return
    raise Unreadable(f"the lists do not end after {_MOST_PAGES} pages")


def by_id(list_id: str) -> Kind:
    """OnlyFans numbers the lists that a creator made, and names its own."""
    return "custom" if is_number(list_id) else "smart"


def items_of(body: object, what: str = "lists") -> list[object]:
    """What stands in the envelope. Raises Unreadable if there is none."""
    if isinstance(body, list):
        return body
    if isinstance(body, Mapping):
        for key in _ENVELOPES:
            if isinstance(body.get(key), list | Mapping):
                return items_of(body[key], what)
    raise Unreadable(f"the answer shows no {what}")


def says_more(body: object) -> bool | None:
    """Whether there are more pages: what the platform says on top, in `pagination` or beside the items."""
    if isinstance(body, Mapping):
        for place in (body, body.get("pagination"), body.get("data")):
            if isinstance(place, Mapping) and isinstance(place.get("hasMore"), bool):
                return bool(place["hasMore"])
    return None


def more_to_come(body: object) -> bool | None:
    """What the platform says of further pages, None if it says nothing."""
    said = says_more(body)
    if said is None and (told := [place for place in paginations(body) if "next_page" in place]):
        return any(place["next_page"] for place in told)
    return said


def next_offset(body: object, counted: int) -> int:
    """Where the next page begins: what the platform says, if that is no step back, else what was counted."""
    said = (whole_number(place.get("nextOffset")) for place in _places(body))
    return max(counted, next((offset for offset in said if offset is not None), counted))


def created(body: Mapping[str, object]) -> AudienceList:
    """The custom list that an answer to its creation shows, in whatever envelope. Raises Unreadable if it has no id."""
    for place in (body, body.get("data"), body.get("list")):
        if isinstance(place, Mapping) and (text_id(place.get("id")) or text_id(place.get("uuid"))):
            return next(_lists([place], lambda _: "custom"))
    raise Unreadable("the answer shows no list with an id")


def _lists(items: list[object], kind: Callable[[str], Kind]) -> Iterator[AudienceList]:
    known = 0
    for item in items:
        if not isinstance(item, Mapping):
            continue
        if list_id := text_id(item.get("id")) or text_id(item.get("uuid")):
            known += 1
            yield AudienceList(kind(list_id), list_id, text_id(item.get("name")) or list_id, _count(item))
    if items and not known:
        raise Unreadable("the answer shows lists without ids")


def _count(item: Mapping[str, object]) -> int | None:
    return next((count for key in _COUNTS if (count := whole_number(item.get(key))) is not None), None)


def _places(body: object) -> Iterator[Mapping[str, object]]:
    if isinstance(body, Mapping):
        yield from (place for place in (body, body.get("data")) if isinstance(place, Mapping))


def paginations(body: object) -> Iterator[Mapping[str, object]]:
    if isinstance(body, Mapping):
        meta = body.get("_meta")
        told = (body.get("_pagination"), meta.get("_pagination") if isinstance(meta, Mapping) else None)
        yield from (place for place in told if isinstance(place, Mapping))
