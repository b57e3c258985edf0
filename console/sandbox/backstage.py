"""What stands behind all accounts: records, clock, media uploads, fans' appetite, webhooks, credits."""

from collections import defaultdict
from collections.abc import Iterator

from console.sandbox.clockwork import Clockwork
from console.sandbox.hooks import Hooks
from console.sandbox.records import Delivery, Records
from console.sandbox.sales import Appetite, Reactions, Sale, reactions

UNSEND_SECONDS = 1_000_000  # the sample of OnlyFansAPI's specification
CREDITS = 100_000


class Backstage:
    """`part_size` None: a platform names no size of parts where its page names none."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.clock = Clockwork()
        self.records = Records()
        self.hooks = Hooks(self.clock)
        self.appetite = Appetite()
        self.unsend_seconds: float = UNSEND_SECONDS
        self.part_size: int | None = None
        self.processing_seconds = 0.3
        self.credits: dict[str, int] = defaultdict(lambda: CREDITS)  # by key
        self.used = 0
        self._reactions: dict[tuple[str, str], Reactions] = {}

    def spend(self, key: str, count: int, first: bool = False) -> None:
        """`used` is what the call under way has used."""
        self.used = count if first else self.used + count
        self.credits[key] -= count

    def react(self, delivery: Delivery, number: int) -> Reactions:
        """The fans begin to, to what has just gone out as the account's so-manieth."""
        seed = f"{self.seed}/{delivery.platform}/{delivery.account}/{number}"
        told = reactions(delivery, seed, self.appetite)
        self._reactions[delivery.platform, delivery.message_id] = told
        return told

    def reactions(self, delivery: Delivery) -> Reactions:
        """None at all to what has not gone out."""
        known = self._reactions.get((delivery.platform, delivery.message_id))
        return known or Reactions(delivery, (), ())

    def sales(self, now: float) -> Iterator[Sale]:
        for told in self._reactions.values():
            yield from told.told(now)

    def all_reactions(self) -> list[Reactions]:
        return list(self._reactions.values())
