"""Two schedulers that do the same in the same moment: F37. Both are stopped at one point, and go on at once."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

import pytest

from chaos.conftest import Known
from chaos.estate import Estate
from chaos.points import sample
from chaos.verdicts import check, check_all
from running import until

Opened = Callable[[str], Known]
Build = Callable[..., Estate]

_TOGETHER_WITHIN = 1.5
"""Seconds; where one holds a lock that the other waits for, they do not meet."""


@pytest.mark.parametrize("few", [3, pytest.param(1000, marks=pytest.mark.chaos, id="all")])
@pytest.mark.parametrize("stage", ["plan", "release"])
def test_two_schedulers_meet(stage: str, few: int, opened: Opened, build: Build, subtests: pytest.Subtests) -> None:
    points = sample([point.name for point in opened("postgresql").of(stage)], stage, few)
    estate = build("scheduler", "scheduler", "worker")
    met = 0
    for point in points:
        with subtests.test(point):
            met += meet(estate, point)
    check_all(estate)
    assert met, "they never met"


def meet(estate: Estate, point: str) -> bool:
    """Whether both came to that point."""
    wanted = estate.wire.trips + 2
    estate.wire.arm(point, point, deed="stop")
    case = estate.declare()
    with suppress(AssertionError):
        until(lambda: estate.wire.trips >= wanted, _TOGETHER_WITHIN)
    met = estate.wire.trips >= wanted
    estate.wire.disarm()
    for house in estate.houses[:2]:
        os.kill(house.pid, signal.SIGCONT)
    row = estate.rest(case)
    check(estate, case, f"two schedulers at {point}")
    assert len(estate.attempts(row)) == 1
    assert sorted(row.campaign for row in estate.rows(case)) == [case.first, case.second]
    return met
