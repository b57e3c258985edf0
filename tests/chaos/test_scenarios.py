"""The six scenarios, one of them in two ways, on both shapes.

None is taken twice, none lost, what is in doubt is named, and the rest is on time.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from chaos.scenarios import ASKABLE, FRONTROW, LEAD, SCENARIOS, Scenario, burst, play, spread
from chaos.scenarios_outcome import Outcome
from repository import ROOT

RUNS = ROOT / "build" / "scenarios"
AT_SCALE_ALONE = ("S4", "S4r")
IN_DOUBT_MATTERS = ("S1", "S2", "S6", "S6w")


def cells() -> list[tuple[Scenario, str, Sequence[str]]]:
    return [
        (scenario, shape, platforms)
        for scenario in SCENARIOS
        for shape in ("embedded", "scale")
        for platforms in (ASKABLE, FRONTROW)
        if (shape == "scale" or scenario.name not in AT_SCALE_ALONE)
        and (platforms is ASKABLE or scenario.name in IN_DOUBT_MATTERS)
    ]


def named(cell: tuple[Scenario, str, Sequence[str]]) -> str:
    scenario, shape, platforms = cell
    return f"{scenario.name}-{shape}-{'askable' if platforms is ASKABLE else 'frontrow'}"


@pytest.mark.chaos
@pytest.mark.parametrize("cell", cells(), ids=named)
def test_scenario(cell: tuple[Scenario, str, Sequence[str]], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    scenario, shape, platforms = cell
    load = os.getloadavg()[0]
    servers = _servers(request) if shape == "scale" else None
    begin = int(time.time()) + LEAD
    plan = burst(platforms, begin) if scenario.burst else spread(platforms, begin)
    outcome = play(scenario, plan, tmp_path, servers)
    _keep(named(cell), outcome, load)
    assert outcome.up_late == 0
    assert outcome.doubles == []
    assert outcome.lost == []
    assert outcome.worst_tries <= 3 or not scenario.burst
    assert outcome.throttled == 0


def test_answers_that_are_cut_are_found_by_a_look(tmp_path: Path) -> None:
    """S2 in small."""
    plan = spread(ASKABLE, int(time.time()) + 8, creators=6, count=12)
    outcome = play(Scenario("S2", cuts=True), plan, tmp_path, None, seed=4)
    assert (outcome.doubles, outcome.lost, outcome.in_doubt) == ([], [], [])
    assert outcome.states == {"sent": 12}


def _servers(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.getfixturevalue("postgresql_url"), request.getfixturevalue("redis_url")


def _keep(cell: str, outcome: Outcome, load: float) -> None:
    """For `make chaos`, which prints the table of all runs."""
    RUNS.mkdir(parents=True, exist_ok=True)
    told = {"cell": cell, "load": load, "at": time.time(), **asdict(outcome)}
    (RUNS / f"{cell}-{time.time_ns()}.json").write_text(json.dumps(told))
