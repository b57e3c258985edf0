"""SIGKILL again while the first one is being mended, at the points that a recovery passed in a dry run: F10.

The first kill leaves a broadcast queued, claimed with nothing sent, or taken with nobody told; the second one comes in
the sweep, the rescue, the look-up, what settles it, or the send that follows.
"""

from collections.abc import Callable, Sequence

import pytest

from chaos.conftest import Known
from chaos.points import Point, of_recovering, one, sample
from chaos.verdicts import check, check_all

Opened = Callable[[str], Known]

LEFT = {
    "queued": ("order deliver after",),
    "claimed": ("POST no byte",),
    "half sent": ("POST half",),
    "taken": ("POST all",),
    "answered": ("POST answered",),
}
"""What the first kill leaves, and the point that it comes at."""


def kill_twice(known: Known, first: Point, seconds: Sequence[str], subtests: pytest.Subtests, platform: str) -> None:
    """A point of the recovery that was not passed this time is no failure, but few may be so."""
    missed = []
    for second in seconds:
        with subtests.test(f"{first.name}; {second}"):
            if not kill_at_both(known, first, second, platform):
                missed.append(second)
    check_all(known.estate)
    assert len(missed) <= max(1, len(seconds) / 3), f"not passed again: {missed}"


def kill_at_both(known: Known, first: Point, second: str, platform: str) -> bool:
    """Whether the second point was passed."""
    estate, before = known.estate, known.estate.wire.trips
    estate.wire.arm(first.name, second)
    case = estate.declare(platform, alone=first.alone)
    estate.rest(case, trips=2)
    estate.wire.disarm()
    check(estate, case, f"{first.name}; {second}")
    return estate.wire.trips == before + 2


@pytest.mark.parametrize("left", ["queued", "claimed", "taken"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("seed", [1])
def test_killed_twice(seed: int, kind: str, left: str, opened: Opened, subtests: pytest.Subtests) -> None:
    known = opened(kind)
    first = one(known.points, *LEFT[left])
    found = of_recovering(known.estate, known.idle, first)
    assert found, "the recovery passes no point"
    some = sample(found, f"{seed} {kind} {left}", 1)
    kill_twice(known, first, some, subtests, "fanvue")


@pytest.mark.chaos
@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize(("kind", "platform"), [("sqlite", "fanvue"), ("sqlite", "frontrow"), ("postgresql", "fanvue")])
def test_killed_at_every_point_of_the_recovery(
    kind: str, platform: str, left: str, opened: Opened, subtests: pytest.Subtests
) -> None:
    known = opened(kind)
    first = one(known.points, *LEFT[left])
    kill_twice(known, first, of_recovering(known.estate, known.idle, first, platform), subtests, platform)


@pytest.mark.parametrize("left", ["taken", pytest.param("claimed", marks=pytest.mark.chaos)])
@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.chaos), pytest.param(3, marks=pytest.mark.chaos)]
)
def test_killed_twenty_times_in_its_recovery(seed: int, left: str, opened: Opened) -> None:
    """F10: each time before anything is settled, so that there is a twenty-first time."""
    known = opened("sqlite")
    estate, first = known.estate, one(known.points, *LEFT[left])
    found = of_recovering(estate, known.idle, first)
    drawn = _drawn(found, "_give_up", f"{seed} {left}", 7) + _drawn(found, "reconcile", f"{seed} {left}", 13)
    before = estate.wire.trips
    estate.wire.arm(first.name, *drawn)
    case = estate.declare(alone=first.alone)
    estate.rest(case, trips=21, seconds=90)
    estate.wire.disarm()
    check(estate, case, "; ".join([first.name, *drawn]))
    assert estate.wire.trips - before == 21, f"{estate.wire.trips - before} kills of {drawn}"
    assert estate.judge.times(case.first) == 1


def _drawn(points: Sequence[str], part: str, seed: str, count: int) -> list[str]:
    """So many, each of them drawn anew, of the part's points before its first commit."""
    of_it = [name for name in points if part in name]
    end = next(place for place, name in enumerate(of_it) if "before COMMIT" in name)
    return [sample(of_it[: end + 1], f"{seed} {turn}", 1)[0] for turn in range(count)]
