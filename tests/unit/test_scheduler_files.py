"""The operator is told of a scheduler whose campaign files are wrong, or not what is in force."""

from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from scheduler import files
from scheduler.files import Files


def raised(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None))))


@pytest.fixture
def mine(ledger: Ledger, tmp_path: Path) -> Files:
    return Files(ledger, tmp_path / "campaigns.yaml")


def test_files_that_differ_are_told_at_once_and_raise_an_alarm_if_it_lasts(
    ledger: Ledger, mine: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_wrong_files_raise_an_alarm_that_a_later_process_clears(
    ledger: Ledger, mine: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "PATIENCE_SECONDS", -1)
    mine.read(None)
    mine.compare("a", 1)
    mine.compare("a", 1)
    [message] = raised(ledger)
    assert "wrong" in message
    assert "carillon check" in message
    later = Files(ledger, tmp_path / "campaigns.yaml")
    later.read("a")
    later.compare("a", 1)
    assert raised(ledger) == []
