"""OFAuth's scheduler: `scheduledDate`, changed by PUT, withdrawn by DELETE; and taking back what was sent.

Source: guide, "Schedule for Later", "Update" and "Cancel Scheduled Message". A second page has the DELETE under
`/mass-messages/scheduled/{id}`: the guide and the SDKs are followed. How near the time may be is documented nowhere.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from carillon.platforms import answers, messages, onlyfans
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Content, Request, Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import get, part, post, text_id
from carillon.platforms.ofauth.content import SINGLE_USE, access, fields, headers, restated
from carillon.platforms.ofauth.messages import Kind, listed, statistics_page
from carillon.platforms.writing import bare, saying

_QUEUE: tuple[Kind, ...] = ("scheduled", "sent", "unsent")


class OFAuthCalendar:
    least_ahead = timedelta(minutes=2)

    def place(self, account: Account, content: Content, at: datetime) -> Request:
        return post(f"{access(account)}/mass-messages", headers(account), fields(content, at))

    def replace(self, account: Account, message_id: str, content: Content, at: datetime) -> Request | None:
        """An upload that one send uses up may be gone already: told again, it would be refused."""
        if any(media.startswith(SINGLE_USE) for media in content.media):
            return None
        return saying("PUT", _one(account, message_id), headers(account), restated(content, at))

    def look(self, client: Caller, account: Account, message_id: str, since: datetime) -> Shown | None:
        """The queue by type; where that does not have it, or is not served, the statistics and the single message.

        A single message shows no time: of one that is only seen there, it is not known whether it has gone.
        """
        for kind in _QUEUE:
            if shown := _under(message_id, listed(client, account, since, kind)):
                return shown
        sent = onlyfans.statistics(client, account.secret, since, statistics_page(account), not_served=(403, 404))
        if shown := _under(message_id, map(messages.onlyfans, sent)):
            return shown
        return _single(client.get(get(_one(account, message_id), headers(account))), account.secret, message_id)


class OFAuthRecall:
    def withdraw(self, account: Account, message_id: str) -> Request:
        return bare("DELETE", _one(account, message_id), headers(account))

    def recallable(self, shown: Shown, sent_at: datetime, now: datetime) -> str | None:
        """SDK models: `canUnsend` says so; without it, `unsendSeconds`. Whether a DELETE does it is not documented."""
        if shown.can_unsend and shown.delivery != "cancelled":
            return None
        return onlyfans.why_not_recallable(shown, sent_at, now)


def _one(account: Account, message_id: str) -> str:
    return f"{access(account)}/mass-messages/{part(message_id)}"


def _under(message_id: str, found: Iterable[Shown]) -> Shown | None:
    return next((shown for shown in found if shown.id == message_id), None)


def _single(answer: Answer, secret: str, message_id: str) -> Shown | None:
    """Shown under the id that was asked for, also if the answer has that as `queueId`.

    Page "Error Handling": `ROUTE_NOT_FOUND` says that the call is not served, not that the message is gone.
    """
    if onlyfans.is_gone(answer, secret, but=b"ROUTE_NOT_FOUND"):
        return None
    told = messages.fields_of(answers.read(answer, secret))
    if message_id not in (text_id(told.get("id")), text_id(told.get("queueId"))):
        raise Unreadable("the answer shows another mass message than the one asked for")
    return messages.onlyfans({**told, "id": message_id})
