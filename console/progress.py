"""How far a long command has come: on a terminal's stderr, where it is in nobody's way."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

_LONG_SECONDS = 3.0


class Progress:
    """`shares_terminal`: results go to the same terminal, and show themselves how far it is."""

    def __init__(self, what: str, *, shares_terminal: bool = True) -> None:
        shown = sys.stderr.isatty() and not (shares_terminal and sys.stdout.isatty())
        self._what = what
        self._spinner = Spinner("dots", what)
        self._live = _live(self._spinner) if shown else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def at(self, words: str) -> None:
        self._spinner.update(text=f"{self._what}: {words}")

    def waits(self, seconds: float, why: str) -> None:
        """What takes long is told without a terminal too."""
        words = f"waiting {seconds:.0f} s: {why}"
        self.at(words)
        if not self._live and seconds >= _LONG_SECONDS:
            print(f"carillon: {words}", file=sys.stderr, flush=True)


def _live(spinner: Spinner) -> Live:
    """Left alone, rich would write results to stderr as well."""
    return Live(spinner, console=Console(stderr=True), refresh_per_second=10, transient=True, redirect_stdout=False)
