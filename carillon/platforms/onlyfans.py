"""What stands behind OFAuth and OnlyFansAPI alike: OnlyFans' own lists, its fans, its media, and what was sold.

Both count messages by ids of which it is not documented how they relate: what one call says was created, another may
show under another id. So a broadcast is known in statistics by its id, else by its words, price and time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from carillon import clock
from carillon.platforms import answers, messages
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Caller, Delivery, MediaState, Request, Shown
from carillon.platforms.errors import PlatformError, Refused, Unreadable
from carillon.platforms.forms import receipt, text_id, whole_number
from carillon.platforms.history import Walk, back_past
from carillon.platforms.offsets import Row
from carillon.platforms.pages import items_of, more_to_come
from carillon.platforms.parts import Buyer, Medium, Member, Sent, Told
from carillon.platforms.wording import plain

# OnlyFans' own lists, as OnlyFansAPI's reference and its webhook events name them.
BUILT_IN_LISTS = frozenset({"fans", "recent", "following", "rebill_off", "rebill_on", "tagged", "friends", "muted"})

SAME_TIME = timedelta(minutes=2)
_APART = timedelta(hours=12)
_JUST_NOW = timedelta(hours=1)
_MOST_PAGES = 1_000


def member(fan: str, row: Row) -> Member:
    return Member(fan, text_id(row.get("username")), text_id(row.get("displayName")) or text_id(row.get("name")))


def medium(media_id: str, row: Row) -> Medium:
    return Medium(media_id, text_id(row.get("type")), None, medium_state(row), messages.instant(row.get("createdAt")))


def medium_state(row: Row) -> MediaState:
    if row.get("hasError") is True:
        return "broken"
    ready = row.get("isReady")
    return "unknown" if not isinstance(ready, bool) else "ready" if ready else "processing"


def together(sent: Sequence[Sent]) -> Iterator[tuple[Sent, ...]]:
    """Those that lie near each other, so that a day between two of them is not read through."""
    cluster: list[Sent] = []
    for one in sorted(sent, key=lambda one: one.at):
        if cluster and one.at - cluster[-1].at > _APART:
            yield tuple(cluster)
            cluster = []
        cluster.append(one)
    if cluster:
        yield tuple(cluster)


def span(sent: Sequence[Sent]) -> tuple[datetime, datetime | None]:
    """In which time their statistics lie; None: up to now."""
    first, last = min(one.at for one in sent), max(one.at for one in sent)
    return first - SAME_TIME, None if clock.now() - last < _JUST_NOW else last + SAME_TIME


def statistics(
    client: Caller, secret: str, since: datetime, request: Callable[[Walk], Request], not_served: tuple[int, ...] = ()
) -> list[Row]:
    """Items back to `since`. Each is true on its own: if the list breaks off, those before are kept."""
    found: dict[str, Row] = {}

    def read(item: object) -> Shown:
        shown = messages.onlyfans(item)
        found.setdefault(shown.id, messages.fields_of(item))
        return shown

    try:
        back_past(client, secret, since, request, read, not_served)
    except Unreadable:
        if not found:
            raise
    return list(found.values())


def matched(sent: Sequence[Sent], items: Iterable[Row]) -> dict[str, Row]:
    """The item of each broadcast, by the broadcast's id. Two that could be each other's are nobody's."""
    shown = {messages.onlyfans(item).id: item for item in items}
    found = {one.message_id: shown[one.message_id] for one in sent if one.message_id in shown}
    rest = [one for one in sent if one.message_id not in found]
    free = {item_id: item for item_id, item in shown.items() if item_id not in found}
    pairs = [(one.message_id, item_id) for one in rest for item_id, item in free.items() if _is_same(one, item)]
    for message_id, item_id in pairs:
        if sum(message_id == one or item_id == other for one, other in pairs) == 1:
            found[message_id] = free[item_id]
    return found


def _is_same(sent: Sent, item: Row) -> bool:
    shown = messages.onlyfans(item)
    if shown.created_at is None or shown.text is None or abs(shown.created_at - sent.at) > SAME_TIME:
        return False
    price = shown.price_cents
    return plain(shown.text) == plain(sent.text or "") and price in (None, sent.price_cents or 0)


def told(sent: Sent, item: Row, source: str) -> Told:
    """Revenue: the sum that the platform names, exact; else price times purchases, an estimate unless it is nothing."""
    sums = (messages.cents(item.get(key)) for key in ("totalRevenueGenerated", "totalAmount"))
    exact = next((cents for cents in sums if cents is not None), None)
    product, item_id = _product(sent, item), text_id(item.get("id"))
    return Told(
        sent.message_id,
        source,
        delivery=progress(item),
        recipients=_recipients(item),
        views=whole_number(item.get("viewedCount")),
        purchases=whole_number(item.get("purchasedCount")),
        revenue_cents=product if exact is None else exact,
        estimated=exact is None and bool(product),
        sold_as=None if item_id == sent.message_id else item_id,
    )


def _product(sent: Sent, item: Row) -> int | None:
    """What is shown as free, or as bought by nobody, has earned nothing."""
    shown, purchases = messages.onlyfans(item), whole_number(item.get("purchasedCount"))
    if shown.price_cents == 0 or purchases == 0:
        return 0
    price = sent.price_cents if shown.price_cents is None else shown.price_cents
    return None if price is None or purchases is None else price * purchases


def _recipients(item: Row) -> int | None:
    sent = whole_number(item.get("sentCount"))
    return receipt(item).recipient_count if sent is None else sent


def progress(item: Row) -> Delivery | None:
    """OnlyFansAPI's fields `isDone`, `isCanceled`, `hasError`, `pending`; None where they say nothing."""
    said = receipt(item).delivery
    if said != "accepted":
        return said
    return "delivering" if item.get("isDone") is False and whole_number(item.get("pending")) else None


def is_gone(answer: Answer, secret: str, but: bytes) -> bool:
    """Whether it says, itself or by what OnlyFans said, that there is no such message; `but` says it of more."""
    try:
        answers.accepted(answer, secret)
    except Refused as error:
        return error.status == 404 and but not in answer.body
    except PlatformError:
        return False
    return False


def why_not_recallable(shown: Shown, sent_at: datetime, now: datetime) -> str | None:
    """By `canUnsend` and `unsendSeconds`. A window of 0 beside a `canUnsend` that is true is taken for not said:
    the reference of OnlyFansAPI shows both together.
    """
    if shown.delivery == "cancelled":
        return "it was withdrawn already"
    window = timedelta(seconds=shown.unsend_seconds or 0)
    if window and now > sent_at + window:
        return f"it could be taken back until {clock.rfc3339_seconds(sent_at + window)}"
    if shown.can_unsend is False:
        return "the platform says that it cannot be taken back any more"
    if shown.can_unsend is None and not window:
        return "the platform does not say that it can be taken back"
    return None


def buyers(client: Caller, secret: str, request: Callable[[str, int], Request]) -> Iterator[Buyer]:
    """By marker where the answers have one (OFAuth: `nextMarker`, older `marker`), else by offset."""
    where, read = "", 0
    before: set[str] = set()
    for _ in range(_MOST_PAGES):
        body = answers.read(client.get(request(where, read)), secret)
        page = [row for row in items_of(body, "buyers") if isinstance(row, Mapping)]
        found = {fan: row for row in page if (fan := text_id(row.get("id")))}
        fresh = {fan: row for fan, row in found.items() if fan not in before}
        yield from (_buyer(fan, row) for fan, row in fresh.items())
        marker = _marker(body)
        more = more_to_come(body)
        if not fresh or more is False or (more is None and marker is None):
            return
        where, read, before = marker or "", read + len(page), set(found)
    raise Unreadable(f"the list of buyers does not end after {_MOST_PAGES} pages")


def _buyer(fan: str, row: Row) -> Buyer:
    name = next((name for key in ("displayName", "name", "username") if (name := text_id(row.get(key)))), None)
    return Buyer(fan, name, messages.cents(row.get("amount")))


def _marker(body: object) -> str | None:
    for place in (body, body.get("data") if isinstance(body, Mapping) else None):
        if isinstance(place, Mapping):
            for key in ("nextMarker", "marker"):
                if marker := text_id(place.get(key)):
                    return marker
    return None
