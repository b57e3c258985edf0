"""What became of messages on Fanvue: the statistics of its list, and earnings where those name a message.

Source: API reference, "List mass messages" and "Get earnings data". Earnings name a message (`messageUuid`) in the
newer API alone, and no page says whether that is the mass message or one fan's copy of it: only the former counts
here. Refunds and chargebacks are rows below zero. Nobody who bought is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from carillon import clock
from carillon.platforms import answers
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller
from carillon.platforms.errors import Unreadable
from carillon.platforms.fanvue import wire
from carillon.platforms.fanvue.listing import find, statistic, status
from carillon.platforms.forms import part, text_id
from carillon.platforms.pages import items_of
from carillon.platforms.parts import Buyer, Credits, Sent, Told
from carillon.platforms.rows import cursor_of

_MOST_PAGES = 100  # 5,000 rows: what is told of only a part of them would be too little
_STATISTICS = (
    ("recipientCount", "recipients"),
    ("viewCount", "views"),
    ("purchaseCount", "purchases", "purchasedCount"),
    ("totalRevenue", "revenue"),
)


class FanvueResults:
    """All figures are in US cents already."""

    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
        if sent:
            yield from _listed(client, account, sent)
            yield from _earned(client, account, sent)

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:  # noqa: ARG002
        return iter(())

    def credits(self, answer: Answer) -> Credits | None:  # noqa: ARG002
        return None


def _listed(client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
    wanted = {one.message_id for one in sent}
    for shown, item in find(client, account, wanted, min(one.at for one in sent)):
        known = None if status(item) == "SCHEDULED" else item  # its figures before it is sent are not documented
        figures = [statistic(known or {}, *names) for names in _STATISTICS]
        if shown.delivery == "cancelled":  # what is 0 may only have been taken away with it
            figures = [figure or None for figure in figures]
        recipients, views, purchases, cents = figures
        yield Told(shown.id, "mass_messages", shown.delivery, recipients, views, purchases, cents)


def _earned(client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
    """Nothing where no row names a message, or the account may not read them: then the list says all there is."""
    try:
        found = _rows_by_message(client, account, sent)
    except Unreadable:
        return
    for message_id in {one.message_id for one in sent} & found.keys():
        cents = [_cents(row) for row in found[message_id]]
        known = [amount for amount in cents if amount is not None]
        if len(known) == len(cents):
            bought = sum(amount > 0 for amount in known)
            yield Told(message_id, "earnings", purchases=bought, revenue_cents=sum(known))


def _rows_by_message(
    client: Caller, account: Account, sent: Sequence[Sent]
) -> Mapping[str, list[Mapping[str, object]]]:
    found: dict[str, list[Mapping[str, object]]] = {}
    for number, page in enumerate(_earnings(client, account, min(one.at for one in sent))):
        if number == 0 and not any("messageUuid" in row for row in page):
            break
        for row in page:
            message_id = text_id(row.get("messageUuid"))
            if message_id and row.get("source") != "tip":
                found.setdefault(message_id, []).append(row)
    return found


def _earnings(client: Caller, account: Account, since: datetime) -> Iterator[list[Mapping[str, object]]]:
    """Page by page, since that day: rows may count by the day. Raises Unreadable if there are too many."""
    day = clock.rfc3339_seconds(since.astimezone(UTC).replace(hour=0, minute=0, second=0))
    query = f"startDate={part(day)}&size=50"
    for _ in range(_MOST_PAGES):
        body = answers.read(client.get(wire.getting(account, f"/insights/earnings?{query}")), account.secret)
        yield [row for row in items_of(body, "earnings") if isinstance(row, Mapping)]
        if (cursor := cursor_of(body)) is None:
            return
        query = f"cursor={part(cursor)}&startDate={part(day)}&size=50"
    raise Unreadable("Fanvue shows too many earnings to read all of them each time")


def _cents(row: Mapping[str, object]) -> int | None:
    """Before fees, in US cents; None in another currency."""
    gross, currency = row.get("gross"), row.get("currency")
    if isinstance(gross, float) and gross.is_integer():
        gross = int(gross)
    if isinstance(currency, str) and currency.upper() != "USD":
        return None
    return gross if isinstance(gross, int) and not isinstance(gross, bool) else None
