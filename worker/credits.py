"""What answers tell of credits, gathered in this process and written down at most once a minute for each account."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger import credit
from carillon.ledger.connect import Ledger, first_line
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Platform

if TYPE_CHECKING:
    from worker.means import Means

log = structlog.get_logger()

_REST_SECONDS = 60.0


@dataclass
class _Tally:
    """Of one account, since it was written last."""

    used: int = 0
    balance: int | None = None
    written_at: float | None = None


@dataclass
class Meter:
    """Of one process; safe among threads."""

    _tallies: dict[int, _Tally] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, creator_id: int, used: int | None, balance: int | None) -> tuple[int, int | None] | None:
        """What is to be written now, (used, balance), if it is time."""
        now = clock.ticks()
        with self._lock:
            tally = self._tallies.setdefault(creator_id, _Tally())
            tally.used += used or 0
            tally.balance = balance if balance is not None else tally.balance
            if tally.written_at is not None and now - tally.written_at < _REST_SECONDS:
                return None
            self._tallies[creator_id] = _Tally(written_at=now)
            return tally.used, tally.balance

    def rest(self) -> list[tuple[int, int, int | None]]:
        """(creator's id, used, balance) of what was not written yet."""
        with self._lock:
            left = [(id_, tally.used, tally.balance) for id_, tally in self._tallies.items()]
            self._tallies.clear()
        return [one for one in left if one[1] or one[2] is not None]


def observe(means: "Means", creator_id: int, platform: Platform, answer: Answer) -> None:
    """Take in what an answer tells of credits; no fault here concerns whoever asked."""
    told = platform.results.credits(answer)
    if told is None or (told.used is None and told.balance is None):
        return
    due = means.meter.add(creator_id, told.used, told.balance)
    if due:
        _write(means.ledger, creator_id, *due)


def write_rest(means: "Means") -> None:
    """Before the process ends."""
    for creator_id, used, balance in means.meter.rest():
        _write(means.ledger, creator_id, used, balance)


def _write(ledger: Ledger, creator_id: int, used: int, balance: int | None) -> None:
    try:
        with ledger.write() as connection:
            credit.keep(connection, creator_id, used, balance, ledger.now(connection))
    except SQLAlchemyError as error:
        log.warning("credits cannot be written down now", error=first_line(error))
