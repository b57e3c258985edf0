"""What the command line takes and how results look, without a process for each case."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from carillon import clock
from carillon.ledger.states import WAITS
from console import printing, wording
from console.decide import number_of
from console.failures import CommandError, sentences
from console.options import instant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31T22:59:00Z", datetime(2026, 12, 31, 22, 59, tzinfo=UTC)),
        ("2026-12-31t22:59z", datetime(2026, 12, 31, 22, 59, tzinfo=UTC)),
        ("2026-12-31 23:59:30.25+01:00", datetime(2026, 12, 31, 22, 59, 30, 250_000, tzinfo=UTC)),
    ],
)
def test_a_date_is_utc_midnight_and_an_instant_is_itself(text: str, meant: datetime) -> None:
    assert instant(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-12-31T22:59", "2026-13-01", "20261231", "2026-W01-1", "0001-01-01T00:00+14:00", "２０２６-01-01"],
)
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        instant(text)


@pytest.mark.parametrize("word", ["", "0", "-1", "1.0", "x", "1\n", " 1", "١", "9" * 19])
def test_what_no_broadcast_can_have_as_its_id(word: str) -> None:
    with pytest.raises(CommandError, match="there is no broadcast"):
        number_of(word)


def test_cells_are_parted_by_tabs_and_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    printing.table(("a", "b", "c", "d"), [("x\ty\n\x1b[2J", None, ("p", "q"), 0)])
    printing.complain("one\nline\x1b[31m")
    out, err = capsys.readouterr()
    assert out == "x y  [2J\t-\tp, q\t0\n"
    assert err == "carillon: one line [31m\n"


def test_json_is_utf_8_where_stdout_is(capsys: pytest.CaptureFixture[str]) -> None:
    printing.as_json({"text": "🌙"}, indent=None)
    assert json.loads(capsys.readouterr().out) == {"text": "🌙"}


def broadcast(cause: str | None, due_in: timedelta, not_before: str | None = None) -> dict[str, Any]:
    due_at = clock.rfc3339(clock.now() + due_in)
    return {"waiting_for": cause, "due_at": due_at, "not_before": not_before, "creator": "luna"}


def test_every_wait_has_its_sentence() -> None:
    for cause in WAITS:
        words = wording.why(broadcast(cause, timedelta(hours=1), "2026-12-31T22:59:00Z"))
        assert words is not None
        assert words.startswith("waits for ")
        assert "; until 20" in words
    assert wording.why(broadcast(None, timedelta())) is None
    assert "is due" in str(wording.why(broadcast("time", timedelta(seconds=-1))))
    assert "--creator luna" in str(wording.why(broadcast("creator", timedelta())))


def test_an_error_that_nobody_can_have_caused_has_no_sentence() -> None:
    assert sentences(RuntimeError("a bug")) == []
    assert sentences(FileNotFoundError(2, "No such file or directory", "x.yaml")) == [
        "x.yaml: No such file or directory"
    ]


def test_the_help_loads_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "pydantic", "apscheduler", "dramatiq", "httpx", "alembic", "jinja2"}
    code = f"import sys, console.cli; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
