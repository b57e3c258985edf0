"""How many are on each list, as far as the platforms say so within a few seconds."""

from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from carillon import clock
from carillon.campaigns.creators import Creator
from carillon.platforms.client import Client
from carillon.platforms.contract import AudienceList, Content, ListRef
from carillon.platforms.credentials import CredentialError
from carillon.platforms.errors import PlatformError
from carillon.settings import Settings
from console.accounts import Accounts
from console.opening import ledger_to_read

_SECONDS = 5.0
_AT_ONCE = 8

Counts = list[int | None]


def sizes(settings: Settings, audiences: Sequence[tuple[Creator, Content]]) -> list[Counts]:
    """For each audience the size of each list it includes; None where it is not known."""
    found: list[Counts] = [[None] * len(content.include) for _, content in audiences]
    waiting = SimpleQueue[int]()
    for number in range(len(audiences)):
        waiting.put(number)
    accounts = Accounts(settings, ledger_to_read(settings), Client(min(_SECONDS, settings.http_timeout)), _SECONDS)

    def read() -> None:
        with suppress(Empty):
            while clock.ticks() < give_up:
                number = waiting.get_nowait()
                found[number] = _counts(accounts, *audiences[number])

    give_up = clock.ticks() + _SECONDS
    readers = [Thread(target=read, daemon=True) for _ in range(min(_AT_ONCE, len(audiences)))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(max(0.0, give_up - clock.ticks()))
    return list(found)


def _counts(accounts: Accounts, creator: Creator, content: Content) -> Counts:
    try:
        account = accounts.contact(creator)
        lists = list(account.platform.lists(account.caller, account.account)) if content.include else []
    except (CredentialError, PlatformError):
        lists = []
    return [_count(ref, lists) for ref in content.include]


def _count(ref: ListRef, lists: Sequence[AudienceList]) -> int | None:
    for known in lists:
        if ref.value == known.name if ref.kind == "name" else (ref.kind, ref.value) == (known.kind, known.id):
            return known.count
    return None
