"""Image and Compose file: what their checkers say, what the containers may do, that their commands are real."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from carillon.settings import Settings, load
from deployed import COMPOSE, DEPLOY, DOCKERFILE, SERVICES, container_command, require_real, tool
from repository import ROOMS
from standins import Reply, StandIn

OURS = [name for name, service in SERVICES.items() if service["image"] == "carillon:local"]
DAEMONS = ["scheduler", "worker", "dashboard"]
HEALTH_PORT = SERVICES["worker"]["environment"]["CARILLON_HEALTH_PORT"]

each_service = pytest.mark.parametrize("name", SERVICES)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_compose_file_has_the_form_of_one() -> None:
    done = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_as_hadolint_likes_it() -> None:
    done = run(tool("hadolint"), "--no-color", str(DEPLOY / "Dockerfile"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_holds_every_room_and_its_build_sees_nothing_else() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    admitted = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert copied == set(admitted)
    assert set(ROOMS) < copied


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) >= 1000
    assert f"--uid {user}" in DOCKERFILE
    assert f"user {user}" in (DEPLOY / "compose.md").read_text()


@pytest.mark.parametrize("name", OURS)
def test_its_command_is_real(name: str) -> None:
    program, *words = container_command(name)
    assert program == "carillon"
    require_real(words)


@each_service
def test_it_may_do_nothing_that_it_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "ports", "network_mode"} & set(service)
    assert name in OURS or int(service["user"]) > 0
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@each_service
def test_it_comes_from_docker_hub_or_is_built_here(name: str) -> None:
    assert re.fullmatch(r"carillon:local|([a-z]+/)?[a-z]+:\d+", SERVICES[name]["image"])
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.13-slim"] * 2


@pytest.mark.parametrize("name", DAEMONS)
def test_each_daemon_starts_after_the_migration_and_may_end_in_peace(name: str) -> None:
    service = SERVICES[name]
    assert service.get("deploy") == (None if name == "dashboard" else {"replicas": 2})
    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert service["depends_on"]["valkey"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) > 30


def test_the_servers_keep_what_they_are_told_and_are_reached_by_ours_alone() -> None:
    assert "synchronous_commit=on" in SERVICES["postgres"]["command"]
    assert SERVICES["valkey"]["command"] == ["valkey-server", "--appendonly", "yes"]
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["volumes"][0].partition(":")[0] in COMPOSE["volumes"]
        assert SERVICES[name]["networks"] == ["servers"]
        assert SERVICES[name]["healthcheck"]["test"]
    assert COMPOSE["networks"]["servers"] == {"internal": True}


@pytest.mark.parametrize(("folder", "seeing"), [("./keys", ["worker"]), ("./hooks", ["worker", "dashboard"])])
def test_creators_secrets_are_seen_where_they_are_needed(folder: str, seeing: list[str]) -> None:
    assert [name for name in OURS if folder in [it["source"] for it in SERVICES[name]["volumes"]]] == seeing


@pytest.mark.parametrize("name", OURS)
def test_its_variables_and_secrets_are_settings(name: str) -> None:
    settings = {f"carillon_{field}" for field in Settings.model_fields}
    variables = SERVICES[name]["environment"]
    assert {variable.lower() for variable in variables} - settings == {"credentials_directory"}
    assert variables["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert set(SERVICES[name]["secrets"]) <= settings & set(COMPOSE["secrets"])
    assert "CARILLON_DATABASE_URL" not in variables


def test_a_secret_that_was_left_empty_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SERVICES["worker"]["secrets"]:
        (tmp_path / name).touch()
    (tmp_path / "carillon_database_url").write_text("postgresql://carillon:p@postgres/carillon")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.alarm_urls, settings.ping_url) == ((), None)
    assert settings.database == "postgresql+psycopg://carillon:p@postgres/carillon"


@pytest.mark.parametrize(("answer", "healthy"), [(200, True), (503, False)])
@pytest.mark.parametrize("name", DAEMONS)
def test_its_health_check_asks_whether_it_is_ready(name: str, answer: int, healthy: bool) -> None:
    kind, _, *words = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    with StandIn(lambda _: Reply(answer, {})) as service:
        assert f":{HEALTH_PORT}/" in words[-1]
        words[-1] = words[-1].replace(f":{HEALTH_PORT}/", f":{service.port}/")
        done = run(sys.executable, *words)
        assert (done.returncode == 0) is healthy
        assert [(seen.method, seen.path) for seen in service.seen] == [("GET", "/readyz")]
