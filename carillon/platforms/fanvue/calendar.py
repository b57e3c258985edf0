"""Fanvue's own scheduler, and taking back what was scheduled or sent.

Source: API reference, "Send a mass message" (`scheduledAt`), "Update a scheduled mass message", "Delete a mass
message". That deleting cancels what is scheduled is said of no page, but there is no other way.
"""

from datetime import datetime, timedelta

from carillon import clock
from carillon.platforms.contract import Account, Caller, Content, Request, Shown
from carillon.platforms.fanvue import wire
from carillon.platforms.fanvue.listing import find
from carillon.platforms.forms import given, part


class FanvueCalendar:
    """How far ahead it must be is not documented, nor what becomes of a time that is over when the request arrives."""

    least_ahead = timedelta(minutes=2)

    def place(self, account: Account, content: Content, at: datetime) -> Request:
        body = {**wire.message(content), "scheduledAt": clock.rfc3339_seconds(at)}
        return wire.posting(account, "/chats/mass-messages", body)

    def replace(self, account: Account, message_id: str, content: Content, at: datetime) -> Request | None:
        """A change keeps what it leaves out, so all is said: no price is null, no media and no lists are empty arrays.

        The reference allows null for `price` and an empty `text` here, and is silent on empty arrays. A field that is
        given is taken to replace the old one whole. It answers without a body.
        """
        body = {
            **wire.message(content),
            "excludedLists": given(wire.lists(content.exclude)) or wire.lists(()),
            "text": content.text or "",
            "scheduledAt": clock.rfc3339_seconds(at),
        }
        return wire.patching(account, f"/chats/mass-messages/{part(message_id)}", body)

    def look(self, client: Caller, account: Account, message_id: str, since: datetime) -> Shown | None:
        """There is no call for a single one: the list, withdrawn ones too, back past `since`."""
        return next((shown for shown, _ in find(client, account, (message_id,), since)), None)


class FanvueRecall:
    """One call for both: it cancels what is scheduled and unsends what was sent, however long ago."""

    def withdraw(self, account: Account, message_id: str) -> Request:
        return wire.deleting(account, f"/chats/mass-messages/{part(message_id)}")

    def recallable(self, shown: Shown, sent_at: datetime, now: datetime) -> str | None:  # noqa: ARG002
        return "it was withdrawn already" if shown.delivery == "cancelled" else None
