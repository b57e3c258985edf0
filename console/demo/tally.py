"""What the fans of the sandbox received, compared with what the ledger says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from carillon.ledger.states import State
from console.sandbox import Delivery

IN_DOUBT = (State.SENDING, State.UNKNOWN, State.HELD)
_Said = tuple[str, str, str | None]


@dataclass(frozen=True)
class Tally:
    """`doubles` counts what fans got beyond one for each broadcast, `lost` what was recorded and never came."""

    received: int
    sent: int
    in_doubt: int
    doubles: int
    lost: int

    @property
    def clean(self) -> bool:
        return not self.doubles and not self.lost

    def __str__(self) -> str:
        return (
            f"fans received {self.received} broadcasts, the ledger says {self.sent} sent and "
            f"{self.in_doubt} in doubt: doubles {self.doubles}, lost {self.lost}"
        )


def tally(deliveries: Sequence[Delivery], rows: Sequence[Row[Any]], accounts: Mapping[int, str]) -> Tally:
    """`accounts` gives the platform's account of each creator row.

    A recorded broadcast is found by the platform's id. One in doubt has none: it is found by account and text, and
    explains one delivery.
    """
    sent = [row for row in rows if row.state == State.SENT]
    in_doubt = [row for row in rows if row.state in IN_DOUBT and row.attempts]
    received = {(delivery.platform, delivery.message_id): delivery for delivery in deliveries}
    found = {(row.platform, row.platform_message_id) for row in sent} & received.keys()
    unexplained = [_of_delivery(delivery) for key, delivery in received.items() if key not in found]
    for row in in_doubt:
        if (said := _of_row(row, accounts)) in unexplained:
            unexplained.remove(said)
    return Tally(len(deliveries), len(sent), len(in_doubt), len(unexplained), len(sent) - len(found))


def _of_delivery(delivery: Delivery) -> _Said:
    text = delivery.body.get("text")
    return delivery.platform, delivery.account, text if isinstance(text, str) else None


def _of_row(row: Row[Any], accounts: Mapping[int, str]) -> _Said:
    return row.platform, accounts[row.creator_id], json.loads(row.content).get("text")
