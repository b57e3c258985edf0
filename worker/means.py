"""What the jobs of one worker process share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Caller, Platform
from worker.lookups import Lookups


@dataclass(frozen=True)
class Means:
    """`nudge` tells the scheduler, where it runs in this process, that something may go now.

    Once `stopping` is set nothing new is claimed; what is queued stays so, and is handed off again.
    """

    ledger: Ledger
    client: Client
    who: str
    timeout: float
    urls: Mapping[str, str] = field(default_factory=dict)
    nudge: Callable[[], None] = lambda: None
    lookups: Lookups = field(default_factory=Lookups)
    stopping: threading.Event = field(default_factory=threading.Event)

    def caller(self, platform: Platform, account: Account) -> Caller:  # noqa: ARG002
        """Who makes the account's requests, other than those that send a broadcast."""
        return self.client
