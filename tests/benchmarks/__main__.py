"""Measures Carillon beside the bare parts, row by row: `make bench`, or `make bench OPTIONS="sends"`."""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.results import Result, machine, reached, show, versions, write
from carillon import logs

GROUPS = ("sends", "schedules", "idle")
"""Each is a module of this folder, whose `rows` yields results as they are measured."""


def main() -> int:
    options = _options()
    logs.fall_silent()
    print(f"{machine()}; {', '.join(f'{name} {number}' for name, number in versions().items())}")
    results: list[Result] = []
    try:
        for group in options.groups or GROUPS:
            module = importlib.import_module(f"benchmarks.{group}")
            for result in module.rows(only=options.only, rounds=options.rounds):
                results.append(result)
                print(f"{result['what']}: {result['value']:.4g} {result['unit']}; {result['detail']}", flush=True)
    finally:
        show(results)
        write(options.json, results)
        print(f"written to {options.json}")
    return int(options.strict and any(reached(result) is False for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all unless named")
    parser.add_argument("--only", default="", metavar="WORDS", help="rows whose name has these words in it")
    parser.add_argument("--rounds", type=int, default=3, help="how often each row is measured; the median counts")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the results go")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
