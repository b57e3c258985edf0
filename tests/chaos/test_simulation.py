"""Seeded simulations on a virtual clock, and whether their judge sees what it is there to see."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from carillon.ledger import decisions
from chaos.simulated_house import House
from chaos.simulated_judge import Books, faults
from chaos.simulated_platform import Fate, Sent
from chaos.simulation import main, seeds_of, simulate
from chaos.simulation_checker import Checker, Script
from chaos.simulation_expected import expected
from chaos.simulation_schedules import Campaign, Creator, file_of

SHORT, TWICE = 65, 67
LUNA = Creator("luna", "frontrow", "Europe/Berlin", None, (2, "1h", 3600))
NIGHT = datetime(2026, 10, 24, 20, tzinfo=UTC)
"""Before clocks are set back."""


def test_days_of_misfortune(migrated_sqlite: Path, tmp_path: Path) -> None:
    report = simulate(SHORT, migrated_sqlite, tmp_path)
    assert not report.faults, str(report)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(100, 200))
def test_more_days_of_misfortune(seed: int, migrated_sqlite: Path, tmp_path: Path) -> None:
    report = simulate(seed, migrated_sqlite, tmp_path)
    assert not report.faults, str(report)


def test_the_same_seed_is_the_same_again(migrated_sqlite: Path, tmp_path: Path) -> None:
    outlines = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        report = simulate(TWICE, migrated_sqlite, tmp_path / name)
        assert not report.faults, str(report)
        outlines.append(report.outline)
    assert outlines[0] == outlines[1]
    assert len(outlines[0]) > 40


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("30 2 * * *", [("2026-10-25T02:30", "00:30")]),
        ("0 3 * * 0", [("2026-10-25T03:00", "02:00")]),
        ("0 3 */2 * *", [("2026-10-25T03:00", "02:00")]),
        ("0 3 24 * 6", []),
    ],
    ids=["twice on the clock", "a Sunday", "odd days", "the day before"],
)
def test_what_is_expected_of_a_night_on_which_clocks_are_set_back(cron: str, due: list[tuple[str, str]]) -> None:
    drop = Campaign("drop", (LUNA,), (NIGHT + timedelta(days=1)).date(), cron=(cron,))
    found = expected([drop], NIGHT, NIGHT + timedelta(hours=10))
    shown = [(one.label, f"{one.instant:%H:%M}") for one in found if one.instant < NIGHT + timedelta(hours=10)]
    assert shown == [(f"{label} Europe/Berlin", at) for label, at in due]


def test_the_judge_sees_a_double_and_one_too_many(migrated_sqlite: Path, tmp_path: Path) -> None:
    drop = Campaign("drop", (LUNA,), NIGHT.date(), cron=("0-10/5 23 * * *",))
    with House(tmp_path, migrated_sqlite, NIGHT, 1) as house:
        house.add_account("luna", "frontrow")
        house.write(file_of([LUNA], [drop]))
        house.start()
        house.run(3_600.0 * 4)
        first, second, _ = house.platforms.log
        assert faults(house, Books(house), {}) == []
        house.platforms.log.append(_again(first))
        found = faults(house, Books(house), {})
    assert [words.partition(":")[0] for words in found] == [f"broadcast {first.broadcast}", "luna"]
    assert second.taken


def test_the_judge_counts_slots_by_the_clock_of_the_house(migrated_sqlite: Path, tmp_path: Path) -> None:
    """The third waits for the slot of the first, which ended before the clock was set back: three seconds longer.

    The fourth waits for that of the second, which begins after it. A second more of either is seen.
    """
    drop = Campaign("drop", (LUNA,), NIGHT.date(), cron=("0-15/5 23 * * *",))
    wanted = expected([drop], NIGHT, NIGHT + timedelta(hours=4))
    with House(tmp_path, migrated_sqlite, NIGHT, 1) as house:
        house.add_account("luna", "frontrow")
        house.write(file_of([LUNA], [drop]))
        house.start()
        house.timeline.at(3_720.0, lambda: house.timeline.step(-3.0))
        house.run(3_600.0 * 4)
        assert Checker(house, Script(), [LUNA], wanted).faults() == []
        _, _, third, fourth = house.platforms.log
        for late in (third, fourth):
            late.began += 1.0
        found = Checker(house, Script(), [LUNA], wanted).faults()
    assert [words.partition(":")[0] for words in found] == [f"broadcast {late.broadcast}" for late in (third, fourth)]


def test_the_judge_knows_that_a_persons_own_is_not_missed(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Nothing runs when the second falls due; meanwhile a person has the first go again, and it is the later one."""
    drop = Campaign("drop", (LUNA,), NIGHT.date(), cron=("0,30 23 * * *",), catch_up="latest")
    wanted = expected([drop], NIGHT, NIGHT + timedelta(hours=4))
    with House(tmp_path, migrated_sqlite, NIGHT, 1) as house:
        house.add_account("luna", "frontrow")
        house.write(file_of([LUNA], [drop]))
        house.platforms.deal = lambda _: Fate("no_answer", taken=False)
        house.start()
        house.run(4_800.0)
        house.kill(house.workers[0].process)
        house.run(900.0)
        first = house.platforms.log[0].broadcast
        decisions.resolve(house.ledger, first, sent=False, message_id=None, who="person:sim", reason="looked")
        house.platforms.deal = lambda _: Fate()
        house.run(300.0)
        house.start()
        house.run(3_600.0)
        down = [(4_800.0, 6_000.0)]
        script = Script(down, down, licences={first: 1}, given_back={first: 1})
        assert Checker(house, script, [LUNA], wanted).faults() == []
        assert [sent.taken for sent in house.platforms.log] == [False, True, True]


def _again(sent: Sent) -> Sent:
    return Sent(
        sent.broadcast, sent.creator, sent.text, sent.fate, sent.began, sent.claimed_at, sent.arrived, taken=True
    )


def test_seeds_are_numbers_and_spans() -> None:
    assert seeds_of(["7", "9..11"]) == [7, 9, 10, 11]


def test_other_words_are_no_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seven"]) == 2
    assert "7 9 1..200" in capsys.readouterr().err
