"""Claims that race each other, a pause, a cancel or the end of their process, as hard as can be arranged."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, text

import servers
from carillon.ledger import accounts, decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.decisions import DecisionError
from carillon.ledger.straight import Straight
from carillon.ledger.tables import attempts, broadcasts, events, slots
from carillon.platforms.client import Client
from ledger_rows import add_broadcast, add_creator, broadcast
from running import until
from worker.claim import Claim, UnheardError, claim
from worker.means import Means

LIMIT = 10
AT_ONCE = 64
PROCESSES = 4
"""Each with connections of its own, so that all claims can be inside the database at once."""


@pytest.fixture
def at_scale(postgresql: str, migrated_postgresql: str) -> Iterator[Ledger]:
    """A ledger on PostgreSQL alone: on SQLite one transaction begins after the other, and nobody is seen to wait."""
    with servers.fresh_database(postgresql, migrated_postgresql) as url, closing(Ledger(url)) as ledger:
        yield ledger


@contextmanager
def processes(ledger: Ledger) -> Iterator[list[Means]]:
    """Several workers' means on one database."""
    client = Client(1)
    with ExitStack() as stack:
        stack.callback(client.close)
        url = ledger.url.render_as_string(hide_password=False)
        ledgers = [stack.enter_context(closing(Ledger(url))) for _ in range(PROCESSES)]
        yield [Means(one, client, f"worker {number}", 20) for number, one in enumerate(ledgers)]


def race(jobs: Sequence[Callable[[], object]], meanwhile: Callable[[], None] = lambda: None) -> list[object]:
    """All of them at once, and their answers."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        gate.wait(30)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        meanwhile()
        return [future.result() for future in futures]


def counted(ledger: Ledger) -> dict[str, int]:
    sending = select(func.count()).select_from(broadcasts).where(broadcasts.c.state == "sending")
    claimed = select(func.count()).select_from(events).where(events.c.target == "sending")
    with ledger.read() as session:
        return {
            "sending": session.scalar(sending) or 0,
            "events": session.scalar(claimed) or 0,
            "attempts": session.scalar(select(func.count()).select_from(attempts)) or 0,
            "slots": session.scalar(select(func.count()).select_from(slots)) or 0,
        }


def admitted(ledger: Ledger, workers: Sequence[Means], key: str, *, all_waiting: bool) -> int:
    """How many of 64 broadcasts of one account are claimed, if all are tried at once."""
    creator_id = add_creator(ledger, key, limit_count=LIMIT)
    rows = [broadcast(ledger, add_broadcast(ledger, creator_id, f"{key}-{number}")) for number in range(AT_ONCE)]
    jobs = [partial(claim, workers[n % PROCESSES], row, "d") for n, row in enumerate(rows)]
    if not all_waiting:
        found = race(jobs)
    else:
        with ExitStack() as holding:
            connection, _ = holding.enter_context(accounts.held(ledger, [creator_id]))

            def let_go() -> None:
                until(lambda: waiting(ledger) >= AT_ONCE, 60)
                holding.close()

            found = race(jobs, let_go)
            assert connection.closed
    return sum(isinstance(answer, Claim) for answer in found)


def waiting(ledger: Ledger) -> int:
    """How many sessions wait for a lock of this database."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ledger.engine.connect() as connection:
        count: int = connection.execute(asked).scalar_one()
        return count


def check_rounds(ledger: Ledger, rounds: int, *, all_waiting: bool) -> None:
    with processes(ledger) as workers:
        for number in range(rounds):
            before = counted(ledger)
            assert admitted(ledger, workers, f"c{number}", all_waiting=all_waiting) == LIMIT
            assert {name: count - before[name] for name, count in counted(ledger).items()} == dict.fromkeys(
                before, LIMIT
            )


def test_of_64_claims_at_once_as_many_win_as_there_are_slots(ledger: Ledger) -> None:
    check_rounds(ledger, 1, all_waiting=False)


def test_of_64_claims_that_all_wait_for_the_account_as_many_win_as_there_are_slots(at_scale: Ledger) -> None:
    check_rounds(at_scale, 1, all_waiting=True)


@pytest.mark.chaos
def test_the_same_25_times(ledger: Ledger) -> None:
    check_rounds(ledger, 25, all_waiting=False)


@pytest.mark.chaos
def test_the_same_25_times_while_all_wait(at_scale: Ledger) -> None:
    check_rounds(at_scale, 25, all_waiting=True)


def test_eight_claims_of_one_broadcast_from_several_processes_make_one_attempt(ledger: Ledger) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger, limit_count=LIMIT)))
    with processes(ledger) as workers:
        found = race([partial(claim, means, row, "d") for means in workers * 2])
    assert sum(isinstance(answer, Claim) for answer in found) == 1
    assert set(counted(ledger).values()) == {1}


def test_a_cancel_that_races_a_claim_wins_or_is_refused(ledger: Ledger) -> None:
    creator_id = add_creator(ledger, limit_count=100)
    rows = [broadcast(ledger, add_broadcast(ledger, creator_id, f"c{number}")) for number in range(24)]

    def cancelled(broadcast_id: int) -> bool:
        try:
            decisions.cancel(ledger, broadcast_id, "person:ada", None)
        except DecisionError:
            return False
        return True

    with processes(ledger) as workers:
        claims = [partial(claim, workers[row.id % PROCESSES], row, "d") for row in rows]
        cancels = [partial(cancelled, row.id) for row in rows]
        found = race([job for pair in zip(claims, cancels, strict=True) for job in pair])
    won = [isinstance(answer, Claim) for answer in found[::2]]
    assert [not lost for lost in found[1::2]] == won, "one of both, for each broadcast"
    assert set(counted(ledger).values()) == {sum(won)}
    assert {broadcast(ledger, row.id).state for row in rows} <= {"sending", "cancelled"}


def test_a_claim_never_stands_half_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process dies before one statement after the other; what the ledger has then is all of it or nothing."""
    creator_id = add_creator(ledger, limit_count=100)
    steps, whole = 0, False
    while not whole:
        steps += 1
        row = broadcast(ledger, add_broadcast(ledger, creator_id, f"c{steps}"))
        before = counted(ledger)
        with processes(ledger) as workers, monkeypatch.context() as patch:
            patch.setattr(Straight, "cursor", dying_after(steps - 1))
            try:
                whole = isinstance(claim(workers[0], row, "d"), Claim)
            except Died:
                assert counted(ledger) == before
                assert broadcast(ledger, row.id).state == "queued"
    assert set(counted(ledger).values()) == {1}
    assert steps > (5 if ledger.embedded else 1)


class Died(BaseException):
    """What a SIGKILL does to a transaction: its connection is gone."""


def dying_after(statements: int) -> Callable[[Straight], Any]:
    plain = Straight.cursor

    class Dying:
        def __init__(self, cursor: Any) -> None:
            self._cursor, self._left = cursor, statements

        def execute(self, *words: Any) -> Any:
            if not self._left:
                raise Died
            self._left -= 1
            return self._cursor.execute(*words)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cursor, name)

    @contextmanager
    def cursor(straight: Straight) -> Iterator[Any]:
        with plain(straight) as real:
            yield Dying(real)

    return cursor


@pytest.mark.parametrize("lock_holder", ["pause", "stop"])
def test_what_was_decided_under_the_lock_is_seen_by_who_waited_for_it(at_scale: Ledger, lock_holder: str) -> None:
    """The claim begins before the decision is committed, and waits."""
    ledger = at_scale
    creator_id = add_creator(ledger)
    row = broadcast(ledger, add_broadcast(ledger, creator_id))
    with processes(ledger) as workers, ThreadPoolExecutor(1) as pool:
        with accounts.held(ledger, [creator_id]) as (connection, now):
            claiming = pool.submit(claim, workers[0], row, "d")
            until(lambda: waiting(ledger) == 1, 30)
            if lock_holder == "stop":
                accounts.stop(connection, creator_id, now, "worker other", "forbidden: no right")
            else:
                connection.execute(
                    text("INSERT INTO pause (level, target, since, who) VALUES ('all', '', now(), 'person:ada')")
                )
        assert not isinstance(claiming.result(), Claim)
    assert broadcast(ledger, row.id).waiting_for == ("creator" if lock_holder == "stop" else "pause")
    assert counted(ledger)["attempts"] == 0


def test_a_lock_that_is_not_had_in_time_is_an_error_and_no_claim(at_scale: Ledger) -> None:
    creator_id = add_creator(at_scale)
    row = broadcast(at_scale, add_broadcast(at_scale, creator_id))
    with processes(at_scale) as workers:
        with workers[0].ledger.straight.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        with accounts.held(at_scale, [creator_id]), pytest.raises(UnheardError, match="lock timeout"):
            claim(workers[0], row, "d")
        assert isinstance(claim(workers[0], row, "d"), Claim), "on a connection of its own, once it is free"
