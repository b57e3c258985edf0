"""What is pinned, what is released, who may import whom, and that nothing names the machine it was made on."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from repository import ROOMS, ROOT, shown, written

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
PINS = [line for line in REQUIREMENTS.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")]

MACHINE = re.compile(
    r"py[p]i\.org|python[h]osted\.org|--(extra-)?inde[x]-url|--find-[l]inks"
    r"|(?<![\w.:/*})-])/(home|Users|root|work|farm|mnt|tmp)/"
)


def test_every_requirement_has_an_exact_version_and_hashes() -> None:
    assert [pin for pin in PINS if not re.match(r"[a-z0-9][a-z0-9._-]*==\S+ .*--hash=sha256:[0-9a-f]{64}", pin)] == []


def test_every_dependency_is_pinned() -> None:
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"], "hatchling", "editables"]
    names = {re.split(r"[\[<>=~!; ]", one)[0].lower().replace("_", "-") for one in asked}
    assert names - {pin.partition("==")[0] for pin in PINS} == set()


def test_the_version_is_the_newest_of_the_changelog() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert PROJECT["version"] in headings[1:2] or headings == ["Unreleased"]


def test_no_file_names_an_index_or_a_folder_of_some_machine() -> None:
    found = {shown(path): MACHINE.findall(path.read_text(errors="replace")) for path in written()}
    assert {name for name, names in found.items() if names} == set()


def test_imports_run_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [command, "--no-logo", "--no-cache"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_the_wheel_holds_every_room() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert tuple(packages["packages"]) == ROOMS
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(ROOMS)
