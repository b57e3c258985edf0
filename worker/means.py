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


def _few_hands() -> Mapping[str, Crew]:
    """For each platform, so that a slow one holds up none of the others."""
    return {platform: Crew(f"collect {platform}", 4) for platform in QUEUES}


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
    collecting: Mapping[str, Crew] = field(default_factory=_few_hands)
    meter: Meter = field(default_factory=Meter)
    store: Store | None = None
    fetch: Fetch = field(default_factory=Fetch)
    uploading: Crew = field(default_factory=lambda: Crew("upload", 3))

    def caller(
        self, platform: Platform, account: Account, patience: float = PATIENCE_SECONDS, part: float = 1.0
    ) -> Caller:
        """Who makes the account's requests, other than those that send a broadcast, at the platform's rate.

        `patience`: the seconds that a request may wait for its turn; `part`: how much of the rate it may use up.
        """
        observer = self._observer(platform, account)
        paced = Paced(self.client, self.pace, platform, account, patience, observer, self.stopping.wait, part)
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
