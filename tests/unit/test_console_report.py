"""A report sums what is known, says what is not, and can be read by people, programs, spreadsheets and eyes."""

import csv
import io
import struct
from datetime import date, timedelta
from typing import Any

import pytest

from carillon import clock
from carillon.ledger import results
from carillon.ledger.connect import Ledger
from carillon.ledger.figures import Figures
from carillon.ledger.questions import Wanted
from carillon.ledger.sums import By, Sum, sums
from console.plot import drawn
from console.report import as_csv
from ledger_rows import add_broadcast, add_creator

NOW = clock.now()


def add(ledger: Ledger, creator_id: int, key: str, told: dict[str, Any] | None = None, **values: Any) -> int:
    known = {"state": "sent", "creator": key, "due_at": NOW - timedelta(hours=1), **values}
    id_ = add_broadcast(ledger, creator_id, known.pop("campaign", "drop"), **known)
    if told:
        with ledger.write() as connection:
            results.keep_told(connection, id_, "list", NOW, **told)
    return id_


@pytest.fixture
def sold(ledger: Ledger) -> Ledger:
    """Five that count: of drop for luna, twice, of drop and news for mia, and one that was recalled."""
    luna, mia = add_creator(ledger, "luna"), add_creator(ledger, "mia")
    full = {"recipients": 100, "views": 50, "purchases": 10, "revenue_cents": 9990}
    add(ledger, luna, "luna", full, labels='["ppv", "weekly", "ppv"]', occurrence="1")
    add(ledger, luna, "luna", None, labels='["ppv"]', occurrence="2", day=date(2026, 1, 2))
    guess = {"recipients": 10, "views": 1, "purchases": 1, "revenue_cents": 500, "estimated": True}
    add(ledger, mia, "mia", guess, day=date(2026, 1, 1))
    add(ledger, mia, "mia", {"views": 7}, campaign="news", part="canary", recipient_count=20)
    add(ledger, mia, "mia", {"purchases": 1, "revenue_cents": 1}, campaign="gone", state="unsent")
    add(ledger, mia, "mia", {"revenue_cents": 77777}, campaign="failed", state="failed")
    return ledger


def of(ledger: Ledger, by: By, wanted: Wanted | None = None) -> tuple[list[Sum], Sum]:
    with ledger.read() as session:
        return sums(session.connection(), wanted or Wanted(), by)


def revenues(rows: list[Sum]) -> list[tuple[str | None, int, int | None]]:
    return [(row.key, row.broadcasts, row.known.get("revenue_cents")) for row in rows]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("campaign", [("drop", 3, 10490), ("gone", 1, 1), ("news", 1, None)]),
        ("creator", [("luna", 2, 9990), ("mia", 3, 501)]),
        ("variant", [("main", 4, 10491), ("canary", 1, None)]),
        ("label", [("ppv", 2, 9990), ("weekly", 1, 9990), (None, 3, 501)]),
    ],
)
def test_sums_by(sold: Ledger, by: By, expected: list[Any]) -> None:
    rows, total = of(sold, by)
    assert revenues(rows) == expected
    assert (total.broadcasts, total.known["revenue_cents"]) == (5, 10491), "once, whatever the labels are"


def test_sums_by_day_in_their_order(sold: Ledger) -> None:
    rows, _ = of(sold, "day")
    today = (NOW - timedelta(hours=1)).date().isoformat()
    assert revenues(rows) == [("2026-01-01", 1, 500), ("2026-01-02", 1, None), (today, 3, 9991)]


def test_rates_are_of_what_both_are_known_of(sold: Ledger) -> None:
    _, total = of(sold, "campaign")
    assert total.opened.value == pytest.approx(58 / 130)
    assert total.unlocked.value == pytest.approx(11 / 110)
    assert total.earned.value == pytest.approx(10490 / 110)
    assert total.unknown == {"recipients": 2, "views": 2, "purchases": 2, "revenue_cents": 2}
    assert (total.estimated, total.tips_cents) == (True, None)


def test_narrows(sold: Ledger) -> None:
    assert revenues(of(sold, "creator", Wanted(campaigns=("drop",)))[0]) == [("luna", 2, 9990), ("mia", 1, 500)]
    assert of(sold, "creator", Wanted(since=NOW))[0] == []
    assert of(sold, "creator", Wanted(platforms=("fanvue",)))[1].broadcasts == 0


def one(key: str | None, *figures: Figures) -> Sum:
    found = Sum(key)
    for each in figures:
        found.add(each)
    return found


@pytest.mark.parametrize("name", ['=cmd|"/c calc"!A0', "+1", "-1", "@x", "\ttab", "\rreturn"])
def test_no_name_is_a_formula_in_a_spreadsheet(name: str) -> None:
    [row] = csv.DictReader(io.StringIO(as_csv([one(name, Figures())], "label"), newline=""))
    assert row["label"] == f"'{name}"


def test_csv_is_exact_and_quoted() -> None:
    rows = [
        one('ann "a", b', Figures(3, 2, 1, 1_000_000_000_000_99, tips_cents=5)),
        one("refunded", Figures(revenue_cents=-5)),
        one(None, Figures(estimated=True)),
    ]
    written = as_csv(rows, "label")
    assert written.count("\r\n") == written.count("\n") == 4
    assert '"ann ""a"", b",1,3,2,0.6667,1,0.3333,1000000000000.99,333333333333.6633,0.05,no,0,0,0,0\r\n' in written
    assert "refunded,1,,,,,,-0.05,,,no,1,1,1,0\r\n" in written
    assert written.endswith(",1,,,,,,,,,yes,1,1,1,1\r\n")


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


ROWS = [
    one("drop", Figures(100, 50, 10, 9990)),
    one("$x$ and $y_1$", Figures(100, 50, 10, 500, estimated=True)),
    one("🌙 very long, far longer than anybody would look at in a picture", Figures(7)),
    one(None, Figures(revenue_cents=-500)),
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], ROWS[2:3], []], ids=["several", "one", "unknown", "none"])
def test_draws_whatever_there_is(rows: list[Sum], capfd: pytest.CaptureFixture[str]) -> None:
    width, height = size(drawn(rows, one(None), "label"))
    assert width > height > 100
    assert capfd.readouterr() == ("", "")


def test_draws_days_and_no_more_bars_than_can_be_read() -> None:
    days = [one((date(2026, 11, 1) + timedelta(days=n)).isoformat(), Figures(n or None, 1, 0, n)) for n in range(40)]
    assert size(drawn(days, one(None), "day")) == (1650, 1350)
    many = [one(f"campaign-{n}", Figures(n)) for n in range(100)]
    assert size(drawn(many, one(None), "campaign"))[1] < 1600
