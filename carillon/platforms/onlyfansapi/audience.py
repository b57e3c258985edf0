"""OnlyFansAPI's lists: who is on them, new ones, and fans.

Source: reference, "List Users in a List", "Create User List" (64 characters) and "Add Users to a List". How many one
call may add is not documented: a hundred is Carillon's choice.
"""

from collections.abc import Iterator, Mapping, Sequence

from carillon.platforms import pages
from carillon.platforms.contract import Account, AudienceList, Caller, ListRef, Request
from carillon.platforms.forms import bearer, get, part, post
from carillon.platforms.offsets import rows
from carillon.platforms.onlyfans import member
from carillon.platforms.onlyfansapi.content import at
from carillon.platforms.parts import Member


class OnlyFansAPIAudience:
    fans_at_once = 100

    def members(self, client: Caller, account: Account, ref: ListRef) -> Iterator[Member]:
        def page(offset: int) -> Request:
            return get(f"{_users(account, ref.value)}?limit=50&offset={offset}", bearer(account.secret))

        return (member(fan, row) for fan, row in rows(client, account.secret, page, "fans"))

    def create(self, account: Account, name: str) -> Request:
        return post(f"{at(account)}/user-lists", bearer(account.secret), {"name": name})

    def created(self, body: Mapping[str, object]) -> AudienceList:
        return pages.created(body)

    def add(self, account: Account, list_id: str, users: Sequence[str]) -> Request:
        return post(_users(account, list_id), bearer(account.secret), {"ids": list(users)})


def _users(account: Account, list_id: str) -> str:
    return f"{at(account)}/user-lists/{part(list_id)}/users"
