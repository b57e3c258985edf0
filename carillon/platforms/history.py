"""What a platform says it has sent, page by page and back past an instant: all of it, or an error, never a part."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from carillon.platforms import answers
from carillon.platforms.contract import Caller, Request, Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.pages import items_of, more_to_come

_MOST_PAGES = 200

Reader = Callable[[object], Shown]  # raises Unreadable


@dataclass
class Walk:
    """How far a list was read. Whether it is newest first must show: no platform documents it."""

    pages: int = 0
    items: int = 0  # repeated ones too, as an offset counts them
    found: dict[str, Shown] = field(default_factory=dict)
    last: object = None  # the answer that was read last

    def take(self, page: Iterable[Shown]) -> bool:
        """Whether it brought anything new; a page may begin with what newer messages pushed onto it."""
        before = len(self.found)
        self.pages += 1
        for shown in page:
            self.items += 1
            self.found.setdefault(shown.id, shown)
        return len(self.found) > before

    def back_to(self) -> datetime | None:
        """The oldest so far, None if they are not seen to come newest first."""
        times = [shown.created_at for shown in self.found.values() if shown.created_at]
        in_order = all(newer >= older for newer, older in pairwise(times))
        return times[-1] if in_order and times and times[0] > times[-1] else None


def back_past(
    client: Caller,
    secret: str,
    since: datetime,
    request: Callable[[Walk], Request],
    reader: Reader,
    not_served: Collection[int] = (),
) -> tuple[Shown, ...]:
    """As `made_since`. Raises the reading errors; a list that repeats itself is one.

    The end is where the platform says so, an empty page where it says nothing, or what is older in a list that is
    newest first. A first page that answers with a status of `not_served` says that there is no such list.
    """
    walk = Walk()
    while walk.pages < _MOST_PAGES:
        try:
            body = answers.read(client.get(request(walk)), secret)
        except Unreadable as error:
            if walk.pages == 0 and error.status in not_served:
                return ()
            raise
        walk.last = body
        if _is_last(walk, body, [reader(item) for item in items_of(body, "mass messages")], since):
            return made_since(since, walk.found.values())
    raise Unreadable(f"the list of mass messages does not end after {_MOST_PAGES} pages")


def _is_last(walk: Walk, body: object, page: list[Shown], since: datetime) -> bool:
    fresh, more = walk.take(page), more_to_come(body)
    if more is False or (more is None and not page):
        return True
    if not fresh:
        raise Unreadable("the list of mass messages repeats itself")
    oldest = walk.back_to()
    return oldest is not None and oldest < _whole_seconds(since)


def made_since(since: datetime, found: Iterable[Shown]) -> tuple[Shown, ...]:
    """Those that may have been made since then, and the newest of the older ones.

    Platforms count whole seconds, cut off. By a clock that is hours behind, what was made just now seems old: as the
    newest it is still shown, and whoever remembers what was there before sees that it is new.
    """
    shown, first = tuple(found), _whole_seconds(since)
    newest_old = max((one.created_at for one in shown if one.created_at and one.created_at < first), default=first)
    return tuple(one for one in shown if one.created_at is None or one.created_at >= min(first, newest_old))


def _whole_seconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
