"""The beats that have something to do are called, and no others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.agenda import Agenda
from scheduler.signs import Signs
from scheduler.traces import traces

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUIET = Signs(
    begun=1000.0,
    ended=1000.0,
    now=NOW,
    wake_at=None,
    expires_at=None,
    generation=3,
    newest_event=7,
    newest_alarm=2,
    queued=False,
    under_way=False,
    stopped=False,
)
STEP = 0.5


class Looks:
    """An agenda that is asked twice a second."""

    def __init__(self, path: Path) -> None:
        self._agenda, self._ticks, self.stuck = Agenda(path), 1000.0, False

    def called(self, seconds: float, generation: int = 3, **signs: Any) -> dict[str, int]:
        """How often each beat was called in that time, while the ledger showed these signs."""
        found: dict[str, int] = {}
        for _ in range(round(seconds / STEP)):
            self._ticks += STEP
            at = timedelta(seconds=self._ticks - 1000)
            shown = replace(QUIET, **signs, begun=self._ticks, ended=self._ticks, now=NOW + at)
            for name in self._agenda.due(shown, generation):
                found[name] = found.get(name, 0) + 1
                if name == "look" and not self.stuck:
                    self._agenda.looked()
        return found

    def sleep(self, seconds: float) -> None:
        self._ticks += seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "campaigns.yaml"
    path.write_text("version: 1")
    return path


@pytest.fixture
def looks(file: Path) -> Looks:
    made = Looks(file)
    assert made.called(120).keys() == {"look", "watch", "tell"}  # at its start everything is new
    assert made.called(60) == {}
    return made


@pytest.mark.parametrize(
    ("signs", "called"),
    [
        ({}, {}),
        ({"wake_at": NOW + timedelta(hours=5)}, {}),
        ({"wake_at": NOW + timedelta(seconds=200)}, {"prepare": 10}),
        ({"expires_at": NOW + timedelta(hours=5)}, {}),
        ({"expires_at": NOW}, {"expire": 10}),
        ({"under_way": True}, {"rescue": 10, "watch": 1}),
        ({"stopped": True}, {"recheck": 10}),
        ({"collect_at": NOW + timedelta(hours=5)}, {}),
        ({"collect_at": NOW}, {"collect": 10}),
        ({"untracked_since": NOW + timedelta(seconds=175)}, {}),
        ({"untracked_since": NOW}, {"collect": 10}),
        ({"queued": True}, {"sweep": 10, "watch": 1}),
        ({"newest_event": 8}, {"watch": 3}),
        ({"newest_alarm": 3}, {"watch": 3, "tell": 5}),
        ({"generation": 4}, {"look": 20}),
    ],
    ids=str,
)
def test_what_stirs_calls_its_beats(looks: Looks, signs: dict[str, Any], called: dict[str, int]) -> None:
    assert looks.called(10, **signs) == called


def test_a_change_calls_for_a_while_only(looks: Looks) -> None:
    looks.called(1, newest_event=8)
    assert looks.called(9, newest_event=8) == {"watch": 2}
    assert looks.called(60, newest_event=8) == {}


def test_what_stays_with_the_workers_is_watched(looks: Looks) -> None:
    assert looks.called(60, queued=True)["watch"] == 6


@pytest.mark.parametrize("how", ["written", "replaced", "added", "removed"])
def test_edited_files_are_looked_at_until_they_have_settled(file: Path, tmp_path: Path, how: str) -> None:
    looks = Looks(tmp_path)
    looks.called(120)
    match how:
        case "written":
            file.write_text("version: 1 # edited")
        case "replaced":
            (tmp_path / "new").write_text("version: 2")
            (tmp_path / "new").replace(file)
        case "added":
            (tmp_path / "more.yaml").write_text("version: 1")
        case "removed":
            file.unlink()
    assert looks.called(1.5)["look"] >= 2
    assert looks.called(30)["look"] >= 7
    assert looks.called(30) == {}


def test_files_that_vanished_before_the_first_look_are_looked_for(tmp_path: Path) -> None:
    assert "look" in Looks(tmp_path / "gone.yaml").called(2)


def test_looks_that_do_not_come_to_their_end_are_called_for_again(file: Path, looks: Looks) -> None:
    file.write_text("version: 1 # edited")
    looks.stuck = True
    assert looks.called(60)["look"] > 100
    looks.stuck = False
    assert looks.called(60) == {"look": 10}


def test_what_is_no_campaign_file_is_passed_over(file: Path, tmp_path: Path) -> None:
    before = traces(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert traces(tmp_path) == before
    assert len(before) == len(traces(file)) == 1
    assert traces(tmp_path / "gone") == frozenset()


def test_after_a_time_without_a_look_everything_counts_as_changed(looks: Looks) -> None:
    looks.sleep(30)
    assert looks.called(1).keys() == {"look", "watch", "tell"}
