"""The rows of a long list, page by page: never more than two pages in memory, and the next one only when it is wanted.

Fanvue pages by number and says `hasMore`, its newer API by `nextCursor`; FrontRow shows no end (its tutorial,
"Discover available lists"), so there it is the first empty page, or one that repeats the page before it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from carillon.platforms import answers
from carillon.platforms.contract import Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import part, text_id
from carillon.platforms.pages import items_of, says_more

_MOST_PAGES = 100_000
_MOST_EMPTY = 10  # in a row, from a platform that says there is more: it may have left out all of a page
_ENVELOPES = ("users", "fans")  # beside those of all lists


@dataclass(frozen=True)
class Place:
    """Where a page is: by its number, from 1, or by what the page before it named."""

    number: int
    cursor: str | None

    def query(self, size: int) -> str:
        """`size` stays the same through one walk: Fanvue's newer API wants it so."""
        where = f"page={self.number}" if self.cursor is None else f"cursor={part(self.cursor)}"
        return f"{where}&size={size}"


class RepeatsItselfError(Unreadable):
    """A page was the one before it once more. `says_more`: although the platform says that there is more."""

    def __init__(self, what: str, more: bool) -> None:
        super().__init__(f"the list of {what} repeats itself")
        self.says_more = more


def rows(
    client: Caller, secret: str, request: Callable[[Place], Request], what: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each row with its id; one that was pushed onto the next page meanwhile comes once.

    Raises the reading errors; Unreadable too if a platform that says there is more repeats itself.
    """
    before: Mapping[str, Mapping[str, object]] = {}
    try:
        for page in pages_of(client, secret, request, what):
            found = {row_id: row for row in page if isinstance(row, Mapping) and (row_id := id_of(row))}
            if page and not found:
                raise Unreadable(f"the answer shows {what} without ids")
            yield from ((row_id, row) for row_id, row in found.items() if row_id not in before)
            before = found
    except RepeatsItselfError as error:
        if error.says_more:
            raise


def pages_of(client: Caller, secret: str, request: Callable[[Place], Request], what: str) -> Iterator[list[object]]:
    """All pages, as they came. Raises the reading errors, RepeatsItselfError among them."""
    place, before, empty = Place(1, None), list[object](), 0
    for number in range(2, _MOST_PAGES):
        body = answers.read(client.get(request(place)), secret)
        page, cursor = _items(body, what), cursor_of(body)
        more, marks = _more(body, cursor), _marks(page)
        empty = 0 if page else empty + 1
        same = cursor == place.cursor if cursor else bool(page) and marks == before
        if same or empty > _MOST_EMPTY:
            raise RepeatsItselfError(what, more is True)
        yield page
        if more is False or (more is None and not page):
            return
        place, before = Place(number, cursor), marks
    raise Unreadable(f"the list of {what} does not end after {_MOST_PAGES} pages")


def id_of(row: Mapping[str, object]) -> str | None:
    return text_id(row.get("uuid")) or text_id(row.get("id"))


def _items(body: object, what: str) -> list[object]:
    for key in (what, *_ENVELOPES):
        if isinstance(body, Mapping) and isinstance(found := body.get(key), list):
            return found
    return items_of(body, what)


def _marks(page: list[object]) -> list[object]:
    """By what a page is known again: its ids, since the rest may hold links that change with each read."""
    return [(id_of(row) if isinstance(row, Mapping) else None) or row for row in page]


def cursor_of(body: object) -> str | None:
    """None if there is none; one of any length, unlike ids."""
    found = (place.get("nextCursor") for place in _places(body))
    return next((str(cursor) for cursor in found if isinstance(cursor, str | int) and cursor), None)


def _more(body: object, cursor: str | None) -> bool | None:
    """Whether there is more; a cursor that is null says that there is none."""
    if cursor is None and any("nextCursor" in place for place in _places(body)):
        return False
    return True if cursor else says_more(body)


def _places(body: object) -> Iterator[Mapping[str, object]]:
    if isinstance(body, Mapping):
        yield from (place for place in (body, body.get("pagination"), body.get("data")) if isinstance(place, Mapping))
