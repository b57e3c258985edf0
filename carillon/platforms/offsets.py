"""The rows of a long list by offset: a page at a time in memory, and the next one only when it is wanted.

OFAuth answers `{list, hasMore, nextOffset}`, its guide reads bare arrays; OnlyFansAPI wraps the same in `data` and
names a whole address besides, `_pagination.next_page`, on top or in `_meta`. Such an address is followed only to the
same host and path. Where nothing says whether there is more, the end is an empty page, or one that repeats the last.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from carillon.platforms import answers
from carillon.platforms.contract import Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import text_id
from carillon.platforms.pages import items_of, more_to_come, next_offset, paginations

_MOST_PAGES = 100_000
_MOST_EMPTY = 10  # in a row, from a platform that says there is more

Row = Mapping[str, object]


def rows(client: Caller, secret: str, request: Callable[[int], Request], what: str) -> Iterator[tuple[str, Row]]:
    """Each row with its id. Raises the reading errors; Unreadable too if the platform repeats itself."""
    asked, offset, empty = request(0), 0, 0
    before: Mapping[str, Row] = {}
    for _ in range(_MOST_PAGES):
        body = answers.read(client.get(asked), secret)
        page = items_of(body, what)
        found = _by_id(page, what)
        fresh = {row_id: row for row_id, row in found.items() if row_id not in before}
        yield from fresh.items()
        empty = 0 if fresh else empty + 1
        if not _goes_on(body, bool(fresh)):
            return
        if empty > _MOST_EMPTY or (page and not fresh):
            raise Unreadable(f"the list of {what} repeats itself")
        offset = next_offset(body, offset + len(page))
        asked, before = following(body, asked) or request(offset), found or before
    raise Unreadable(f"the list of {what} does not end after {_MOST_PAGES} pages")


def following(body: object, asked: Request) -> Request | None:
    """The page that the answer names, if it lies where the last one did."""
    told = next((place["next_page"] for place in paginations(body) if place.get("next_page")), None)
    if not isinstance(told, str):
        return None
    here, there = urlsplit(asked.url), urlsplit(told)
    same = (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path)
    return replace(asked, url=told) if same and told != asked.url else None


def _goes_on(body: object, fresh: bool) -> bool:
    more = more_to_come(body)
    return fresh if more is None else more


def _by_id(page: list[object], what: str) -> dict[str, Row]:
    found = {row_id: row for row in page if isinstance(row, Mapping) and (row_id := text_id(row.get("id")))}
    if page and not found:
        raise Unreadable(f"the answer shows {what} without ids")
    return found
