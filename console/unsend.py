"""`carillon unsend`: takes broadcasts back from the fans, each with its own result, and says what had been bought."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import typer
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import func, select

from carillon import logs
from carillon.ledger import decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.decisions import DecisionError
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts
from carillon.settings import Settings
from console.decide import Chosen, chosen_ids, number_of, require_ledger
from console.failures import CommandError
from console.opening import person
from console.options import WrongCommandError
from console.printing import complain, line
from console.withdrawing import own_means, wait_until_withdrawn
from worker.means import Means
from worker.recall import RecallError, unsend

_STATES = (State.SENT, State.PLACED)
_AT_ONCE = 8
_WRONG = (CommandError, DecisionError, RecallError)


def take_back(settings: Settings, chosen: Chosen, reason: str | None, *, yes: bool) -> int:
    """Returns the exit code: 1 if any could not be taken back."""
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongCommandError("unsend asks before it takes anything back, and here is nobody to answer: add --yes")
    ledger = require_ledger(settings)
    words = chosen_ids(ledger, chosen, _STATES, "taken back")
    if not yes and not typer.confirm(_question(ledger, words)):
        line("nothing was taken back")
        return 1
    logs.set_up(settings.log)
    logs.fall_silent()
    with own_means(settings, ledger, person()) as means:
        return _each(means, words, reason)


def _question(ledger: Ledger, words: Sequence[str]) -> str:
    counted = select(func.count(broadcasts.c.creator_id.distinct())).where(
        broadcasts.c.id.in_([int(word) for word in words if word.isascii() and word.isdigit()])
    )
    with ledger.read() as session:
        accounts = session.scalar(counted) or 0
    creators = f"{accounts} creator" + ("" if accounts == 1 else "s")
    count = f"{len(words)} broadcast" + ("" if len(words) == 1 else "s")
    return f"Take back {count} of {creators}? Who bought one keeps it."


def _each(means: Means, words: Sequence[str], reason: str | None) -> int:
    """Several at once, told in the order in which they were named."""
    code = 0
    with ThreadPoolExecutor(min(_AT_ONCE, len(words))) as pool, _progress(len(words)) as advance:
        jobs = [pool.submit(partial(_one, means, word, reason)) for word in words]
        for job in jobs:
            try:
                line(job.result())
            except _WRONG as error:
                complain(str(error))
                code = 1
            advance()
    return code


def _one(means: Means, word: str, reason: str | None) -> str:
    """What became of one. Raises CommandError, DecisionError and RecallError."""
    id_ = number_of(word)
    with means.ledger.read() as session:
        state = session.scalar(select(broadcasts.c.state).where(broadcasts.c.id == id_))
    if state == State.PLACED:
        decisions.cancel(means.ledger, id_, means.who, reason)
        wait_until_withdrawn(means, id_)
        return f"broadcast {id_} is cancelled: the platform had not sent it yet"
    bought = unsend(means, id_, "by_person: recalled" + (f": {reason}" if reason else ""))
    told = "how many had bought it is unknown" if bought is None else f"{bought:,} had bought it"
    return f"broadcast {id_} is unsent; {told}"


@contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    """What is to be called after each one."""
    if count < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("taking back", total=count)
        yield lambda: shown.advance(task)
