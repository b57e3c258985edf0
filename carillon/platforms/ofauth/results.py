"""What became of what OFAuth sent: statistics by message, and who bought.

Source: guide, "List Sent Mass Messages" and "Get Message Buyers", and the SDKs (3.0.0). They conflict: the guide has
`list`, `totalAmount` and a buyer's `amount`, the SDKs `items`, `price` and none of the sums: all are read. The chart
(`/chart`) counts by day over all messages, so that it says nothing of one, and is not asked.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from carillon.platforms import onlyfans
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import get, part
from carillon.platforms.ofauth.content import access, headers
from carillon.platforms.ofauth.messages import QUEUE_NOT_SERVED, queue_page, statistics_page
from carillon.platforms.offsets import Row, rows
from carillon.platforms.parts import Buyer, Credits, Sent, Told

_MOST_PURCHASED = 300  # rows; it is not said in which order they come


class OFAuthResults:
    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
        """The statistics for all; for what they lack, the list of purchases and the queue, each if it is served."""
        unsold, unseen = list[Sent](), list[Sent]()
        for near in onlyfans.together(sent):
            found = onlyfans.matched(near, _statistics(client, account, near))
            for one in near:
                told = onlyfans.told(one, found[one.message_id], "statistics") if one.message_id in found else None
                if told:
                    yield told
                else:
                    unseen.append(one)
                if one.price_cents and (told is None or told.purchases is None):
                    unsold.append(one)
        yield from _each(unsold, _purchased(client, account) if unsold else [], "purchases")
        yield from _each(unseen, _queue(client, account, unseen) if unseen else [], "queue")

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:
        """Under the id of the statistics: whether they count as the queue does is not documented."""
        found = onlyfans.matched([sent], _statistics(client, account, [sent]))
        message = str(found[sent.message_id]["id"]) if found else sent.message_id
        url = f"{access(account)}/analytics/mass-messages/{part(message)}/buyers?limit=20"

        def page(marker: str, read: int) -> Request:
            where = f"&marker={part(marker)}" if marker else f"&offset={read}" if read else ""
            return get(url + where, headers(account))

        yield from onlyfans.buyers(client, account.secret, page)

    def credits(self, answer: Answer) -> Credits | None:  # noqa: ARG002
        return None


def _each(sent: Sequence[Sent], items: list[Row], source: str) -> Iterator[Told]:
    found = onlyfans.matched(sent, items)
    yield from (onlyfans.told(one, found[one.message_id], source) for one in sent if one.message_id in found)


def _statistics(client: Caller, account: Account, sent: Sequence[Sent]) -> list[Row]:
    since, until = onlyfans.span(sent)
    return onlyfans.statistics(client, account.secret, since, statistics_page(account, since, until))


def _purchased(client: Caller, account: Account) -> list[Row]:
    def page(offset: int) -> Request:
        url = f"{access(account)}/analytics/mass-messages/purchased?limit=100&offset={offset}"
        return get(url, headers(account))

    try:
        return [row for _, row in islice(rows(client, account.secret, page, "purchases"), _MOST_PURCHASED)]
    except Unreadable:
        return []


def _queue(client: Caller, account: Account, sent: Sequence[Sent]) -> list[Row]:
    since, _ = onlyfans.span(sent)
    return onlyfans.statistics(client, account.secret, since, queue_page(account, "sent"), QUEUE_NOT_SERVED)
