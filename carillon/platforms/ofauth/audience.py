"""OFAuth's lists: who is on them, new ones, and fans one by one.

Source: the models and paths of its SDKs (3.0.0); the guide reads the same answers as bare arrays.
"""

from collections.abc import Iterator, Mapping, Sequence

from carillon.platforms import pages
from carillon.platforms.contract import Account, AudienceList, Caller, ListRef, Request
from carillon.platforms.forms import get, part, post
from carillon.platforms.ofauth.content import access, headers
from carillon.platforms.offsets import rows
from carillon.platforms.onlyfans import member
from carillon.platforms.parts import Member
from carillon.platforms.writing import bare


class OFAuthAudience:
    """No call adds many at once to one list."""

    fans_at_once = 1

    def members(self, client: Caller, account: Account, ref: ListRef) -> Iterator[Member]:
        def page(offset: int) -> Request:
            return get(f"{_users(account, ref.value)}?limit=100&offset={offset}", headers(account))

        return (member(fan, row) for fan, row in rows(client, account.secret, page, "fans"))

    def create(self, account: Account, name: str) -> Request:
        return post(f"{access(account)}/users/lists", headers(account), {"name": name})

    def created(self, body: Mapping[str, object]) -> AudienceList:
        return pages.created(body)

    def add(self, account: Account, list_id: str, users: Sequence[str]) -> Request:
        (user,) = users
        return bare("POST", f"{_users(account, list_id)}/{part(user)}", headers(account))


def _users(account: Account, list_id: str) -> str:
    return f"{access(account)}/users/lists/{part(list_id)}/users"
