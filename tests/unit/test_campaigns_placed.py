"""`scheduled_by` and `lead`: who keeps the time of a campaign, and from when its broadcasts are placed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.load import check, load
from carillon.campaigns.shape import schema

HEAD = """version: 1
defaults: {timezone: UTC}
creators:
  fay: {platform: fanvue, credentials: env:F}
  bea: {platform: frontrow, credentials: env:B}
  ofa: {platform: ofauth, account: a, credentials: env:O}
  ona: {platform: onlyfansapi, account: a, credentials: env:N}
campaigns:
"""
ONE = "  one: {{creators: [{creators}], text: Hi, lists: {{include: [fans]}}, schedule: {{every: 6h}}, {keys}}}\n"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "campaigns.yaml").write_text(HEAD + text)
        return tmp_path / "campaigns.yaml"

    return write


def one(creators: str, **keys: str) -> str:
    return ONE.format(creators=creators, keys=", ".join(f"{key}: {value}" for key, value in keys.items()))


def errors(path: Path) -> list[str]:
    return [finding.message for finding in check(path) if finding.severity == "error"]


def catalogue(path: Path) -> Catalogue:
    found = load(path).catalogue
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("keys", "lead"),
    [
        ({}, None),
        ({"scheduled_by": "carillon"}, None),
        ({"scheduled_by": "platform"}, timedelta(hours=24)),
        ({"scheduled_by": "platform", "lead": "7d"}, timedelta(days=7)),
    ],
)
def test_how_long_ahead_it_is_placed(
    written: Callable[[str], Path], keys: dict[str, str], lead: timedelta | None
) -> None:
    path = written(one("fay, ofa, ona", **keys))
    assert errors(path) == []
    found = catalogue(path)
    assert {entry.lead for entry in found.entries()} == {lead}
    assert dict(found.leads) == ({"one": lead} if lead else {})


@pytest.mark.parametrize(
    ("creators", "keys", "words"),
    [
        ("bea", {"scheduled_by": "platform"}, "frontrow has no scheduler of its own"),
        ("fay, bea", {"scheduled_by": "platform"}, "frontrow has no scheduler of its own"),
        ("fay", {"lead": "24h"}, "`lead` goes with `scheduled_by: platform` alone"),
        ("fay", {"scheduled_by": "carillon", "lead": "24h"}, "`lead` goes with"),
        ("fay", {"scheduled_by": "nobody"}, "one of carillon, platform is wanted"),
        ("fay", {"scheduled_by": "platform", "lead": "0s"}, "at least 1s"),
        ("fay", {"scheduled_by": "platform", "lead": "soon"}, "duration"),
    ],
)
def test_what_is_wrong(written: Callable[[str], Path], creators: str, keys: dict[str, str], words: str) -> None:
    (error,) = errors(written(one(creators, **keys)))
    assert words in error


def test_the_schema_knows_both() -> None:
    campaign = schema()["$defs"]["Campaign"]["properties"]
    assert campaign["scheduled_by"]["enum"] == ["carillon", "platform"]
    assert campaign["lead"]["type"] == "string"
