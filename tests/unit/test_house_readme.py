"""The README says what the code does: its settings, its states, its samples, its signposts."""

import re
from pathlib import Path

import pytest

from carillon.campaigns.load import load
from carillon.ledger.states import MOVES, WAITS
from carillon.settings import Settings
from repository import README, ROOT, blocks

SAMPLES = blocks("yaml")
PATH = r"(?:carillon|console|scheduler|worker|tests|deploy|\.ci)/[\w./-]*|[\w-]+\.(?:py|md|toml|txt|yaml)"
NAMED = sorted(set(re.findall(rf"`({PATH})`", README)))


def test_every_setting_stands_in_the_readme_and_no_other() -> None:
    promised = set(re.findall(r"CARILLON_[A-Z_]+", README))
    assert promised == {f"CARILLON_{name.upper()}" for name in Settings.model_fields}


def test_the_picture_of_the_states_is_the_table_of_moves() -> None:
    (picture,) = (block for block in blocks("text") if "planned " in block and "->" in block)
    drawn = {}
    for line in picture.splitlines():
        source, _, targets = line.partition("->")
        drawn[source.strip()] = {target.strip() for target in targets.split(",") if target.strip()}
    assert drawn == {str(source): {str(target) for target in targets} for source, targets in MOVES.items()}


def test_everything_that_a_broadcast_waits_for_is_explained() -> None:
    assert [cause for cause in WAITS if f"`{cause}`" not in README] == []


def test_there_are_samples() -> None:
    assert SAMPLES


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_passes_check(sample: str, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(sample)
    assert [str(finding) for finding in load(file).findings if finding.severity == "error"] == []


@pytest.mark.parametrize("name", NAMED)
def test_every_file_that_is_named_exists(name: str) -> None:
    assert (ROOT / name).exists()
