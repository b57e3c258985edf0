"""The table of faults in the README beside this file has all sixty, and names only tests that exist."""

import re
from pathlib import Path

import pytest

README = Path(__file__).with_name("README.md")
TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (F\d\d) \|(.*)\|$", README.read_text(), re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", README.read_text())))


def test_all_sixty_stand_there_once() -> None:
    assert [number for number, _ in ROWS] == [f"F{n:02}" for n in range(1, 61)]


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_each_has_a_test_or_the_reason_why_not(number: str, row: str) -> None:
    cells = [cell.strip() for cell in row.split("|")]
    assert len(cells) == 3
    assert all(cells)
    assert "::test_" in cells[2] or cells[1].startswith("("), f"{number} has neither"


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}-{name}" for file, name in NAMED])
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), f"{file} has no {name}"
