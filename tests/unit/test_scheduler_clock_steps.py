"""A clock that goes forward at once raises an alarm, one that goes back frees nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from carillon import clock
from carillon.ledger import allowance
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.tables import alarms, attempts, creators, slots
from ledger_rows import add_broadcast, add_creator
from scheduler.clock_steps import KIND, ClockSteps
from scheduler.signs import Question

Step = Callable[[float], None]

_SHADOW = (
    "CREATE SCHEMA chaos",
    "CREATE TABLE chaos.shift (seconds float)",
    "INSERT INTO chaos.shift VALUES (0)",
    """CREATE FUNCTION chaos.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    $$SELECT pg_catalog.clock_timestamp() + (SELECT seconds FROM chaos.shift) * interval '1 second'$$""",
)


@pytest.fixture
def step(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Step:
    """Sets the ledger's clock, from outside: the host's for SQLite, PostgreSQL's own for PostgreSQL."""
    real, shift = clock.now, [0.0]

    def set_host(seconds: float) -> None:
        shift[0] += seconds
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=shift[0]))

    def set_database(seconds: float) -> None:
        with ledger.engine.begin() as connection:
            connection.execute(text("UPDATE chaos.shift SET seconds = seconds + :more"), {"more": seconds})

    if ledger.embedded:
        return set_host
    with ledger.engine.begin() as connection:
        for statement in _SHADOW:
            connection.execute(text(statement))
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {name} SET search_path = chaos, pg_catalog, public"))
    ledger.engine.dispose()
    return set_database


class Scheduler:
    """As much of one as looks at the clocks."""

    def __init__(self, ledger: Ledger) -> None:
        self._steps, self._question = ClockSteps(ledger), Question(ledger)
        self.close, self.clear_old = self._question.close, self._steps.clear_old

    def look(self) -> None:
        self._steps.look(self._question.ask())


@pytest.fixture
def scheduler(ledger: Ledger, step: Step) -> Iterator[Scheduler]:
    with closing(Scheduler(ledger)) as made:
        made.look()
        yield made


def told(ledger: Ledger) -> list[str]:
    """The alarms of clocks so far, and whether each is open."""
    with ledger.read() as session:
        rows = session.execute(select(alarms).where(alarms.c.cause.startswith(KIND)).order_by(alarms.c.id))
        return [f"{'over' if row.cleared_at else 'open'}: {row.message}" for row in rows]


def now_of(ledger: Ledger) -> datetime:
    with ledger.read() as session:
        return ledger.now(session.connection())


def test_a_step_forward_is_told_once_however_many_look(ledger: Ledger, scheduler: Scheduler, step: Step) -> None:
    with closing(Scheduler(ledger)) as other:
        other.look()
        step(7200)
        for _ in range(3):
            scheduler.look()
            other.look()
    [message] = told(ledger)
    assert "went forward by 7200 s" in message or "went forward by 7199 s" in message
    assert message.startswith(f"open: the clock of the {'host' if ledger.embedded else 'database'}")
    assert "carillon pause --all" in message


def test_each_step_is_told(ledger: Ledger, scheduler: Scheduler, step: Step) -> None:
    for _ in range(2):
        step(600)
        scheduler.look()
    assert [words.partition(":")[0] for words in told(ledger)] == ["over", "open"]


@pytest.mark.parametrize("seconds", [4, -4, -7200])
def test_little_and_back_is_no_alarm(ledger: Ledger, scheduler: Scheduler, step: Step, seconds: float) -> None:
    step(seconds)
    scheduler.look()
    assert told(ledger) == []


def test_a_host_whose_clock_does_not_count_is_told_as_such(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Ledger(postgresql_url)) as ledger, closing(Scheduler(ledger)) as scheduler:
        migrate(ledger)
        scheduler.look()
        real = clock.now
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=1))
        scheduler.look()
        [message] = told(ledger)
    assert "the clock of the host" in message
    assert "nothing went too early" in message


def test_a_machine_that_slept_has_made_no_step(
    ledger: Ledger, scheduler: Scheduler, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clocks went on, and so did the ticks."""
    real, ticks = clock.now, clock.ticks
    monkeypatch.setattr(clock, "ticks", lambda: ticks() + 7200)
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=2))
    if not ledger.embedded:
        step(7200)
    scheduler.look()
    assert told(ledger) == []


def test_a_ledger_that_cannot_be_written_is_told_later(
    ledger: Ledger, scheduler: Scheduler, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(600)
    with monkeypatch.context() as broken:
        broken.setattr("scheduler.clock_steps.alarms.sound", _fail)
        with pytest.raises(OSError, match="full"):
            scheduler.look()
    assert told(ledger) == []
    scheduler.look()
    assert len(told(ledger)) == 1


def _fail(*_: object) -> None:
    raise OSError("the disk is full")


def test_it_is_shown_for_an_hour(ledger: Ledger, scheduler: Scheduler, step: Step) -> None:
    step(600)
    scheduler.look()
    scheduler.clear_old()
    assert told(ledger)[0].startswith("open")
    with ledger.write() as connection:
        connection.execute(update(alarms).values(raised_at=now_of(ledger) - timedelta(hours=1, seconds=1)))
    scheduler.clear_old()
    assert told(ledger)[0].startswith("over")


@pytest.mark.parametrize("back", [1, 3599, 7200, 90_000])
def test_a_step_back_frees_no_slot(ledger: Ledger, step: Step, back: float) -> None:
    """A clock that went back by more than a window has slots that end in its future: they count."""
    creator_id = add_creator(ledger, limit_count=1)
    _take_slot(ledger, add_broadcast(ledger, creator_id, state="sent"), creator_id, now_of(ledger))
    step(-back)
    assert _free(ledger, creator_id) == 0
    step(back + 3500)
    assert _free(ledger, creator_id) == 0
    step(101)
    assert _free(ledger, creator_id) == 1


def _take_slot(ledger: Ledger, broadcast_id: int, creator_id: int, at: datetime) -> None:
    owner = {"host": "h", "pid": 1, "process_birth": "1", "timeout_seconds": 20, "request_digest": "d"}
    row = {"broadcast_id": broadcast_id, "number": 1, "token": "t", "started_at": at, "lease_until": at, **owner}
    with ledger.write() as connection:
        attempt_id = connection.execute(attempts.insert().values(row).returning(attempts.c.id)).scalar_one()
        slot = {"attempt_id": attempt_id, "creator_id": creator_id, "taken_at": at, "ended_at": at}
        connection.execute(slots.insert().values(slot))


def _free(ledger: Ledger, creator_id: int) -> int:
    with ledger.read() as session:
        connection = session.connection()
        account = allowance.accounts(connection, creators.c.id == creator_id)
        return allowance.standings(connection, account, ledger.now(connection))[creator_id].free
