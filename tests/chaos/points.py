"""The points of one send, and of one recovery, found in a dry run: what was passed then and is not passed when idle."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from chaos.estate import Estate
from running import until

T = TypeVar("T")

STAGES = ("plan", "release", "claim", "send", "record")
_IDLE_SECONDS = 1.2


@dataclass(frozen=True)
class Point:
    """`alone`: it is passed by a broadcast that nothing stands in the way of."""

    name: str
    stage: str
    alone: bool


def of_idling(estate: Estate) -> frozenset[str]:
    """What the estate passes from a start with nothing to do until each beat has run."""
    estate.shut()
    estate.wire.begin()
    estate.open()
    time.sleep(_IDLE_SECONDS)
    return frozenset(estate.wire.points())


def of_sending(estate: Estate, idle: frozenset[str]) -> list[Point]:
    """Those of a broadcast with another one behind it, and those that only a lonely one passes."""
    first = _passed_in_a_send(estate, idle, alone=False)
    known = {point.name for point in first}
    return first + [point for point in _passed_in_a_send(estate, idle, alone=True) if point.name not in known]


def _passed_in_a_send(estate: Estate, idle: frozenset[str], *, alone: bool) -> list[Point]:
    estate.wire.begin()
    estate.rest(estate.declare(alone=alone))
    until(lambda: any("deliver done after" in point for point in estate.wire.points()))
    names = [name for name in estate.wire.points() if name not in idle]
    posted = next(place for place, name in enumerate(names) if " POST " in name)
    return [Point(name, _stage(name, place > posted), alone) for place, name in enumerate(names)]


def of_recovering(estate: Estate, idle: frozenset[str], killed_at: Point, platform: str = "fanvue") -> list[str]:
    """From the death at that point to the rest."""
    estate.wire.begin()
    estate.wire.arm(killed_at.name)
    estate.rest(estate.declare(platform, alone=killed_at.alone), trips=1)
    passed = estate.wire.points()
    return [name for name in passed[passed.index(killed_at.name) + 1 :] if name not in idle]


def _stage(name: str, posted: bool) -> str:
    """What a worker does is cut by the bytes of the POST."""
    if " POST " in name:
        return "send"
    if name.startswith(("deliver>", "order ", "ack")):
        return "record" if posted else "claim"
    return "plan" if name.startswith(("look>", "plan>")) else "release"


def sample(points: Sequence[T], seed: str, count: int) -> list[T]:
    """Some of them, the same for the same seed, in their order."""
    drawn = set(random.Random(seed).sample(range(len(points)), min(count, len(points))))
    return [point for place, point in enumerate(points) if place in drawn]


def one(points: Sequence[Point], *parts: str) -> Point:
    """The first with all of these in its name."""
    return next(point for point in points if all(part in point.name for part in parts))
