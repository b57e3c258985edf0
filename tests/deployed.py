"""What deploy/ hands to a machine, read as data: units, containers, guides, and the commands in all of them."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from console.cli import app
from repository import ROOT, blocks

DEPLOY = ROOT / "deploy"
PROGRAM = "/opt/carillon/.venv/bin/carillon"
UNITS = sorted(DEPLOY.glob("*.service"))
GUIDES = sorted(DEPLOY.glob("*.md"))
COMPOSE: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()

_BETWEEN_COMMANDS = frozenset({"&", "&&", "|", "||", ";", "(", ")"})
_INLINE = re.compile(r"`((?:sudo )?(?:carillon|docker compose|systemctl|journalctl) [^`]+)`")


@dataclass(frozen=True)
class Unit:
    """One unit file; `instance` takes the place of %i."""

    path: Path
    instance: str = "1"

    def all(self, key: str) -> list[str]:
        lines = self.path.read_text().replace("%i", self.instance).splitlines()
        return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]

    def one(self, key: str) -> str:
        (value,) = self.all(key)
        return value

    @property
    def command(self) -> list[str]:
        return shlex.split(self.one("ExecStart"))

    @property
    def environment(self) -> dict[str, str]:
        """Its own variables, then those of deploy/environment, as systemd reads both."""
        assert self.all("EnvironmentFile") == ["/etc/carillon/environment"]
        file = (DEPLOY / "environment").read_text().splitlines()
        given = [line for line in file if line and not line.startswith("#")]
        words = [word for value in self.all("Environment") for word in shlex.split(value)]
        return dict(one.split("=", 1) for one in (*words, *given))


def tool(name: str) -> str:
    """A program that checks files of others; without it a test fails in CI, and is skipped at home."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None and os.environ.get("CI"):
        pytest.fail(f"no {name} for the tests")
    return found or pytest.skip(f"no {name} for the tests")


def container_command(service: str) -> list[str]:
    """What runs in a container of ours: the image's entry point with the service's words."""
    (entry,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)
    return [entry, *SERVICES[service]["command"]]


def require_real(words: Sequence[str]) -> None:
    """Fails unless `carillon` takes these words; runs nothing."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *rest = words
    with group.make_context("carillon", list(words)) as context:
        command = group.get_command(context, name)
        assert command is not None, f"carillon has no command {name}"
        command.make_context(name, rest, parent=context).close()


def shell_commands(text: str) -> Iterator[list[str]]:
    """Every command of a guide's shell blocks, and those of ours within its sentences, as words."""
    for script in (*blocks("sh", text), *_INLINE.findall(text)):
        for line in script.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            command: list[str] = []
            for word in (*lexer, ";"):
                if word in _BETWEEN_COMMANDS:
                    yield from [command] if command else []
                    command = []
                else:
                    command.append(word)


def carillon_words(command: Sequence[str]) -> list[str] | None:
    """What this command hands to `carillon`, None if it is about something else."""
    words = list(command)
    while words and (words[0] == "sudo" or re.match(r"[A-Z_]+=", words[0])):
        del words[0]
    if words[:2] == ["docker", "compose"] and words[2:3] in (["run"], ["exec"]):
        runs = words[2] == "run"
        del words[:3]
        while words[0].startswith("-"):
            del words[0]
        service = words.pop(0)
        assert service in SERVICES, f"{service} is no service of the Compose file"
        return (words or SERVICES[service]["command"]) if runs else carillon_words(words)
    if words[:2] == ["docker", "run"]:
        assert "carillon:local" in words
        return words[words.index("carillon:local") + 1 :]
    return words[1:] if words and words[0] in {"carillon", PROGRAM} else None
