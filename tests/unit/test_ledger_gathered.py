"""Writes of several threads in one transaction: one commit for all, and what is wrong with one concerns no other."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from carillon.ledger import clear
from carillon.ledger.clear import Acceptance, Taking
from carillon.ledger.connect import Ledger
from carillon.ledger.gathered import Gathered
from carillon.ledger.tables import attempts, broadcasts
from ledger_rows import add_broadcast, add_creator, broadcast

THREADS = 5


@pytest.fixture
def embedded(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copyfile(migrated_sqlite, tmp_path / "carillon.db")
    with closing(Ledger(f"sqlite:///{tmp_path / 'carillon.db'}")) as ledger:
        yield ledger


class Crowd:
    """A lock that nobody gets before all threads have asked for it, and transactions that are counted."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._asked, self._lock = ledger, Barrier(THREADS), Lock()
        self.begun, self.loses = 0, False
        ledger.gathered = Gathered(self.transaction, self)

    def __enter__(self) -> None:
        self._asked.wait(10)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self.begun += 1
        with self._ledger.straight.transaction() as cursor:
            yield cursor
        if self.loses:
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))


def taking(row: Any, token: str = "") -> Taking:
    token = token or f"t{row.id}"
    return Taking(row.id, row.version, row.creator_id, token, "host", 7, "birth", 30, 20, "digest", None, "me")


def queued(ledger: Ledger) -> list[Any]:
    creator_id = add_creator(ledger, limit_count=THREADS)
    return [broadcast(ledger, add_broadcast(ledger, creator_id, f"c{n}")) for n in range(THREADS)]


def claim_together(ledger: Ledger, wanted: list[Taking]) -> list[Any]:
    """What each thread was given, or met."""

    def claimed(one: Taking) -> Any:
        try:
            return clear.claim(ledger, one)
        except Exception as error:  # noqa: BLE001
            return error

    with ThreadPoolExecutor(len(wanted)) as threads:
        return list(threads.map(claimed, wanted))


def states(ledger: Ledger) -> Counter[str]:
    with ledger.read() as session:
        return Counter(session.scalars(select(broadcasts.c.state)))


def test_those_that_wait_share_a_commit(embedded: Ledger) -> None:
    wanted, crowd = [taking(row) for row in queued(embedded)], Crowd(embedded)
    found = claim_together(embedded, wanted)
    assert crowd.begun == 1
    with embedded.read() as session:
        made = session.execute(select(attempts.c.broadcast_id, attempts.c.token, attempts.c.id)).all()
    assert {(row.broadcast_id, row.token) for row in made} == {(one.broadcast, one.token) for one in wanted}
    own = {row.broadcast_id: row.id for row in made}
    assert found == [(own[one.broadcast], 1) for one in wanted], "each thread was given another's"


def test_a_broadcast_is_claimed_once_within_a_transaction(embedded: Ledger) -> None:
    (first, *_), crowd = queued(embedded), Crowd(embedded)
    found = claim_together(embedded, [taking(first, f"t{n}") for n in range(THREADS)])
    assert crowd.begun == 1
    assert sum(one is not None for one in found) == 1
    assert states(embedded) == {"sending": 1, "queued": THREADS - 1}


def test_what_is_wrong_with_one_concerns_no_other(embedded: Ledger) -> None:
    first, *wanted = (taking(row) for row in queued(embedded))
    assert clear.claim(embedded, first)
    crowd = Crowd(embedded)
    bad = wanted[0]._replace(token=first.token)
    found = claim_together(embedded, [first, bad, *wanted[1:]])
    assert crowd.begun == 1 + THREADS
    assert [type(one) for one in found] == [type(None), IntegrityError, tuple, tuple, tuple]
    assert states(embedded) == {"sending": THREADS - 1, "queued": 1}


def test_all_are_told_of_a_commit_that_was_not_heard_of(embedded: Ledger) -> None:
    """It may stand or not: nobody goes on, and nobody's is written again."""
    wanted, crowd = [taking(row) for row in queued(embedded)], Crowd(embedded)
    crowd.loses = True
    assert [type(one) for one in claim_together(embedded, wanted)] == [OperationalError] * THREADS
    assert crowd.begun == 1


def test_a_send_has_no_statement_planned_anew(embedded: Ledger) -> None:
    """SQLite asks its authorizer whenever it plans one."""
    first, second, *_ = queued(embedded)
    planned: list[int] = []

    def allow(action: int, *_: object) -> int:
        planned.append(action)
        return sqlite3.SQLITE_OK

    with embedded.straight.cursor() as cursor:
        cursor.connection.set_authorizer(allow)
    send(embedded, first)
    del planned[:]
    send(embedded, second)
    assert set(planned) <= {sqlite3.SQLITE_TRANSACTION}


def send(ledger: Ledger, row: Any) -> None:
    claimed = clear.claim(ledger, taking(row))
    assert claimed
    ids = (row.id, row.creator_id, *claimed, f"t{row.id}")
    assert clear.record(ledger, Acceptance(*ids, 12, 202, "accepted", "as mm", f"mm_{row.id}", 847, "accepted", "me"))
