"""OnlyFansAPI's scheduler: `scheduledDate` in UTC, updates and deletion; and taking back what was sent.

Source: reference, "Send", "Update" and "Unsend or Delete Mass Message". How near the time may be, and until when an
update is taken, is documented nowhere.
"""

from datetime import datetime, timedelta

from carillon.platforms import messages, onlyfans
from carillon.platforms.contract import Account, Caller, Content, Request, Shown
from carillon.platforms.errors import ReadFailed
from carillon.platforms.forms import bearer, part, post
from carillon.platforms.onlyfansapi import queue
from carillon.platforms.onlyfansapi.content import at, fields, restated
from carillon.platforms.onlyfansapi.statistics import items_of
from carillon.platforms.writing import bare, saying

_NOT_SERVED = (403, 404)


class OnlyFansAPICalendar:
    least_ahead = timedelta(minutes=2)

    def place(self, account: Account, content: Content, at: datetime) -> Request:
        return post(_messages(account), bearer(account.secret), fields(content, at))

    def replace(self, account: Account, message_id: str, content: Content, at: datetime) -> Request | None:
        body = restated(content, at)
        return None if body is None else saying("PUT", _one(account, message_id), bearer(account.secret), body)

    def look(self, client: Caller, account: Account, message_id: str, since: datetime) -> Shown | None:
        """The queue, with what the single message says more; what was sent too long ago is in the statistics."""
        shown = queue.all_of(client, account).get(message_id)
        answer = client.get(queue.one(account, message_id))
        if shown is None and onlyfans.is_gone(answer, account.secret, but=b"account_not_found"):
            return _sent(client, account, message_id, since)
        try:
            return queue.filled(answer, account.secret, shown or Shown(message_id))
        except ReadFailed:
            if shown is None:
                raise
            return shown


class OnlyFansAPIRecall:
    def withdraw(self, account: Account, message_id: str) -> Request:
        return bare("DELETE", _one(account, message_id), bearer(account.secret))

    def recallable(self, shown: Shown, sent_at: datetime, now: datetime) -> str | None:
        return onlyfans.why_not_recallable(shown, sent_at, now)


def _sent(client: Caller, account: Account, message_id: str, since: datetime) -> Shown | None:
    found = map(messages.onlyfans, items_of(client, account, "overview", since, None, _NOT_SERVED))
    return next((shown for shown in found if shown.id == message_id), None)


def _messages(account: Account) -> str:
    return f"{at(account)}/mass-messaging"


def _one(account: Account, message_id: str) -> str:
    return f"{_messages(account)}/{part(message_id)}"
