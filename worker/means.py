"""What the jobs of one worker process share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from carillon.handoff.orders import QUEUES
from carillon.ledger.connect import Ledger
from carillon.platforms.answers import Answer
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Caller, Platform
from carillon.platforms.fetch import Fetch
from carillon.platforms.pacing import PATIENCE_SECONDS, Pace, Paced
from carillon.platforms.store import Store
from worker.credits import Meter, observe
from worker.crew import Crew
from worker.lookups import Lookups
from worker.tokens import Renewing, Tokens


def _few_places() -> Mapping[str, threading.BoundedSemaphore]:
    """For each platform: the other threads are there to send."""
    return {platform: threading.BoundedSemaphore(2) for platform in QUEUES}


@dataclass(frozen=True)
class Means:
    """`nudge` tells the scheduler, where it runs in this process, that something may go now.

    Once `stopping` is set nothing new is claimed; what is queued stays so, and is handed off again. Without `tokens`
    nobody has logged in.
    """

    ledger: Ledger
    client: Client
    who: str
    timeout: float
    urls: Mapping[str, str] = field(default_factory=dict)
    nudge: Callable[[], None] = lambda: None
    lookups: Lookups = field(default_factory=Lookups)
    stopping: threading.Event = field(default_factory=threading.Event)
    pace: Pace = field(default_factory=Pace)
    tokens: Tokens | None = None
    collecting: Mapping[str, threading.BoundedSemaphore] = field(default_factory=_few_places)
    meter: Meter = field(default_factory=Meter)
    store: Store | None = None
    fetch: Fetch = field(default_factory=Fetch)
    uploading: Crew = field(default_factory=Crew)

    def caller(self, platform: Platform, account: Account, patience: float = PATIENCE_SECONDS) -> Caller:
        """Who makes the account's requests, other than those that send a broadcast, at the platform's rate.

        `patience`: the seconds that a request may wait for its turn.
        """
        paced = Paced(self.client, self.pace, platform, account, patience, self._observer(platform, account))
        return Renewing(paced, self.tokens, platform.name, account) if self.tokens and account.generation else paced

    def _observer(self, platform: Platform, account: Account) -> Callable[[Answer], None] | None:
        creator_id = account.creator_id
        return None if creator_id is None else lambda answer: observe(self, creator_id, platform, answer)

    def fresh(self, platform: Platform, account: Account) -> Account:
        """The account with a token that lasts. Raises Unreachable, and Unauthorized where a person must help."""
        return self.tokens.fresh(platform.name, account) if self.tokens else account

    def newest(self, account: Account) -> Account:
        """The account with the newest token that is known."""
        return self.tokens.newest(account) if self.tokens else account
