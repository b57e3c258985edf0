"""Schedulers and workers look after each other."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from carillon.ledger.beats import beat, leave
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, beats
from carillon.monitoring import absent
from carillon.monitoring.absent import Lookout, Role


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for those who may be starting too."""
    monkeypatch.setattr(absent, "PATIENCE", timedelta(0))


def open_causes(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))


def silence(ledger: Ledger, process: str, minutes: float) -> None:
    with ledger.write() as connection:
        now = ledger.now(connection)
        connection.execute(update(beats).where(beats.c.process == process).values(at=now - timedelta(minutes=minutes)))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("own", "other"), [("scheduler", "worker"), ("worker", "scheduler")])
def test_the_other_one_is_missed_and_found_again(ledger: Ledger, own: Role, other: Role) -> None:
    lookout = Lookout(ledger, own)
    assert not lookout.look()
    assert open_causes(ledger) == [f"no_beat:{other}"]
    assert not lookout.look()
    assert open_causes(ledger) == [f"no_beat:{other}"]
    beat(ledger, other, "it")
    assert lookout.look()
    assert open_causes(ledger) == []


@pytest.mark.usefixtures("at_once")
def test_who_was_missed_clears_its_own_alarm(ledger: Ledger) -> None:
    Lookout(ledger, "worker").look()
    Lookout(ledger, "scheduler").look()
    assert open_causes(ledger) == ["no_beat:worker"]


def test_whoever_has_just_started_waits_for_the_others(ledger: Ledger) -> None:
    assert not Lookout(ledger, "worker").look()
    assert open_causes(ledger) == []


@pytest.mark.usefixtures("at_once")
def test_one_that_beats_is_enough_and_a_good_bye_counts_at_once(ledger: Ledger) -> None:
    beat(ledger, "worker", "one")
    beat(ledger, "worker", "two")
    silence(ledger, "one", minutes=5)
    lookout = Lookout(ledger, "scheduler")
    assert lookout.look()
    leave(ledger, "two")
    assert not lookout.look()


def test_old_beats_are_forgotten_but_never_the_last_of_a_role(ledger: Ledger) -> None:
    beat(ledger, "scheduler", "only one")
    beat(ledger, "worker", "old")
    for process in ("only one", "old"):
        silence(ledger, process, minutes=3 * 24 * 60)
    beat(ledger, "worker", "new")
    with ledger.read() as session:
        assert set(session.scalars(select(beats.c.process))) == {"only one", "new"}
