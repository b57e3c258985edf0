"""What became of what OnlyFansAPI sent: progress, purchases, revenue where it is named, buyers, credits.

Source: reference, "Mass Messaging" and "Engagement". Engagement is said to include purchases, which its items do not
name in the types: what it lacks is read from the single message, whose older samples have a price and a count. Exact
revenue is named for the top message of a time alone: each paid message is asked for as the top of its own second,
and taken only if it shows as many purchases as the rest. The chart counts by day over all messages: it is not asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from carillon import clock
from carillon.platforms import answers, messages, onlyfans
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get, part, text_id, whole_number
from carillon.platforms.offsets import Row
from carillon.platforms.onlyfansapi import queue
from carillon.platforms.onlyfansapi.content import at
from carillon.platforms.onlyfansapi.statistics import Which, between, items_of
from carillon.platforms.parts import Buyer, Credits, Sent, Told

_NOT_SERVED = (403, 404)
_IN_QUEUE = timedelta(days=1)  # how long sent ones stay in it is not documented
_STATISTICS: tuple[Which, ...] = ("engagement", "overview")


class OnlyFansAPIResults:
    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
        yield from _progress(client, account, [one for one in sent if clock.now() - one.at < _IN_QUEUE])
        top_is_served = True
        for near in onlyfans.together(sent):
            found = _found(client, account, near)
            for one in near:
                told = [onlyfans.told(one, row, which) for which, row in found.get(one.message_id, [])]
                if not told or (one.price_cents and told[0].purchases is None):
                    told += _single(client, account, one)
                yield from told
                if top_is_served and _may_have_sold(one, told):
                    try:
                        yield from _top(client, account, one, told, _moment(one, found))
                    except Unreadable as error:
                        top_is_served = error.status not in _NOT_SERVED

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:
        """Under the id of the statistics: whether the queue's is the same is not documented."""
        rows = _found(client, account, [sent]).get(sent.message_id)
        message = str(rows[0][1]["id"]) if rows else sent.message_id
        url = f"{_engagement(account)}/{part(message)}/buyers?limit=10&skip_users_dups=1"

        def page(marker: str, read: int) -> Request:
            where = f"&marker={part(marker)}" if marker else f"&offset={read}"
            return get(url + where, bearer(account.secret))

        yield from onlyfans.buyers(client, account.secret, page)

    def credits(self, answer: Answer) -> Credits | None:
        """Page "Response Structure": headers, and the same in the body."""
        used, balance = (_number(answer.headers.get(f"x-ofapi-credits-{name}")) for name in ("used", "balance"))
        if used is None and balance is None and b"_credits" in answer.body:
            body = answer.json()
            used, balance = (_number(queue.told(body, "_meta", "_credits", name)) for name in ("used", "balance"))
        return None if used is None and balance is None else Credits(used, balance)


def _progress(client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
    """The queue knows broadcasts by the ids of their receipts. Without it their figures are none the worse."""
    try:
        items = {text_id(item.get("id")): item for item in queue.items(client, account)} if sent else {}
    except Unreadable:
        return
    for one in sent:
        if item := items.get(one.message_id):
            yield onlyfans.told(one, item, "queue")


def _found(client: Caller, account: Account, sent: Sequence[Sent]) -> dict[str, list[tuple[str, Row]]]:
    """Each in the first of the two that has it; the second is asked only for what the first lacks."""
    since, until = onlyfans.span(sent)
    found: dict[str, list[tuple[str, Row]]] = {}
    for which in _STATISTICS:
        if rest := [one for one in sent if one.message_id not in found]:
            items = items_of(client, account, which, since, until, _NOT_SERVED)
            matched = onlyfans.matched(rest, items)
            found |= {message_id: [(which, row)] for message_id, row in matched.items()}
    return found


def _single(client: Caller, account: Account, sent: Sent) -> list[Told]:
    """Nothing where there is no such message under the broadcast's id."""
    try:
        row = queue.single(client.get(queue.one(account, sent.message_id)), account.secret)
    except Unreadable:
        return []
    return [onlyfans.told(sent, row, "message")] if text_id(row.get("id")) == sent.message_id else []


def _may_have_sold(sent: Sent, told: Sequence[Told]) -> bool:
    return bool(sent.price_cents) and any(one.purchases != 0 for one in told)


def _moment(sent: Sent, found: Mapping[str, Sequence[tuple[str, Row]]]) -> tuple[datetime, datetime]:
    """The second in which the statistics have it, that no other is the top of it; else the minutes around it."""
    rows = found.get(sent.message_id)
    if rows and (at := messages.onlyfans(rows[0][1]).created_at):
        return at, at + timedelta(seconds=1)
    return sent.at - onlyfans.SAME_TIME, sent.at + onlyfans.SAME_TIME


def _top(
    client: Caller, account: Account, sent: Sent, told: Sequence[Told], moment: tuple[datetime, datetime]
) -> Iterator[Told]:
    url = f"{_engagement(account)}/top-message?{between(*moment)}"
    body = answers.read(client.get(get(url, bearer(account.secret))), account.secret)
    row = queue.told(body, "data", "purchases") or queue.told(body, "purchases")
    if isinstance(row, dict) and text_id(row.get("id")) and sent.message_id in onlyfans.matched([sent], [row]):
        known = max((one.purchases or 0 for one in told), default=0)
        if (whole_number(row.get("purchasedCount")) or known) >= known:
            yield onlyfans.told(sent, row, "top message")


def _engagement(account: Account) -> str:
    return f"{at(account)}/engagement/messages"


def _number(value: object) -> int | None:
    """Headers say numbers as text."""
    return whole_number(int(value) if isinstance(value, str) and value.strip().isdecimal() else value)
