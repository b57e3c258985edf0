"""What became of messages on FrontRow: it cannot be asked. Its webhook of a purchase names the broadcast."""

from collections.abc import Iterator, Sequence

from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller
from carillon.platforms.parts import Buyer, Credits, Sent, Told


class FrontRowResults:
    """Nothing is told."""

    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:  # noqa: ARG002
        return iter(())

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:  # noqa: ARG002
        return iter(())

    def credits(self, answer: Answer) -> Credits | None:  # noqa: ARG002
        return None
