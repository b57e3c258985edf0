"""What the fans do with a broadcast within seconds: some open it, some of those buy, some tip.

Who does so is drawn from the sandbox's seed and the broadcast's number on its account: the same story each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from console.sandbox.records import Delivery

_CENTS_FIELD = {"fanvue": "price", "frontrow": "priceCents"}


@dataclass(frozen=True)
class Appetite:
    """Shares of the recipients who open, of the openers who buy and who tip, all within `seconds`."""

    opens: float = 0.6
    buys: float = 0.3
    tips: float = 0.05
    seconds: float = 3


@dataclass(frozen=True)
class Sale:
    """A purchase or a tip. `at` in seconds since 1970."""

    id: str
    platform: str
    account: str
    message_id: str
    kind: Literal["purchase", "tip"]
    fan: str
    amount_cents: int
    at: float


@dataclass(frozen=True)
class Reactions:
    """All that will happen to one broadcast, unless it is withdrawn before."""

    delivery: Delivery
    opened_at: Sequence[float]
    sales: Sequence[Sale]

    def views(self, now: float) -> int:
        return sum(self._happened(at, now) for at in self.opened_at)

    def purchases(self, now: float) -> list[Sale]:
        return [sale for sale in self.told(now) if sale.kind == "purchase"]

    def revenue_cents(self, now: float) -> int:
        return sum(sale.amount_cents for sale in self.purchases(now))

    def told(self, now: float) -> list[Sale]:
        return [sale for sale in self.sales if self._happened(sale.at, now)]

    def has(self, sale: Sale) -> bool:
        """Whether it comes to that: not if the broadcast was withdrawn before."""
        return self._happened(sale.at, sale.at)

    def _happened(self, at: float, now: float) -> bool:
        end = self.delivery.withdrawn_at
        return at <= now and (end is None or at < end)


def price_cents(platform: str, body: Mapping[str, object]) -> int:
    if platform in _CENTS_FIELD:
        return int(str(body.get(_CENTS_FIELD[platform]) or 0))
    return int(Decimal(str(body.get("price") or 0)) * 100)


def reactions(delivery: Delivery, seed: str, appetite: Appetite) -> Reactions:
    chance = Random(seed)  # noqa: S311 - a story, no secret
    price = price_cents(delivery.platform, delivery.body)
    opened: list[float] = []
    sales: list[Sale] = []

    def sold(kind: Literal["purchase", "tip"], fan: str, cents: int) -> None:
        number = f"{chance.getrandbits(64):016x}"
        at = opened[-1] + chance.random() * appetite.seconds / 2
        sales.append(Sale(number, delivery.platform, delivery.account, delivery.message_id, kind, fan, cents, at))

    for fan in delivery.recipients:
        if chance.random() < appetite.opens:
            opened.append(delivery.goes_at + chance.random() * appetite.seconds / 2)
            if price and chance.random() < appetite.buys:
                sold("purchase", fan, price)
            if chance.random() < appetite.tips:
                sold("tip", fan, chance.randrange(1_00, 20_00))
    return Reactions(delivery, opened, sorted(sales, key=lambda sale: sale.at))
