"""Six scenarios in which job tools double, lose or delay a creator's broadcasts, played on Carillon in both shapes.

Sixty broadcasts of twelve creators, two in each second of half a minute, since campaign files count whole seconds; in
S3 nine at once for each of four creators. A judge in a process of its own takes them. Nothing of Carillon is changed,
nor is any of its times: outcomes that nobody knows are looked up and settled at their usual pace.
"""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.scenarios_judge import Judge, Rules
from chaos.scenarios_outcome import Outcome, judged, wait_for_rest
from chaos.scenarios_shapes import Session, sleep_until
from daemons import Fleet
from running import Carillon

ASKABLE = ("fanvue", "onlyfansapi", "ofauth")
"""They can be asked what they have taken."""

FRONTROW = ("frontrow",)

LEAD = 20
"""Seconds from the file to the first due time, so that all is up and planned by then."""

KILLING = 45.0
LIMIT = (3, 8.0)
_LISTS = {"fanvue": "all_fans", "frontrow": "subscribers", "ofauth": "fans", "onlyfansapi": "fans"}


@dataclass(frozen=True)
class Scenario:
    """What goes wrong; instants in seconds after the first due time."""

    name: str
    kills: bool = False
    cuts: bool = False
    burst: bool = False
    outage: tuple[float, float] | None = None
    reads_go_on: bool = False
    flush_at: float | None = None
    restart: bool = False


SCENARIOS = (
    Scenario("S1", kills=True),
    Scenario("S2", cuts=True),
    Scenario("S3", burst=True),
    Scenario("S4", flush_at=15),
    Scenario("S4r", flush_at=15, restart=True),
    Scenario("S6", kills=True, outage=(5, 20)),
    Scenario("S6w", kills=True, outage=(5, 20), reads_go_on=True),
)


@dataclass(frozen=True)
class Plan:
    """The creators by their platform, and each broadcast's creator and due time (seconds since 1970) by its text."""

    creators: Mapping[str, str]
    broadcasts: Mapping[str, tuple[str, int]]
    limit: str = "10/1h"

    @property
    def begin(self) -> int:
        return min(due for _, due in self.broadcasts.values())

    @property
    def end(self) -> int:
        return max(due for _, due in self.broadcasts.values())

    def file(self) -> str:
        lines = ["version: 1", "creators:"]
        for creator, platform in self.creators.items():
            account = f"account: {creator}, " if platform in ("ofauth", "onlyfansapi") else ""
            lines.append(
                f"  {creator}: {{platform: {platform}, {account}credentials: env:KEY_{creator}, "
                f"timezone: UTC, limit: {self.limit}}}"
            )
        lines.append("campaigns:")
        for text, (creator, due) in self.broadcasts.items():
            at = datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            lists = _LISTS[self.creators[creator]]
            lines.append(
                f'  {text}: {{creator: {creator}, text: "{text}", '
                f'lists: {{include: [{lists}]}}, schedule: {{at: "{at}"}}}}'
            )
        return "\n".join(lines) + "\n"

    def keys(self) -> dict[str, str]:
        return {f"KEY_{creator}": f"key-{creator}" for creator in self.creators}


def spread(platforms: Sequence[str], begin: int, creators: int = 12, count: int = 60) -> Plan:
    """Two broadcasts a second, of one creator after the other."""
    names = {f"c{number}": platforms[number % len(platforms)] for number in range(creators)}
    return Plan(names, {f"b{number}": (f"c{number % creators}", begin + number // 2) for number in range(count)})


def burst(platforms: Sequence[str], begin: int) -> Plan:
    """Nine at once for each of four creators."""
    names = {f"c{number}": platforms[number % len(platforms)] for number in range(4)}
    count, seconds = LIMIT
    broadcasts = {f"b{number}-{creator}": (creator, begin) for creator in names for number in range(9)}
    return Plan(names, broadcasts, limit=f"{count}/{seconds:.0f}s")


def cut_ones(plan: Plan) -> tuple[str, ...]:
    """One in six, on every platform in turn."""
    return tuple(list(plan.broadcasts)[6 * turn + turn % 6] for turn in range(len(plan.broadcasts) // 6))


def rules_of(scenario: Scenario, plan: Plan, seed: int) -> Rules:
    outage = scenario.outage and (plan.begin + scenario.outage[0], plan.begin + scenario.outage[1])
    return Rules(
        cut=cut_ones(plan) if scenario.cuts else (),
        limit=LIMIT if scenario.burst else None,
        outage=outage,
        reads_go_on=scenario.reads_go_on,
        seed=seed,
    )


def play(
    scenario: Scenario, plan: Plan, folder: Path, servers: tuple[str, str] | None, seed: int | None = None
) -> Outcome:
    """The whole of one run. `servers` are the URLs of PostgreSQL and Redis; without them it is the embedded shape."""
    seed = int(time.time()) if seed is None else seed
    with ExitStack() as stack:
        judge = stack.enter_context(Judge(folder, rules_of(scenario, plan, seed)))
        urls = dict.fromkeys(set(plan.creators.values()), judge.url)
        carillon = Fleet(folder, urls, *servers, **plan.keys()) if servers else Carillon(folder, urls, **plan.keys())
        stack.enter_context(carillon)
        carillon.declare(plan.file())
        if servers:
            carillon.run("migrate")
        session = Session(carillon)
        stack.callback(session.kill)
        session.start()
        session.wait_until_up()
        up_late = max(0.0, time.time() - plan.begin)
        kills = disturb(scenario, plan, session, random.Random(seed))
        over = max(time.time(), float(plan.end))
        session.wait_until_up()
        rows = wait_for_rest(carillon, len(plan.broadcasts), over)
        outcome = judged(plan.broadcasts, judge.arrivals, carillon, rows, over, kills, up_late)
        assert session.stop() == [0] * len(session.programs)
        assert "Traceback" not in session.log
        return outcome


def disturb(scenario: Scenario, plan: Plan, session: Session, draw: random.Random) -> int:
    """Do what the scenario does to the session; returns when that is over, with the number of kills."""
    if scenario.flush_at is not None:
        sleep_until(plan.begin + scenario.flush_at)
        session.flush(around_a_restart=scenario.restart)
    sleep_until(plan.begin)
    return kill_again_and_again(session, plan.begin + KILLING, draw) if scenario.kills else 0


def kill_again_and_again(session: Session, end: float, draw: random.Random) -> int:
    kills = 0
    while (then := time.time() + draw.uniform(2, 4)) < end:
        sleep_until(then)
        session.kill()
        session.start()
        kills += 1
    return kills
