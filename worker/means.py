"""What the jobs of one worker process share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
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
