"""One question shows what stirs, on a connection that is kept and, when it breaks, made anew."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from carillon import clock
from carillon.ledger import accounts, alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import broadcasts
from ledger_rows import add_broadcast, add_creator
from scheduler.signs import Question, Signs


@pytest.fixture
def question(ledger: Ledger) -> Iterator[Question]:
    with closing(Question(ledger)) as made:
        yield made


def stirring(signs: Signs) -> dict[str, Any]:
    names = ("wake_at", "expires_at", "generation", "newest_event", "newest_alarm", "queued", "under_way", "stopped")
    return {name: getattr(signs, name) for name in names if getattr(signs, name)}


def test_nothing_stirs_in_an_empty_ledger(question: Question) -> None:
    signs = question.ask()
    assert stirring(signs) == {}
    assert abs(signs.now - clock.now()) < timedelta(seconds=30)
    assert signs.begun <= signs.ended


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("planned", {"expires_at"}),
        ("queued", {"expires_at", "queued"}),
        ("sending", {"under_way"}),
        ("unknown", {"under_way"}),
        ("held", set()),
        ("sent", set()),
    ],
)
def test_each_state_shows_what_it_asks_for(ledger: Ledger, question: Question, state: str, shown: set[str]) -> None:
    creator_id = add_creator(ledger, wake_at=None)
    expires_at = clock.now() + timedelta(hours=1)
    add_broadcast(ledger, creator_id, "later", state=state, expires_at=expires_at + timedelta(hours=1))
    add_broadcast(ledger, creator_id, "first", state=state, expires_at=expires_at)
    signs = question.ask()
    assert stirring(signs).keys() == shown
    assert signs.expires_at == (expires_at if "expires_at" in shown else None)


def test_the_earliest_wake_a_move_and_a_stop_show(ledger: Ledger, question: Question) -> None:
    soon = clock.now() + timedelta(minutes=1)
    for name, at in (("zoe", soon + timedelta(hours=1)), ("mia", soon), ("ann", None)):
        add_creator(ledger, name, wake_at=at)
    luna = add_creator(ledger, wake_at=None)
    id_ = add_broadcast(ledger, luna, state="planned")
    assert stirring(question.ask()).keys() == {"wake_at", "expires_at"}
    assert question.ask().wake_at == soon
    with ledger.write() as connection:
        note = Note(ledger.now(connection), "scheduler test", "due")
        move(connection, broadcasts.c.id == id_, State.PLANNED, State.QUEUED, note)
    first = question.ask()
    assert first.newest_event is not None
    with ledger.write() as connection:
        accounts.stop(connection, luna, clock.now(), "worker test", "credentials: none")
    second = question.ask()
    assert second.stopped
    assert (second.newest_event or 0) > first.newest_event
    assert second.newest_alarm is not None
    with ledger.write() as connection:
        accounts.lift_stop(connection, luna, clock.now(), "worker test")
        alarms.sound(connection, "held:1", "held", clock.now())
    third = question.ask()
    assert not third.stopped
    assert (third.newest_alarm or 0) > second.newest_alarm


def test_a_connection_that_breaks_is_told_once_and_made_anew(ledger: Ledger, question: Question) -> None:
    question.ask()
    if ledger.embedded:
        question._cursor.connection.close()
    else:
        with ledger.write() as connection:
            others = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> :mine")
            mine = connection.scalar(select(func.pg_backend_pid()))
            for pid in list(connection.scalars(others, {"mine": mine})):
                connection.execute(select(func.pg_terminate_backend(pid)))
    with pytest.raises(DBAPIError):
        question.ask()
    assert stirring(question.ask()) == {}


def test_the_connection_that_is_kept_holds_no_snapshot(ledger: Ledger, question: Question) -> None:
    """SQLite's log could not be cut off, and PostgreSQL's old rows not be swept away."""
    question.ask()
    add_creator(ledger)
    assert question.ask().wake_at is not None
    with ledger.engine.connect() as connection:
        if ledger.embedded:
            connection.rollback()
            busy = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            assert busy == 0
        else:
            resting = text("SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND state = 'idle'")
            assert connection.scalar(resting) == 0
