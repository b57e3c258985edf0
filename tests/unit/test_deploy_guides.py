"""The guides of deploy/: their commands are real, and what they name is there."""

import re
from pathlib import Path

import pytest
import yaml

from carillon.settings import Settings
from deployed import DEPLOY, GUIDES, SERVICES, UNITS, carillon_words, require_real, shell_commands
from repository import ROOT, blocks, files

each_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
SHAPES = ["compose.md", "one-machine.md", "scale.md"]


def test_there_is_a_guide_for_each_shape_and_one_that_names_them() -> None:
    assert [guide.name for guide in GUIDES] == sorted(["README.md", *SHAPES])
    start = (DEPLOY / "README.md").read_text()
    assert [path.name for path in files("deploy") if f"`{path.name}`" not in start] == [
        "Dockerfile.dockerignore",
        "README.md",
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_each_guide_comes_to_the_point_of_starting_and_of_looking(name: str) -> None:
    commands = [carillon_words(command) for command in shell_commands((DEPLOY / name).read_text())]
    words = {words[0] for words in commands if words}
    assert {"init", "check", "doctor", "broadcasts", "pause", "resume", "cancel"} <= words


@each_guide
def test_every_carillon_command_is_real(guide: Path) -> None:
    for command in shell_commands(guide.read_text()):
        words = carillon_words(command)
        if words is not None:
            require_real(words)


@each_guide
def test_every_unit_that_is_named_is_there(guide: Path) -> None:
    there = {re.sub(r"\.service$", "", unit.name) for unit in UNITS}
    for command in shell_commands(guide.read_text()):
        if "systemctl" in command or "journalctl" in command:
            named = [word.removesuffix(".service") for word in command if word.startswith("carillon")]
            patterns = [re.escape(re.sub(r"@(\d|\*)?$", "@", name)).replace(r"\*", ".*") for name in named]
            assert [name for name in patterns if not any(re.fullmatch(name, unit) for unit in there)] == []


@each_guide
def test_every_file_of_deploy_that_is_named_is_there(guide: Path) -> None:
    named = re.findall(r"/opt/carillon/(deploy/[\w.*@-]+)", guide.read_text())
    named += [f"deploy/{name}" for name in re.findall(r"`([\w@.-]+\.(?:md|service|yaml))`", guide.read_text())]
    assert [name for name in named if not list(ROOT.glob(name))] == []


@pytest.mark.parametrize("path", list(files("deploy")), ids=lambda path: path.name)
def test_every_variable_of_carillon_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"CARILLON_[A-Z_]+", path.read_text()))
    assert named - {f"CARILLON_{name.upper()}" for name in Settings.model_fields} == set()


def test_every_secret_of_the_table_is_a_setting() -> None:
    named = re.findall(r"secrets/(\w+)", (DEPLOY / "scale.md").read_text())
    assert named
    assert set(named) <= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("guide", "port"), [("scale.md", "9480"), ("compose.md", SERVICES["worker"]["environment"]["CARILLON_HEALTH_PORT"])]
)
def test_prometheus_is_told_where_the_health_ports_are(guide: str, port: str) -> None:
    (sample,) = (yaml.safe_load(block) for block in yaml_blocks(guide) if "scrape_configs" in block)
    (job,) = sample["scrape_configs"]
    assert job["job_name"] == "carillon"
    assert port in str(job)


def yaml_blocks(guide: str) -> list[str]:
    text = re.sub(r"^  (?=\S|  )", "", (DEPLOY / guide).read_text(), flags=re.MULTILINE)  # one stands in a list
    return blocks("yaml", text)
