"""The units' very commands, as systemd runs them: ready, watched, sending with keys of its copying, ended in time."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from deployed import DEPLOY, Unit
from managed import WATCHED_SECONDS, Machine, Managed, stop_all
from running import until
from standins import StandIn

SECONDS = 60.0
KEY = "key-of-luna"


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with StandIn() as platform:
        yield platform


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.secret(machine.keys / "luna", f"{KEY}\n")
    return machine


def declare(machine: Machine) -> None:
    """One broadcast, due in a moment; the unit shows its credentials in /run/carillon."""
    at = datetime.now(UTC) + timedelta(seconds=1)
    (machine.campaigns / "campaigns.yaml").write_text(f"""version: 1
creators:
  luna: {{platform: frontrow, credentials: "file:{machine.credentials}/key_luna", timezone: UTC}}
campaigns:
  one: {{creator: luna, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at:%Y-%m-%dT%H:%M:%SZ}"}}}}
""")


def sent(platform: StandIn) -> list[str]:
    return [seen.headers["authorization"] for seen in platform.seen if seen.method == "POST"]


def is_well(daemon: Managed) -> bool:
    """Said to systemd in good time, and to whoever asks its port."""
    ready = until(lambda: daemon.said("READY=1"), SECONDS)
    watched = until(lambda: daemon.said("WATCHDOG=1"), SECONDS)
    assert ready is not None
    assert watched is not None
    assert watched - ready < 0.9 * WATCHED_SECONDS
    return until(lambda: is_ready(daemon), SECONDS)


def is_ready(daemon: Managed) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{daemon.port}/readyz", timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False


def end_in_time(unit: Unit, *daemons: Managed) -> bool:
    codes = stop_all(daemons, float(unit.one("TimeoutStopSec")))
    assert codes == [0] * len(daemons), [daemon.log for daemon in daemons]
    return all(daemon.said("STOPPING=1") for daemon in daemons)


def test_the_embedded_unit(machine: Machine, platform: StandIn) -> None:
    unit = Unit(DEPLOY / "carillon.service")
    declare(machine)
    with machine.start_unit(unit, CARILLON_FRONTROW_URL=platform.url) as daemon:
        until(lambda: daemon.said("READY=1"), SECONDS)
        until(lambda: sent(platform), SECONDS)
        assert is_well(daemon)
        assert end_in_time(unit, daemon)
        assert KEY not in daemon.log
    assert sent(platform) == [f"Bearer {KEY}"]
    assert (machine.state / "home" / "carillon.db").exists()


def test_the_units_of_scale(machine: Machine, platform: StandIn, postgresql_url: str, redis_url: str) -> None:
    machine.secret(machine.secrets / "database_url", postgresql_url)
    machine.secret(machine.secrets / "redis_url", redis_url)
    declare(machine)
    with machine.start_unit(Unit(DEPLOY / "carillon-migrate.service")) as migration:
        assert migration.process.wait(SECONDS) == 0, migration.log
    units = [Unit(DEPLOY / f"carillon-{name}.service") for name in ("scheduler", "worker@", "dashboard")]
    with ExitStack() as running:
        daemons = [
            running.enter_context(machine.start_unit(unit, CARILLON_FRONTROW_URL=platform.url)) for unit in units
        ]
        for daemon in daemons:
            until(lambda daemon=daemon: daemon.said("READY=1"), SECONDS)  # type: ignore[misc]
        until(lambda: sent(platform), SECONDS)
        assert [is_well(daemon) for daemon in daemons] == [True] * 3
        assert end_in_time(units[0], *daemons)
    assert sent(platform) == [f"Bearer {KEY}"]
