"""A creator's account as a command speaks to its platform: by its login or its key, and at the platform's rate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from time import sleep

from sqlalchemy import select

from carillon.campaigns.creators import Creator
from carillon.handoff.pacing import SharedWindows
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.tables import creators
from carillon.platforms import credentials
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Caller, Platform
from carillon.platforms.pacing import Pace, Paced
from carillon.platforms.pacing_on_disk import WindowsOnDisk
from carillon.platforms.roster import PLATFORMS
from carillon.settings import Settings
from console.in_force import catalogue, require_known
from console.opening import ledger_to_read, person
from console.patience import Patient
from console.progress import Progress
from worker.tokens import Renewing, Tokens, tokens_of


@dataclass(frozen=True)
class Contact:
    """One account, and who makes its requests; `once` tries none of them again."""

    creator: Creator
    platform: Platform
    account: Account
    caller: Caller
    once: Caller


class Accounts:
    """The accounts of an installation. `patience`: the seconds that one request may wait for its turn; `tell` hears."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger | None,
        client: Client,
        patience: float = inf,
        tell: Callable[[float, str], None] = lambda _seconds, _why: None,
    ) -> None:
        self._tell = tell
        self._settings, self._ledger, self._client, self._patience = settings, ledger, client, patience
        self._tokens: Tokens | None = tokens_of(settings, ledger, person()) if ledger else None
        self._pace = pace_of(settings, ledger)

    def contact(self, creator: Creator) -> Contact:
        """Raises CredentialError."""
        platform = PLATFORMS[creator.platform]
        account = self._account(creator)
        paced = Paced(self._client, self._pace, platform, account, self._patience, rest=self._rest)
        caller: Caller = paced
        if self._tokens and account.generation:
            caller = Renewing(paced, self._tokens, platform.name, account)
        return Contact(creator, platform, account, caller, caller)

    def _rest(self, seconds: float) -> None:
        self._tell(seconds, "the platform's rate")
        sleep(seconds)

    def _account(self, creator: Creator) -> Account:
        url = self._settings.platform_urls.get(creator.platform, PLATFORMS[creator.platform].url)
        id_ = ledger_id(self._ledger, creator) if self._ledger else None
        pair = self._tokens.pair(creator.platform, id_) if self._tokens and id_ is not None else None
        if pair:
            return Account(url, creator.account_id, pair.access, id_, pair.generation)
        return Account(url, creator.account_id, credentials.read(creator.credentials), id_)


def ledger_id(ledger: Ledger, creator: Creator) -> int | None:
    """None for a creator that was never in force."""
    mine = (creators.c.platform == creator.platform, creators.c.account == creator.account)
    with ledger.read() as session:
        return session.scalar(select(creators.c.id).where(*mine))


def pace_of(settings: Settings, ledger: Ledger | None) -> Pace:
    """What is counted in Redis, or in the home, counts for all."""
    if settings.redis_url and ledger:
        return Pace(SharedWindows(settings.redis_url, f"carillon:{installation(ledger)}"))
    return Pace(WindowsOnDisk(settings.rates))


@contextmanager
def contact(settings: Settings, name: str, progress: Progress) -> Iterator[Contact]:
    """The account of one creator, for a command that goes through much: what fails for a while is asked again.

    Raises CommandError for a name that is unknown, and CredentialError.
    """
    ledger = ledger_to_read(settings)
    in_force = catalogue(settings, ledger)
    require_known("creator", name, in_force.creators)
    client = Client(settings.http_timeout)
    try:
        found = Accounts(settings, ledger, client, tell=progress.waits).contact(in_force.creators[name])
        patient = Patient(found.caller, found.account.secret, progress.waits)
        yield replace(found, caller=patient)
    finally:
        client.close()
        if ledger:
            ledger.close()
