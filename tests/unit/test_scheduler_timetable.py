"""What a scheduler makes of the time in which it could not beat: it had missed that only if it did not run."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, beats, broadcasts
from ledger_rows import add_broadcast, broadcast
from scheduler import files
from scheduler.publish import Publisher
from scheduler.timetable import Timetable

FILE = """version: 1
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY, timezone: UTC}
campaigns:
  drop: {creator: luna, text: Hi, lists: {include: [subscribers]}, schedule: {at: "2099-01-01T00:00"}}
"""


@pytest.fixture
def timetable(ledger: Ledger, tmp_path: Path) -> Timetable:
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE)
    publisher = Publisher(ledger, file, frozenset(), "scheduler test")
    publisher.start()
    broker = brokers.make(None, "test")
    made = Timetable(ledger, broker, publisher, "scheduler test", lambda: None, lambda: None)
    made._beat()
    return made


@pytest.mark.parametrize(
    ("tried", "state"),
    [(timedelta(seconds=10), "planned"), (timedelta(seconds=90), "skipped")],
    ids=["its database was away", "it slept"],
)
def test_a_minute_and_a_half_without_a_beat(ledger: Ledger, timetable: Timetable, tried: timedelta, state: str) -> None:
    due_at = clock.now() - timedelta(seconds=80)
    id_ = add_broadcast(ledger, 1, due_at=due_at, state="planned", catch_up="skip")
    with ledger.write() as connection:
        connection.execute(update(beats).values(at=clock.now() - timedelta(seconds=90)))
        connection.execute(update(broadcasts).where(broadcasts.c.id == id_).values(waiting_for="time"))
    timetable._tried = clock.ticks() - tried.total_seconds()
    timetable._beat()
    assert broadcast(ledger, id_).state == state
    assert timetable.wrong() == []


def test_what_was_slept_through_is_caught_up_even_if_the_first_try_fails(
    ledger: Ledger, timetable: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = add_broadcast(ledger, 1, due_at=clock.now() - timedelta(seconds=80), state="planned", catch_up="skip")
    with ledger.write() as connection:
        connection.execute(update(beats).values(at=clock.now() - timedelta(seconds=90)))
    timetable._tried = clock.ticks() - 90
    with monkeypatch.context() as broken:
        broken.setattr("scheduler.timetable.gap", _fail)
        with pytest.raises(OperationalError):
            timetable._beat()
    timetable._beat()
    assert broadcast(ledger, id_).state == "skipped"


def _fail(_ledger: Ledger) -> None:
    raise OperationalError("SELECT", {}, Exception("the connection is stale"))


def test_files_that_become_wrong_raise_an_alarm(
    ledger: Ledger, timetable: Timetable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE_SECONDS", -1)
    (tmp_path / "campaigns.yaml").write_text("version: [")
    for _ in range(3):
        timetable._look()
    with ledger.read() as session:
        [message] = session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None)))
    assert "are wrong" in message
