"""The demo from its first line to its last."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

from console.demo.child import Child
from console.demo.reading import Reading
from console.demo.script import Script
from console.demo.story import Story
from console.demo.summary import sum_up
from console.printing import complain, line
from console.sandbox import Sandbox

SECONDS = 60.0
_QUIET = 0.25  # of the time, before the worker is killed
_BEAT = 0.1
_SAMPLE = Path(__file__).parents[2] / "campaigns.yaml"


def demo(forever: bool = False, campaigns: Path | None = None, seconds: float = SECONDS) -> int:
    """Run until the time is over, Ctrl-C or SIGTERM; returns 0 if nobody got anything twice and nothing is lost."""
    file = (campaigns or _SAMPLE).absolute()
    if not file.exists():
        complain(f"{file}: there are no campaigns to show; name some with --campaigns")
        return 1
    with ExitStack() as stack:
        stopping = stack.enter_context(_told_to_stop())
        home = Path(stack.enter_context(TemporaryDirectory(prefix="carillon-demo-", ignore_cleanup_errors=True)))
        sandbox = stack.enter_context(Sandbox())
        child = stack.enter_context(Child(home, file, sandbox.urls, sandbox.keys))
        reading = stack.enter_context(Reading(child.database))
        story = Story(reading, sandbox)
        _introduce(file, forever, seconds)
        child.start()
        script = Script(child, sandbox, reading, story, seconds * _QUIET)
        ended_well = _watch(child, story, script, stopping, float("inf") if forever else seconds)
        sandbox.release_held()
        if not (ended_well and child.stop()):
            print(child.last_words(), file=sys.stderr)
            complain("the demo's `carillon up` failed; above are its last words")
            return 1
        story.follow()
        return 0 if sum_up(reading, sandbox).clean else 1


def _introduce(file: Path, forever: bool, seconds: float) -> None:
    line("Carillon demo: four platforms imitated on this machine, a fresh home, made-up keys. Nothing real is reached.")
    end = "until Ctrl-C" if forever else f"for {seconds:.0f} s (Ctrl-C ends it sooner)"
    line(f"It runs {file} {end}, and kills its own worker once.")
    line("")


def _watch(child: Child, story: Story, script: Script, stopping: Event, seconds: float) -> bool:
    """Until the time is over or somebody says so; False if the child ended by itself."""
    end = monotonic() + seconds
    while monotonic() < end and not stopping.wait(_BEAT):
        story.follow()
        if child.ended:
            return False
        script.step()
    return True


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    stopping = Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopping.set()) for number in numbers]
    try:
        yield stopping
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
