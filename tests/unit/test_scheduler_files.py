"""The operator is told of a scheduler whose campaign files are wrong, or not what is in force."""

from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from carillon.ledger.beats import beat, leave
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from scheduler import files
from scheduler.files import Files, forget_gone


def raised(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None))))


@pytest.fixture
def mine(ledger: Ledger, tmp_path: Path) -> Files:
    return Files(ledger, tmp_path / "campaigns.yaml", "scheduler one")


def test_files_that_differ_are_told_at_once_and_raise_an_alarm_if_it_lasts(
    ledger: Ledger, mine: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SOON_SECONDS", -1)
    mine.read("a")
    with capture_logs() as log:
        mine.compare("b", 2)
        mine.compare("b", 2)
    assert [(line["log_level"], line["generation"]) for line in log] == [("warning", 2)]
    assert raised(ledger) == []
    monkeypatch.setattr(files, "PATIENCE_SECONDS", -1)
    mine.compare("b", 2)
    mine.compare("b", 2)
    [message] = raised(ledger)
    assert "not what is in force" in message
    mine.read("b")
    mine.compare("b", 2)
    assert raised(ledger) == []


def test_an_edit_that_one_of_two_sees_a_moment_later_is_not_told(ledger: Ledger, mine: Files) -> None:
    mine.read("a")
    with capture_logs() as log:
        mine.compare("b", 2)
        mine.read("b")
        mine.compare("b", 2)
    assert log == []


def test_wrong_files_raise_an_alarm_that_lasts_as_long_as_their_process(
    ledger: Ledger, mine: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE_SECONDS", -1)
    mine.read(None)
    mine.compare("a", 1)
    mine.compare("a", 1)
    [message] = raised(ledger)
    assert "wrong" in message
    assert "carillon check" in message
    beat(ledger, "scheduler", "scheduler one")
    forget_gone(ledger)
    assert raised(ledger) == [message]
    leave(ledger, "scheduler one")
    forget_gone(ledger)
    assert raised(ledger) == []
