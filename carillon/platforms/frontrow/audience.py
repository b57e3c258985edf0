"""FrontRow's lists: who is on those that a creator made.

Source: FrontRow tutorial, "Discover available lists". How members are shown is not: any of the usual names is read.
Lists cannot be made, and no page shows who is on a smart one.
"""

from collections.abc import Iterator, Mapping, Sequence

from carillon.platforms.contract import Account, AudienceList, Caller, ListRef, Request
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import bearer, get, part
from carillon.platforms.messages import text_of
from carillon.platforms.parts import Member
from carillon.platforms.rows import Place, rows


class FrontRowAudience:
    """Read only."""

    fans_at_once = 1

    def members(self, client: Caller, account: Account, ref: ListRef) -> Iterator[Member]:
        if ref.kind != "custom":
            raise Unreadable(f"FrontRow does not show who is on its smart list {ref.value}, only on custom ones")
        at = f"{account.url}/api/v1/chats/lists/custom/{part(ref.value)}/members"

        def request(place: Place) -> Request:
            return get(f"{at}?{place.query(20)}", bearer(account.secret))

        return (
            Member(fan, text_of(told, "handle", "username") or None, text_of(told, "name", "displayName") or None)
            for fan, told in rows(client, account.secret, request, "members")
        )

    def create(self, account: Account, name: str) -> Request | None:  # noqa: ARG002
        return None

    def created(self, body: Mapping[str, object]) -> AudienceList:  # noqa: ARG002
        raise Unreadable("FrontRow does not let lists be made from outside")

    def add(self, account: Account, list_id: str, users: Sequence[str]) -> Request | None:  # noqa: ARG002
        return None
