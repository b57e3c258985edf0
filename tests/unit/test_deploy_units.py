"""The units: hardened, known to systemd, with real commands and no secrets; and the command beside them."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from carillon.settings import Settings
from deployed import DEPLOY, PROGRAM, UNITS, Unit, require_real, tool
from running import COMMAND

DAEMONS = [path for path in UNITS if "Type=notify" in path.read_text()]
SETTINGS = {f"CARILLON_{name.upper()}" for name in Settings.model_fields}
SECRETS = {f"CARILLON_{name}" for name in ("DATABASE_URL", "REDIS_URL", "ALARM_URLS", "PING_URL", "DASHBOARD_PASSWORD")}
GRACE_SECONDS = 30
"""What Carillon takes at most to end, see COMMANDS."""

each_unit = pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
each_daemon = pytest.mark.parametrize("path", DAEMONS, ids=lambda path: path.name)


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_COLORS": "0", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_there_is_a_unit_for_each_shape() -> None:
    names = ["carillon-migrate", "carillon-scheduler", "carillon-worker@", "carillon-dashboard", "carillon"]
    assert sorted(path.name for path in UNITS) == sorted(f"{name}.service" for name in names)
    assert set(UNITS) - set(DAEMONS) == {DEPLOY / "carillon-migrate.service"}


@each_unit
def test_systemd_rates_it_two_at_most(path: Path) -> None:
    done = run([tool("systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold=20", str(path)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@each_unit
def test_systemd_knows_every_line_of_it(path: Path, tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, COMMAND[0]))
    command = [tool("systemd-analyze"), "verify", "--man=no", str(tmp_path / path.name)]
    done = run(command, SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    assert [line for line in done.stderr.splitlines() if "carillon" in line] == []
    assert done.returncode == 0, done.stderr


def test_all_of_them_are_hardened_alike() -> None:
    (block,) = {path.read_text().partition("# What it may not do.")[2].partition("\n[Install]")[0] for path in UNITS}
    assert "NoNewPrivileges=yes" in block
    # The proof that a dead owner is dead needs the boot's number.
    assert not re.search(r"^ProcSubset=", block, re.MULTILINE)


@each_unit
def test_its_command_is_real(path: Path) -> None:
    program, *words = Unit(path).command
    assert program == PROGRAM
    require_real(words)


@each_unit
def test_its_variables_are_settings_and_none_is_a_secret(path: Path) -> None:
    given = set(Unit(path).environment)
    assert given - SETTINGS == set()
    assert given & SECRETS == set()


@each_unit
def test_secrets_are_files_of_their_settings_names(path: Path) -> None:
    given = dict(one.split(":") for one in Unit(path).all("LoadCredential"))
    assert given["carillon"] == "/etc/carillon/secrets/"
    keys = Unit(path).command[1] in {"up", "worker"}  # who sends
    hooks = Unit(path).command[1] in {"up", "dashboard"}  # who receives
    assert (given.get("key") == "/etc/carillon/keys/") is keys
    assert (given.get("hook") == "/etc/carillon/hooks/") is hooks
    assert (Unit(path).all("BindReadOnlyPaths") == ["%d:/run/carillon"]) is (keys or hooks)


@each_daemon
def test_one_that_hangs_or_dies_is_started_again(path: Path) -> None:
    unit = Unit(path)
    assert {key: unit.one(key) for key in ("NotifyAccess", "Restart", "KillMode", "WatchdogSec")} == {
        "NotifyAccess": "main",
        "Restart": "always",
        "KillMode": "mixed",
        "WatchdogSec": "60",
    }
    assert int(unit.one("TimeoutStopSec")) > GRACE_SECONDS


def test_each_daemon_of_a_machine_has_a_health_port_of_its_own() -> None:
    workers = [Unit(DEPLOY / "carillon-worker@.service", str(number)) for number in range(1, 10)]
    units = [Unit(DEPLOY / f"carillon-{name}.service") for name in ("scheduler", "dashboard")] + workers
    ports = {int(unit.environment["CARILLON_HEALTH_PORT"]) for unit in units}
    assert len(ports) == len(units)
    assert max(ports) < 2**15  # those above are for outgoing connections


@pytest.mark.parametrize("name", ["scheduler", "worker@", "dashboard"])
def test_the_database_is_brought_to_its_version_first_and_no_embedded_one_runs_beside(name: str) -> None:
    unit = Unit(DEPLOY / f"carillon-{name}.service")
    assert "carillon-migrate.service" in unit.one("Wants").split()
    assert "carillon-migrate.service" in " ".join(unit.all("After")).split()
    assert unit.one("Conflicts") == "carillon.service"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A systemd-run that writes down what it was asked for, a word a line, and ends with $CODE."""
    program = tmp_path / "systemd-run"
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {shlex.quote(str(tmp_path / 'words'))}\nexit ${{CODE:-0}}\n"
    )
    program.chmod(0o755)
    return tmp_path / "words"


def carillon(asked: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    path = f"{asked.parent}:{os.environ['PATH']}"
    return run([str(DEPLOY / "carillon"), *words], PATH=path, CODE=str(code))


def test_the_command_runs_as_the_units_do(asked: Path) -> None:
    done = carillon(asked, "cancel", "1")
    assert (done.returncode, done.stderr) == (0, "")
    words = asked.read_text().splitlines()
    given = {word.removeprefix("--property=") for word in words if word.startswith("--property=")}
    (name,) = (word.removeprefix("--unit=") for word in words if word.startswith("--unit="))
    worker = Unit(DEPLOY / "carillon-worker@.service")
    keys = ("User", "UMask", "NoNewPrivileges", "EnvironmentFile", "LoadCredential")
    places = ("StateDirectory", "StateDirectoryMode", "WorkingDirectory")
    expected = {f"{key}={value.replace('%S', '/var/lib')}" for key in (*keys, *places) for value in worker.all(key)}
    expected.add("LoadCredential=hook:/etc/carillon/hooks/")
    assert given == expected | {f"BindReadOnlyPaths=/run/credentials/{name}.service:/run/carillon"}
    assert words[words.index("--") :] == ["--", PROGRAM, "cancel", "1"]


@pytest.mark.parametrize(("code", "said"), [(1, ""), (2, ""), (200, "carillon: systemd could not start it; see ")])
def test_the_command_ends_as_it_ended_and_says_so_if_it_never_began(asked: Path, code: int, said: str) -> None:
    done = carillon(asked, "check", code=code)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert bool(done.stderr) is bool(said)


def test_the_command_hands_on_every_word_as_it_is(asked: Path) -> None:
    words = ["resolve", "7", "--reason", "it's $HOME, 100%  sure;", ""]
    carillon(asked, *words)
    handed = asked.read_text().removesuffix("\n").split("\n")
    # systemd itself makes $$ one dollar again.
    assert [word.replace("$$", "$") for word in handed[handed.index(PROGRAM) + 1 :]] == words
    assert "it's $$HOME, 100%  sure;" in handed
