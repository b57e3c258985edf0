"""Schedulers and workers on one PostgreSQL and one Valkey, while queues vanish and processes die."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemons import Daemon, Fleet, own_postgresql, own_valkey
from running import until
from standins import Reply, Seen, StandIn, accepting

PLATFORMS = ("fanvue", "frontrow", "ofauth", "onlyfansapi")
ENDED = {"sent", "held"}


class Judge:
    """Counts what it takes, by its text, on its own side of the wire; each message gets an id of its own."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.taken: Counter[str] = Counter()
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        if seen.method != "POST":
            return accepting(seen)
        said = seen.json()
        with self._lock:
            self.taken[said["text"]] += 1
            number = sum(self.taken.values())
        time.sleep(self._seconds)
        shape = accepting(seen)
        body = {**shape.body, "id": number} if "id" in shape.body else {"data": {**shape.body["data"], "id": number}}
        if isinstance(shape.body.get("id"), str):
            body["id"] = f"m{number}"
        return Reply(shape.status, body)

    @property
    def doubles(self) -> dict[str, int]:
        return {text: count for text, count in self.taken.items() if count > 1}


def declared(creators: int, each: int, begin: datetime, over_seconds: float, on: tuple[str, ...] = PLATFORMS) -> str:
    """A file of that many creators, spread over the platforms, each with broadcasts spread over the time."""
    lines = ["version: 1", "creators:"]
    for number in range(creators):
        platform = on[number % len(on)]
        lines.append(
            f"  c{number}: {{platform: {platform}, account: a{number}, credentials: env:KEY, timezone: UTC}}"
            if platform in {"ofauth", "onlyfansapi"}
            else f"  c{number}: {{platform: {platform}, credentials: env:KEY{number}, timezone: UTC}}"
        )
    lines.append("campaigns:")
    smart = {"fanvue": "all_fans", "frontrow": "subscribers", "ofauth": "fans", "onlyfansapi": "fans"}
    for number in range(creators):
        for turn in range(each):
            at = begin + timedelta(seconds=over_seconds * (number + turn * creators) / (creators * each))
            lines.append(
                f"  t{number}-{turn}: {{creator: c{number}, text: c{number}-t{turn}, "
                f"lists: {{include: [{smart[on[number % len(on)]]}]}}, schedule: {{at: '{at:%Y-%m-%dT%H:%M:%S}Z'}}}}"
            )
    return "\n".join(lines) + "\n"


def keys(creators: int) -> dict[str, str]:
    return {"KEY": "key", **{f"KEY{number}": f"key{number}" for number in range(creators)}}


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def platform(judge: Judge) -> Iterator[StandIn]:
    with StandIn(judge) as standin:
        yield standin


def ended(fleet: Fleet, count: int, seconds: float = 90) -> list[dict[str, Any]]:
    """All of so many broadcasts, once each has come to an end."""

    def rows() -> list[dict[str, Any]]:
        found = fleet.broadcasts()
        return found if len(found) == count and {row["state"] for row in found} <= ENDED else []

    return until(rows, seconds)


def assert_kept(rows: list[dict[str, Any]], judge: Judge) -> None:
    """None taken twice; what is `sent` was taken; what was taken is `sent`, or `held` with its attempt on record."""
    assert judge.doubles == {}
    text = {row["id"]: f"{row['creator']}-t{row['campaign'].rpartition('-')[2]}" for row in rows}
    sent = {text[row["id"]] for row in rows if row["state"] == "sent"}
    held = {text[row["id"]] for row in rows if row["state"] == "held"}
    assert sent <= judge.taken.keys() <= sent | held
    in_doubt = [row for row in rows if row["state"] == "held"]
    assert all(row["attempts"] >= 1 and row["reason"].startswith("unknown_outcome") for row in in_doubt)


def test_flushed_queues_and_killed_daemons(
    tmp_path: Path, postgresql_url: str, redis_url: str, platform: StandIn, judge: Judge
) -> None:
    urls = dict.fromkeys(PLATFORMS, platform.url)
    with Fleet(tmp_path, urls, postgresql_url, redis_url, **keys(24)) as fleet:
        fleet.declare(declared(24, 3, datetime.now(UTC) + timedelta(seconds=12), 20))
        fleet.run("migrate")
        schedulers = [fleet.start("scheduler"), fleet.start("scheduler")]
        workers = [fleet.start("worker", "--processes", "1", "--threads", "4") for _ in range(2)]
        until(lambda: len(judge.taken) >= 12, 60)
        fleet.flush_queue()
        schedulers[0].kill()
        until(lambda: len(judge.taken) >= 30, 60)
        workers[0].kill()
        fleet.flush_queue()
        schedulers[0].start()
        workers[0].start()
        rows = ended(fleet, 72)
        assert [daemon.stop() for daemon in fleet.daemons] == [0, 0, 0, 0]
    assert_kept(rows, judge)
    assert sum(row["state"] == "sent" for row in rows) >= 60
    assert "Traceback" not in fleet.logs


@pytest.mark.chaos
def test_what_a_killed_worker_had_fetched_goes_at_once(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    """Its four threads are in the middle of requests, and what it holds beside them nobody else can see."""
    judge, count = Judge(1.0), 40
    with (
        StandIn(judge) as platform,
        Fleet(tmp_path, {"fanvue": platform.url}, postgresql_url, redis_url, **keys(count)) as fleet,
    ):
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
        fleet.declare(declared(count, 1, due, 0, on=("fanvue",)))
        fleet.run("migrate")
        fleet.start("scheduler")
        killed, _ = (fleet.start("worker", "--processes", "1", "--threads", "4") for _ in range(2))
        until(lambda: len(judge.taken) == 8, 30)
        assert killed.process is not None
        (process,) = psutil.Process(killed.process.pid).children()
        process.kill()
        until(lambda: len(judge.taken) == count, 60)
        assert datetime.now(UTC) - due < timedelta(seconds=12), "the sweep would need half a minute"
    assert judge.doubles == {}


@pytest.mark.chaos
def test_databases_and_queues_that_go_away_and_come_back(tmp_path: Path, platform: StandIn, judge: Judge) -> None:
    urls = dict.fromkeys(PLATFORMS, platform.url)
    with own_postgresql() as (database, postgresql), own_valkey() as (queue, valkey):
        with Fleet(tmp_path, urls, database, queue, **keys(12)) as fleet:
            fleet.declare(declared(12, 4, datetime.now(UTC) + timedelta(seconds=8), 16))
            fleet.run("migrate")
            daemons = [fleet.start("scheduler"), fleet.start("worker", "--processes", "1", "--threads", "4")]
            until(lambda: len(judge.taken) >= 10, 60)
            postgresql.stop()
            postgresql.start()
            until(lambda: len(judge.taken) >= 20, 60)
            valkey.stop()
            valkey.start()
            rows = ended(fleet, 48)
            assert [daemon.stop() for daemon in daemons] == [0, 0]
        assert_kept(rows, judge)
        assert "Traceback" not in fleet.logs


def test_a_platform_that_hangs_makes_no_other_late(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    released, came = threading.Event(), {}

    def hang(seen: Seen) -> Reply:
        released.wait(60)
        return Reply(500)

    def take(seen: Seen) -> Reply:
        if seen.method == "POST":
            came[seen.json()["text"]] = datetime.now(UTC)
        return accepting(seen)

    with StandIn(hang) as hanging, StandIn(take) as well:
        urls = {"fanvue": hanging.url, "frontrow": well.url}
        with Fleet(tmp_path, urls, postgresql_url, redis_url, **keys(60)) as fleet:
            on = ("fanvue", "fanvue", "fanvue", "frontrow")
            fleet.declare(declared(60, 1, datetime.now(UTC) + timedelta(hours=1), 0, on))
            fleet.run("migrate")
            fleet.start("scheduler")
            worker = fleet.start("worker", "--processes", "1", "--threads", "4")
            until(lambda: len(fleet.broadcasts()) == 60 and "worker is up" in worker.log, 60)
            due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
            fleet.declare(declared(60, 1, due, 0, on))
            until(lambda: len(came) == 15, 60)
            released.set()
    assert max((at - due).total_seconds() for at in came.values()) < 2  # a time-out of the other one takes 20
    assert min(came.values()) >= due


@pytest.mark.chaos
def test_schedulers_with_different_files_do_not_take_turns(
    tmp_path: Path, postgresql_url: str, redis_url: str, platform: StandIn
) -> None:
    whole = declared(4, 2, datetime.now(UTC) + timedelta(hours=1), 60)
    fewer = "\n".join(line for line in whole.splitlines() if "creator: c2" not in line and "creator: c3" not in line)
    other = tmp_path / "elsewhere" / "campaigns.yaml"
    other.parent.mkdir()
    with Fleet(tmp_path, dict.fromkeys(PLATFORMS, platform.url), postgresql_url, redis_url, **keys(4)) as fleet:
        fleet.declare(whole)
        other.write_text(fewer)
        fleet.run("migrate")
        first = fleet.start("scheduler")
        until(lambda: len(fleet.broadcasts()) == 8, 30)
        second = fleet.start("scheduler", CARILLON_CAMPAIGNS=str(other))
        until(lambda: "following the ledger" in first.log, 30)
        until(lambda: len(fleet.broadcasts(state="cancelled")) == 4, 30)
        _restart(first)
        _restart(second)
        assert "following the ledger" in first.log
        assert _events(fleet) == {"planned": 0, "cancelled": 4}


def _restart(daemon: Daemon) -> None:
    assert daemon.stop() == 0
    daemon.start()


def _events(fleet: Fleet) -> dict[str, int]:
    """How often rows went to these states."""
    from sqlalchemy import func, select

    from carillon.ledger.tables import events

    ledger = fleet.ledger
    with ledger.read() as session:
        counted = select(func.count()).where(events.c.source.is_not(None))
        return {
            state: session.scalar(counted.where(events.c.target == state)) or 0 for state in ("planned", "cancelled")
        }
