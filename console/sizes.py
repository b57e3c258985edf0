"""How many are on each list, as far as the platforms say so within a few seconds."""

from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from carillon import clock
from carillon.campaigns.creators import Creator
from carillon.platforms import credentials
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, AudienceList, Content, ListRef
from carillon.platforms.credentials import CredentialError
from carillon.platforms.errors import PlatformError
from carillon.platforms.roster import PLATFORMS
from carillon.settings import Settings

_SECONDS = 5.0
_AT_ONCE = 8

Counts = list[int | None]


def sizes(settings: Settings, audiences: Sequence[tuple[Creator, Content]]) -> list[Counts]:
    """For each audience the size of each list it includes; None where it is not known."""
    found: list[Counts] = [[None] * len(content.include) for _, content in audiences]
    waiting = SimpleQueue[int]()
    for number in range(len(audiences)):
        waiting.put(number)
    client = Client(min(_SECONDS, settings.http_timeout))

    def read() -> None:
        with suppress(Empty):
            while clock.ticks() < give_up:
                number = waiting.get_nowait()
                found[number] = _counts(client, settings, *audiences[number])

    give_up = clock.ticks() + _SECONDS
    readers = [Thread(target=read, daemon=True) for _ in range(min(_AT_ONCE, len(audiences)))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(max(0.0, give_up - clock.ticks()))
    return list(found)


def account_of(settings: Settings, creator: Creator) -> Account:
    """Raises CredentialError."""
    url = settings.platform_urls.get(creator.platform, PLATFORMS[creator.platform].url)
    return Account(url, creator.account_id, credentials.read(creator.credentials))


def _counts(client: Client, settings: Settings, creator: Creator, content: Content) -> Counts:
    try:
        account = account_of(settings, creator)
        lists = list(PLATFORMS[creator.platform].lists(client, account)) if content.include else []
    except (CredentialError, PlatformError):
        lists = []
    return [_count(ref, lists) for ref in content.include]


def _count(ref: ListRef, lists: Sequence[AudienceList]) -> int | None:
    for known in lists:
        if ref.value == known.name if ref.kind == "name" else (ref.kind, ref.value) == (known.kind, known.id):
            return known.count
    return None
