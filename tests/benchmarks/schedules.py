"""What is due, planned and waiting, in large numbers: bursts, folders, backlogs; and how soon a command answers."""

from collections.abc import Iterator

from benchmarks import backlog, burst, commands, large_folder, scaling
from benchmarks.results import Result


def rows(only: str = "", rounds: int = 3) -> Iterator[Result]:
    if only in burst.WHAT:
        yield burst.row(rounds)
    if only in large_folder.WHAT:
        yield from large_folder.rows(rounds)
    if only in backlog.WHAT:
        yield from backlog.rows(rounds)
    if only in scaling.WHAT:
        yield from scaling.rows(rounds)
    yield from commands.rows(only, rounds)
