"""What a scheduler makes of the time in which it could not beat: it had missed that only if it did not run."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, beats, broadcasts, creators, events
from ledger_rows import add_broadcast, broadcast
from running import until
from scheduler import files, pulse
from scheduler.agenda import Agenda
from scheduler.publish import Publisher
from scheduler.pulse import Pulse
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
    made = Timetable(ledger, broker, publisher, Agenda(file), "scheduler test", lambda: None, lambda: None)
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


@pytest.fixture
def running(ledger: Ledger, timetable: Timetable) -> Iterator[Timetable]:
    """Its beats go round, and all that was to be done at the start is done."""
    timetable.start()
    try:
        until(lambda: timetable._scheduler.get_jobs() and not timetable._nudged.is_set())
        yield timetable
    finally:
        timetable.stop()


def test_what_falls_due_is_handed_off_then(ledger: Ledger, running: Timetable) -> None:
    due_at = clock.now() + timedelta(seconds=2)
    id_ = _planned(ledger, due_at)
    until(lambda: broadcast(ledger, id_).state == "queued")
    assert timedelta(0) <= broadcast(ledger, id_).state_since - due_at < timedelta(seconds=1)


def test_what_others_plan_is_seen_soon_though_nobody_rings(ledger: Ledger, running: Timetable) -> None:
    id_ = _planned(ledger, clock.now())
    until(lambda: broadcast(ledger, id_).state == "queued", 5)


def test_a_nudge_is_obeyed_at_once(ledger: Ledger, timetable: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself here."""
    monkeypatch.setattr(pulse, "_SECONDS", 60.0)
    monkeypatch.setattr(timetable._pulse, "_seconds", 60.0)
    timetable.start()
    try:
        until(lambda: not timetable._nudged.is_set())
        id_ = _planned(ledger, clock.now())
        timetable.nudge()
        until(lambda: broadcast(ledger, id_).state == "queued", 5)
    finally:
        timetable.stop()


def test_releases_rest_in_between_while_accounts_are_woken_all_the_time(
    ledger: Ledger, timetable: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases: list[float] = []
    monkeypatch.setattr("scheduler.timetable.release", lambda *_: releases.append(clock.ticks()))
    with ledger.write() as connection:
        accounts.wake(connection, [1], clock.now())
    timetable.start()
    try:
        until(lambda: len(releases) >= 12, 10)
    finally:
        timetable.stop()
    assert releases[11] - releases[0] > 0.6


def test_beats_that_rest_are_called_when_there_is_something_to_do(ledger: Ledger, running: Timetable) -> None:
    late = _planned(ledger, clock.now() - timedelta(hours=1), expires_at=clock.now() + timedelta(seconds=1))
    with ledger.write() as connection:
        connection.execute(update(creators).values(cool_down_until=clock.now() + timedelta(hours=1)))
    until(lambda: broadcast(ledger, late).state == "expired", 5)
    held = add_broadcast(ledger, 1, "held", state="held", reason="unknown_outcome: x")
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == late).values(state="held"))
        event = {"at": clock.now(), "who": "somebody", "why": "a move that another process made"}
        connection.execute(insert(events).values(event))
    until(lambda: {f"held:{id_}" for id_ in (held, late)} <= _open_causes(ledger), 5)


def test_a_pulse_is_quick_while_nobody_can_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_DEAF_SECONDS", 0.01)
    monkeypatch.setattr(pulse, "_SECONDS", 60.0)
    looks: list[int] = []
    made = Pulse(lambda: looks.append(1), lambda: None)
    made.start()
    until(lambda: len(looks) > 5)
    made.hear(True)
    until(lambda: _stays(looks))
    made.stop()


def _stays(looks: list[int]) -> bool:
    before = len(looks)
    time.sleep(0.2)
    return len(looks) == before


def _planned(ledger: Ledger, due_at: datetime, **values: Any) -> int:
    """As another process would plan it."""
    id_ = add_broadcast(ledger, 1, due_at=due_at, state="planned", campaign=f"c{due_at}", **values)
    with ledger.write() as connection:
        accounts.wake(connection, [1], due_at)
    return id_


def _open_causes(ledger: Ledger) -> set[str]:
    with ledger.read() as session:
        return set(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))
