"""How schedulers and workers start, refuse to, stop, die and come back."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest

from daemons import Daemon, Fleet
from running import until
from standins import Reply, Seen, StandIn, accepting

HEAD = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:KEY, timezone: UTC}
campaigns:
"""


def due_in(seconds: float, count: int = 1) -> str:
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return HEAD + "".join(
        f"  one{n}: {{creator: bea, text: Hi {n}, lists: {{include: [subscribers]}}, schedule: {{at: '{at}'}}}}\n"
        for n in range(count)
    )


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def fleet(tmp_path: Path, postgresql_url: str, redis_url: str, platform: StandIn) -> Iterator[Fleet]:
    with Fleet(tmp_path, {"frontrow": platform.url}, postgresql_url, redis_url, KEY="key", KEY2="another") as fleet:
        fleet.declare(due_in(3600))
        yield fleet


@pytest.mark.parametrize("daemon", ["scheduler", "worker"])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"CARILLON_DATABASE_URL": ""}, "CARILLON_DATABASE_URL"),
        ({"CARILLON_REDIS_URL": ""}, "CARILLON_REDIS_URL"),
        ({"CARILLON_REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}, "CARILLON_REDIS_URL"),
        ({"CARILLON_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}, "cannot use the database"),
        ({}, "carillon migrate"),
    ],
    ids=["no database", "no queue", "no Redis there", "no PostgreSQL there", "not migrated"],
)
def test_what_a_daemon_needs_is_told_in_one_line(
    fleet: Fleet, daemon: str, missing: dict[str, str], words: str
) -> None:
    fleet.environment |= missing
    said = fleet.complaint(daemon)
    assert words in said
    assert "hunter2" not in said
    assert said.count("\n") == 1


def children(daemon: Daemon) -> list[psutil.Process]:
    assert daemon.process is not None
    return psutil.Process(daemon.process.pid).children()


def test_a_killed_process_of_a_worker_is_replaced_and_a_killed_worker_leaves_none(fleet: Fleet) -> None:
    fleet.run("migrate")
    worker = fleet.start("worker", "--processes", "2", "--threads", "1")
    before = children(worker)
    assert len(before) == 2
    before[0].kill()
    until(lambda: len(children(worker)) == 2 and before[0] not in children(worker))
    left = children(worker)
    worker.kill()
    until(lambda: not any(process.is_running() for process in left), 30)


def test_what_is_on_its_way_is_recorded_before_a_worker_ends(fleet: Fleet, platform: StandIn) -> None:
    arrived, released = threading.Event(), threading.Event()

    def slow(seen: Seen) -> Reply:
        if seen.method == "POST":
            arrived.set()
            released.wait(20)
        return accepting(seen)

    platform.answer = slow
    fleet.run("migrate")
    scheduler = fleet.start("scheduler")
    worker = fleet.start("worker", "--processes", "1", "--threads", "1")
    fleet.declare(due_in(2, count=3))
    assert arrived.wait(30)
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log)
    released.set()
    assert worker.process.wait(30) == 0
    assert scheduler.stop() == 0
    states = sorted(row["state"] for row in fleet.broadcasts() if row["state"] != "cancelled")
    assert states == ["queued", "queued", "sent"]


def test_one_database_and_one_redis_but_two_processes_with_one_health_port(fleet: Fleet) -> None:
    fleet.run("migrate")
    port = str(_free_port())
    first = fleet.start("scheduler", CARILLON_HEALTH_PORT=port)
    second = fleet.start("scheduler", CARILLON_HEALTH_PORT=port)
    assert f"{port}" in second.log
    assert "warning" in second.log
    assert _get(port, "/readyz")[0] == 200
    assert first.stop() == second.stop() == 0


def test_a_worker_answers_for_its_processes(fleet: Fleet, platform: StandIn) -> None:
    fleet.run("migrate")
    port = str(_free_port())
    fleet.start("scheduler")
    worker = fleet.start("worker", "--processes", "2", "--threads", "1", CARILLON_HEALTH_PORT=port)
    until(lambda: _get(port, "/readyz")[0] == 200, 30)
    fleet.declare(due_in(1, count=4))
    until(lambda: len(fleet.broadcasts(state="sent")) == 4, 30)
    until(lambda: _sample(port, 'carillon_attempts_total{platform="frontrow",verdict="accepted"}') == 4)
    assert _sample(port, 'carillon_lateness_seconds_count{platform="frontrow"}') == 4
    os.kill(children(worker)[0].pid, signal.SIGKILL)
    until(lambda: "takes its place" in worker.log)
    until(lambda: _get(port, "/readyz")[0] == 200, 30)
    assert _sample(port, 'carillon_attempts_total{platform="frontrow",verdict="accepted"}') == 4


FIVE = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:KEY, timezone: UTC}
  cat: {platform: frontrow, credentials: env:KEY2, timezone: UTC}
campaigns:
"""
ANSWERS = {"refuse": Reply(400, {"message": "no"}), "break": Reply(500, {"message": "oh"})}


def test_metrics_and_alarms_tell_the_truth_of_a_run(fleet: Fleet, platform: StandIn) -> None:
    patience = [Reply(429, {"message": "slow down"}, {"Retry-After": "1"})]

    def answer(seen: Seen) -> Reply:
        text = seen.json()["text"] if seen.method == "POST" else ""
        if text == "later" and patience:
            return patience.pop()
        return ANSWERS.get(text) or accepting(seen)

    platform.answer = answer
    at = (datetime.now(UTC) + timedelta(seconds=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fleet.declare(
        FIVE + "".join(_said(text, "bea", at) for text in ("refuse", "break", "fine")) + _said("later", "cat", at)
    )
    fleet.run("migrate")
    with StandIn(lambda _: Reply(200)) as people:
        fleet.environment |= {"CARILLON_ALARM_URLS": f"json://127.0.0.1:{people.port}/alarms"}
        ports = [str(_free_port()), str(_free_port())]
        fleet.start("scheduler", CARILLON_HEALTH_PORT=ports[0])
        fleet.start("scheduler")
        fleet.start("worker", "--processes", "1", "--threads", "2", CARILLON_HEALTH_PORT=ports[1])
        until(lambda: {row["state"] for row in fleet.broadcasts()} == {"sent", "failed", "held"}, 60)
        ids = {row["campaign"]: row["id"] for row in fleet.broadcasts()}
        until(lambda: _told(people, ids["refuse"]) and _told(people, ids["break"]), 90)
        assert [fleet.daemons[n].stop() for n in (1,)] == [0]
        for state, reason, count in (("sent", "", 2), ("failed", "refused", 1), ("held", "unknown_outcome", 1)):
            series = f'carillon_broadcasts{{platform="frontrow",reason="{reason}",state="{state}"}}'
            until(lambda series=series, count=count: _sample(ports[0], series) == count, 30)  # type: ignore[misc]
        attempts = {
            verdict: _sample(ports[1], f'carillon_attempts_total{{platform="frontrow",verdict="{verdict}"}}')
            for verdict in ("accepted", "refused", "unknown", "throttled")
        }
        assert attempts == {"accepted": 2, "refused": 1, "unknown": 1, "throttled": 1}
        assert _sample(ports[1], 'carillon_throttled_total{platform="frontrow"}') == 1
        assert _told(people, ids["refuse"]) == _told(people, ids["break"]) == 1
        assert _told(people, ids["fine"]) == _told(people, ids["later"]) == 0


def _said(text: str, creator: str, at: str) -> str:
    return (
        f"  {text}: {{creator: {creator}, text: {text}, lists: {{include: [subscribers]}}, schedule: {{at: '{at}'}}}}\n"
    )


def _told(people: StandIn, broadcast_id: str) -> int:
    """In how many lines of the messages to people this broadcast is named."""
    lines = [line for seen in people.seen for line in seen.json()["message"].splitlines()]
    return sum(f"broadcast {broadcast_id} of" in line for line in lines)


def _get(port: str, path: str) -> tuple[int, dict[str, object]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def _sample(port: str, name: str) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
