"""The Compose file's very commands, in its order and number, found healthy by its own health check."""

import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployed import SERVICES
from managed import Machine, Managed, stop_all
from running import until
from standins import StandIn

SECONDS = 60.0


def is_healthy(service: str, daemon: Managed) -> bool:
    _, program, *words = SERVICES[service]["healthcheck"]["test"]
    assert program == "python"
    own = SERVICES[service]["environment"]["CARILLON_HEALTH_PORT"]
    words[-1] = words[-1].replace(f":{own}/", f":{daemon.port}/")
    return subprocess.run([sys.executable, *words], capture_output=True, timeout=SECONDS, check=False).returncode == 0


def test_all_services_together(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    machine = Machine(tmp_path)
    machine.secret(machine.secrets / "carillon_database_url", postgresql_url)
    for left_empty in ("carillon_alarm_urls", "carillon_ping_url"):
        machine.secret(machine.secrets / left_empty, "")
    machine.secret(machine.keys / "luna", "key\n")
    at = datetime.now(UTC) + timedelta(seconds=1)
    (machine.campaigns / "campaigns.yaml").write_text(f"""version: 1
creators:
  luna: {{platform: frontrow, credentials: "file:{machine.keys}/luna", timezone: UTC}}
campaigns:
  one: {{creator: luna, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at:%Y-%m-%dT%H:%M:%SZ}"}}}}
""")
    with StandIn() as platform, ExitStack() as running:
        variables = {"CARILLON_REDIS_URL": redis_url, "CARILLON_FRONTROW_URL": platform.url}
        with machine.start_container("migrate", **variables) as migration:
            assert migration.process.wait(SECONDS) == 0, migration.log
        daemons = [
            (service, running.enter_context(machine.start_container(service, **variables)))
            for service in ("scheduler", "worker")
            for _ in range(SERVICES[service]["deploy"]["replicas"])
        ]
        for service, daemon in daemons:
            until(lambda daemon=daemon: daemon.said("READY=1"), SECONDS)  # type: ignore[misc]
            until(lambda service=service, daemon=daemon: is_healthy(service, daemon), SECONDS)  # type: ignore[misc]
        until(lambda: platform.seen, SECONDS)
        grace = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
        assert stop_all([daemon for _, daemon in daemons], grace) == [0] * 4
        assert len([seen for seen in platform.seen if seen.method == "POST"]) == 1
