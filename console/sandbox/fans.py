"""Made-up fans of one account, the same for the same seed, and the segments that platforms sort them into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal
from uuid import UUID

FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dario",
    "Elif",
    "Femi",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Liam",
    "Maya",
)
LAST = (
    "Abel",
    "Brandt",
    "Costa",
    "Dietz",
    "Evans",
    "Falk",
    "Garcia",
    "Hahn",
    "Ito",
    "Jansen",
    "Klein",
    "Lund",
)
FANS_PER_ACCOUNT = 60
EPOCH = datetime(2023, 1, 1, tzinfo=UTC)
NUMBERED = ("123", "456", "789", "1011", "1213")  # the fans that OFAuth's guide writes to


@dataclass(frozen=True)
class Fan:
    """Somebody who follows, subscribes or once did."""

    id: str
    name: str
    standing: Literal["subscriber", "expired", "follower"]
    joined: datetime
    spent_cents: int
    renews: bool
    on_trial: bool
    tipped_lately: bool
    muted: bool

    @property
    def handle(self) -> str:
        return self.name.lower().replace(" ", "_")


_BELONGS: dict[str, Callable[[Fan], bool]] = {
    "everyone": lambda fan: True,  # noqa: ARG005
    "subscribers": lambda fan: fan.standing == "subscriber",
    "expired": lambda fan: fan.standing == "expired",
    "followers": lambda fan: fan.standing == "follower",
    "renewing": lambda fan: fan.standing == "subscriber" and fan.renews,
    "not_renewing": lambda fan: fan.standing == "subscriber" and not fan.renews,
    "on_trial": lambda fan: fan.standing == "subscriber" and fan.on_trial,
    "recent": lambda fan: fan.joined >= EPOCH + timedelta(days=1_000),
    "spent_over_50": lambda fan: fan.spent_cents > 50_00,
    "tipped_lately": lambda fan: fan.tipped_lately,
    "muted": lambda fan: fan.muted,
    "nobody": lambda fan: False,  # noqa: ARG005
}


def segment(name: str, fans: Sequence[Fan]) -> tuple[str, ...]:
    """Ids of the fans of one segment; `top_spenders` are a tenth of them (FrontRow tutorial, Smart lists)."""
    if name == "top_spenders":
        ranked = sorted(fans, key=lambda fan: fan.spent_cents, reverse=True)
        return tuple(fan.id for fan in ranked[: len(fans) // 10])
    return tuple(fan.id for fan in fans if _BELONGS[name](fan))


def made_up(seed: str, new_id: Callable[[int, Random], str]) -> tuple[Fan, ...]:
    chance = Random(seed)  # noqa: S311 - names, not secrets
    names = chance.sample([f"{first} {last}" for first in FIRST for last in LAST], FANS_PER_ACCOUNT)
    return tuple(_fan(new_id(number, chance), name, chance) for number, name in enumerate(names))


def _fan(fan_id: str, name: str, chance: Random) -> Fan:
    return Fan(
        id=fan_id,
        name=name,
        standing=chance.choices(("subscriber", "expired", "follower"), (6, 2, 2))[0],
        joined=EPOCH + timedelta(minutes=chance.randrange(1_400 * 24 * 60)),
        spent_cents=chance.randrange(0, 300_00),
        renews=chance.random() < 0.7,
        on_trial=chance.random() < 0.2,
        tipped_lately=chance.random() < 0.3,
        muted=chance.random() < 0.1,
    )


def uuid_id(_: int, chance: Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def user_id(_: int, chance: Random) -> str:
    return f"usr_{chance.getrandbits(40):010x}"


def whole_id(number: int, chance: Random) -> str:
    return NUMBERED[number] if number < len(NUMBERED) else str(chance.randrange(10**8, 10**9))
