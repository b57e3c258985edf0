"""`carillon doctor` on a real installation: well while it runs, with the mend for what is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from running import Carillon
from standins import StandIn

FILE = """
version: 1
creators:
  bea: {platform: frontrow, credentials: env:BEA_KEY, timezone: Europe/Berlin}
campaigns:
  one: {creator: bea, text: Hi, lists: {include: [subscribers]}, schedule: {cron: "0 0 1 1 *"}}
"""


def examined(carillon: Carillon, code: int) -> dict[str, list[dict[str, Any]]]:
    """Findings by check."""
    found: list[dict[str, Any]] = json.loads(carillon.run("doctor", "--json", code=code))
    for finding in found:
        assert list(finding) == ["check", "status", "message", "mend"]
        assert bool(finding["mend"]) or finding["status"] in {"ok", "note"}
    return {check: [one for one in found if one["check"] == check] for check in {one["check"] for one in found}}


def test_well_while_it_runs_and_told_what_to_do_when_it_does_not(tmp_path: Path) -> None:
    with StandIn() as platform, Carillon(tmp_path, {"frontrow": platform.url}, BEA_KEY="secret-of-bea") as carillon:
        carillon.declare(FILE)
        fresh = examined(carillon, 0)
        assert not (tmp_path / "home").exists()
        assert fresh["database"][0]["status"] == "note"
        carillon.up()
        well = examined(carillon, 0)
        assert {one["status"] for found in well.values() for one in found} == {"ok", "note"}
        assert [one["check"] for found in well.values() for one in found if one["status"] == "note"] == ["settings"] * 2
        assert well["platforms"][0]["message"].startswith(f"frontrow answers at {platform.url} (HTTP 404, ")
        assert platform.faults == []
        assert all("authorization" not in seen.headers for seen in platform.seen)
        assert carillon.stop() == 0
        wrong = examined(carillon, 1)
        assert wrong["processes"][0]["mend"] == "start `carillon up`"
    gone = examined(carillon, 1)
    assert gone["platforms"][0]["message"].startswith("frontrow cannot be reached: 127.0.0.1:")
    assert "secret-of-bea" not in json.dumps([fresh, well, wrong, gone])


def test_lines_for_people_and_a_campaign_file_of_choice(tmp_path: Path) -> None:
    with StandIn() as platform, Carillon(tmp_path, {"frontrow": platform.url}, BEA_KEY="k") as carillon:
        (tmp_path / "other.yaml").write_text(FILE.replace("0 0 1 1 *", "0 0 1 13 *"))
        lines = carillon.run("doctor", "--campaigns", "other.yaml", code=1).splitlines()
        (wrong,) = (line for line in lines if line.startswith("error: "))
        assert wrong.startswith("error: campaigns: 1 error, the first: other.yaml:6:")
        assert wrong.endswith("; see `carillon check`")
        assert all(line.partition(": ")[0] in {"ok", "note", "error"} for line in lines)


@pytest.mark.parametrize("name", ["CARILLON_HTTP_TIMEOUT", "CARILLON_REDIS_URL"])
def test_a_setting_that_cannot_be_used_is_a_finding_too(tmp_path: Path, name: str) -> None:
    carillon = Carillon(
        tmp_path, {"frontrow": "http://127.0.0.1:9"}, **{"BEA_KEY": "k", name: "nonsense-with-a-secret"}
    )
    carillon.declare(FILE)
    found = examined(carillon, 1)
    assert [one["message"].partition(":")[0] for one in found["settings"] if one["status"] == "error"] == [name]
    assert found["campaigns"][0]["status"] == "ok"
    assert "nonsense" not in json.dumps(found)
