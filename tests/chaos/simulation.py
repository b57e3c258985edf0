"""Weeks of many creators' schedules in seconds, with everything going wrong, drawn from one number.

`make simulate SEEDS=1..200` runs so many; a seed that fails prints what happened to the broadcasts it is about.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from random import Random

from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from chaos.simulated_house import House
from chaos.simulated_judge import trail
from chaos.simulation_checker import Checker, counted
from chaos.simulation_expected import expected
from chaos.simulation_schedules import STARTS, file_of, random_campaigns, random_creators
from chaos.simulation_script import Misfortune

_REST_SECONDS = 30 * 3600.0
_TRAILS = 3


@dataclass(frozen=True)
class Report:
    seed: int
    line: str
    faults: tuple[str, ...]
    trails: tuple[str, ...]
    outline: tuple[str, ...]
    """What happened to each broadcast and when: the same for the same seed."""

    def __str__(self) -> str:
        if not self.faults:
            return f"seed {self.seed}: {self.line}: ok"
        told = [
            f"seed {self.seed}: {self.line}: {len(self.faults)} faults",
            *(f"  {fault}" for fault in self.faults[:20]),
        ]
        return "\n".join([*told, f"  replay it with: make simulate SEEDS={self.seed}", *self.trails])


def simulate(seed: int, migrated: Path, folder: Path) -> Report:
    """`migrated` is a SQLite file with this version's tables; `folder` is empty."""
    random = Random(seed)
    start, days = random.choice(STARTS), random.randint(5, 9)
    creators = random_creators(random)
    campaigns = random_campaigns(random, creators, start, days)
    wanted = expected(campaigns, start, start + timedelta(days=days + 3))
    cpu = time.process_time()
    with House(folder, migrated, start, seed, embedded=random.random() < 0.5) as house:
        for creator in creators:
            house.add_account(creator.key, creator.platform)
        house.write(file_of(creators, campaigns))
        misfortune = Misfortune(house, random, creators, [house.timeline.seconds_at(one.instant) for one in wanted])
        misfortune.begin(days * 86_400.0)
        house.run((days + 1.6) * 86_400.0)
        misfortune.end()
        house.run(_REST_SECONDS)
        checker = Checker(house, misfortune.script, creators, wanted)
        faults = checker.faults()
        line = (
            f"{'embedded' if house.embedded else 'at scale'} from {start:%Y-%m-%d}, {days + 1} days, "
            f"{len(creators)} creators, {len(campaigns)} campaigns, {len(wanted)} occurrences: "
            f"{counted(checker.rows)}; "
            f"{misfortune.told()}; at most {checker.worst_late:.2f} s late; {time.process_time() - cpu:.1f} s of a core"
        )
        return Report(seed, line, tuple(faults), _trails(house, checker, faults), _outline(checker))


def _trails(house: House, checker: Checker, faults: Sequence[str]) -> tuple[str, ...]:
    about = dict.fromkeys(
        int(word.rstrip(":")) for fault in faults if fault.startswith("broadcast ") for word in fault.split()[1:2]
    )
    return tuple("\n".join(trail(house, checker.books, id_)) for id_ in list(about)[:_TRAILS])


def _outline(checker: Checker) -> tuple[str, ...]:
    return tuple(
        f"{event.at} {id_} {event.source} {event.target} {event.why}"
        for id_, moves in sorted(checker.books.events.items())
        for event in moves
    )


@contextmanager
def room() -> Iterator[tuple[Path, Path]]:
    """A migrated file to copy, and a folder; in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        migrated = Path(made) / "migrated.db"
        with closing(Ledger(f"sqlite:///{migrated}")) as ledger:
            migrate(ledger)
        yield migrated, Path(made)


def _simulate(migrated: Path, seed: int) -> Report:
    with tempfile.TemporaryDirectory(dir=migrated.parent) as folder:
        return simulate(seed, migrated, Path(folder))


def seeds_of(words: Sequence[str]) -> list[int]:
    """`1..200`, `7`. Raises ValueError."""
    found: list[int] = []
    for word in words:
        first, dots, last = word.partition("..")
        found += range(int(first), int(last if dots else first) + 1)
    return found


def main(words: Sequence[str]) -> int:
    try:
        seeds = seeds_of([part for word in words for part in word.split()]) or seeds_of(["1..10"])
    except ValueError:
        print("seeds are numbers, or spans of them: 7 9 1..200", file=sys.stderr)
        return 2
    failed = 0
    with ExitStack() as stack:
        migrated, _ = stack.enter_context(room())
        pool = stack.enter_context(get_context("spawn").Pool(min(cpu_count() or 1, len(seeds))))
        for report in pool.imap(partial(_simulate, migrated), seeds):
            print(report, flush=True)
            failed += bool(report.faults)
    print(f"{len(seeds)} seeds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
