"""Fanvue's lists: who is on them, making one, adding fans.

Source: API reference, "List smart list members" and the pages of custom lists. An agency that speaks for a creator
can read them; no page shows that it can make or fill one.
"""

from collections.abc import Iterator, Mapping, Sequence

from carillon.platforms.contract import Account, AudienceList, Caller, ListRef, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.fanvue import wire
from carillon.platforms.forms import part
from carillon.platforms.messages import text_of
from carillon.platforms.parts import Member
from carillon.platforms.rows import Place, id_of, rows


class FanvueAudience:
    """Members stand on the list's own path; Fanvue shows those whom the creator may contact."""

    fans_at_once = 100

    def members(self, client: Caller, account: Account, ref: ListRef) -> Iterator[Member]:
        def request(place: Place) -> Request:
            return wire.getting(account, f"/chats/lists/{ref.kind}/{part(ref.value)}?{place.query(50)}")

        for fan, told in rows(client, account.secret, request, "members"):
            yield Member(fan, text_of(told, "handle") or None, text_of(told, "displayName", "name") or None)

    def create(self, account: Account, name: str) -> Request | None:
        """Answered by 409 if the name is taken."""
        return None if account.id else wire.posting(account, "/chats/lists/custom", {"name": name})

    def created(self, body: Mapping[str, object]) -> AudienceList:
        told = body["data"] if isinstance(body.get("data"), Mapping) else body
        assert isinstance(told, Mapping)
        list_id = id_of(told)
        if list_id is None:
            raise Unreadable("Fanvue made a list but did not say which; see `carillon lists`")
        return AudienceList("custom", list_id, text_of(told, "name") or list_id, None)

    def add(self, account: Account, list_id: str, users: Sequence[str]) -> Request | None:
        """Answered by `{added, skipped}`: those who are on it already are skipped."""
        if account.id:
            return None
        return wire.posting(account, f"/chats/lists/custom/{part(list_id)}/members", {"userUuids": list(users)})
