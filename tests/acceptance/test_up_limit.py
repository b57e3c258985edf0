"""The limit holds in any window by the platform's own clock, and a freed slot is used at once."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from os import getpid
from pathlib import Path

from machine import wait_of
from running import Carillon, until
from standins import Reply, Seen, StandIn, accepting


class Counting:
    """A platform that takes `count` broadcasts in any `seconds`, judged on arrival, and answers slowly at random.

    `taken` and `answered` are on `time.monotonic()`.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        self.taken: list[float] = []
        self.answered: list[float] = []
        self.refused = 0
        self._lock = threading.Lock()
        self._slowness = random.Random(7)

    def __call__(self, seen: Seen) -> Reply:
        if seen.method != "POST":
            return accepting(seen)
        with self._lock:
            live = [at for at in self.taken if seen.at - at < self.seconds]
            if len(live) >= self.count:
                self.refused += 1
                return Reply(429, {"error": "slow down"}, {"Retry-After": "60"})
            self.taken.append(seen.at)
            number = len(self.taken)
            slow = self._slowness.uniform(0, 0.6)
        time.sleep(slow)
        self.answered.append(time.monotonic())
        return Reply(202, {"id": f"mm_{number}", "recipientCount": 1, "queuedAt": "2026-01-01T00:00:00Z"})


def test_nine_at_once_under_three_in_eight_seconds(tmp_path: Path) -> None:
    platform = Counting(3, 8)
    with StandIn(platform) as standin, Carillon(tmp_path, {"frontrow": standin.url}, K="key") as carillon:
        at = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        campaigns = "".join(
            f"  c{n}: {{creator: bea, text: Hi {n}, lists: {{include: [subscribers]}}, schedule: {{at: '{at}'}}}}\n"
            for n in range(9)
        )
        carillon.declare(f"""version: 1
creators:
  bea: {{platform: frontrow, credentials: env:K, timezone: Europe/Berlin, limit: 3/8s}}
campaigns:
{campaigns}""")
        carillon.up()
        until(lambda: len(platform.taken) == 3)
        waiting = until(lambda: [row for row in carillon.broadcasts() if row["waiting_for"] == "limit"])
        assert all(row["not_before"] for row in waiting)
        assert carillon.process
        with wait_of(carillon.process.pid, getpid()) as wait:
            carillon.wait_for_states(*["sent"] * 9, seconds=60)
    assert platform.refused == 0
    freed = [at + platform.seconds for at in sorted(platform.answered)]
    late = [taken - slot for taken, slot in zip(platform.taken[3:], freed, strict=False)]
    assert all(0 <= seconds < 0.5 + wait.seconds for seconds in late), (late, wait)


def test_429_is_never_earlier_than_asked_and_holds_nobody_else(tmp_path: Path) -> None:
    asked: list[float] = []

    def busy(seen: Seen) -> Reply:
        if seen.method != "POST" or seen.json()["text"] != "busy":
            return accepting(seen)
        if not asked:
            asked.append(seen.at + 5)
            return Reply(429, {"error": "slow down"}, {"Retry-After": "5"})
        if len(asked) == 1:
            assert seen.at >= asked[0]
            until_then = datetime.now(UTC) + timedelta(seconds=4)
            asked.append(seen.at + 4 - until_then.microsecond / 1e6)
            return Reply(429, {"error": "still"}, {"Retry-After": format_datetime(until_then, usegmt=True)})
        assert seen.at >= asked[1]
        return accepting(seen)

    with (
        StandIn(busy) as frontrow,
        StandIn() as ofauth,
        Carillon(tmp_path, {"frontrow": frontrow.url, "ofauth": ofauth.url}, K="key") as carillon,
    ):
        at = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        later = (datetime.now(UTC) + timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        carillon.declare(f"""version: 1
defaults: {{timezone: Europe/Berlin}}
creators:
  bea: {{platform: frontrow, credentials: env:K}}
  cleo: {{platform: ofauth, account: conn_1, credentials: env:K}}
campaigns:
  a: {{creator: bea, text: busy, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
  b: {{creator: cleo, text: calm, lists: {{include: ["1"]}}, schedule: {{at: "{later}"}}}}
""")
        carillon.up()
        until(lambda: asked)
        until(lambda: carillon.broadcasts(waiting_for="cool_down"))
        assert carillon.process
        with wait_of(carillon.process.pid, getpid()) as wait:
            rows = carillon.wait_for_states("sent", "sent", seconds=60)
    assert [row["attempts"] for row in rows] == [3, 1]
    posts = [seen.at for seen in frontrow.seen if seen.method == "POST"]
    assert len(posts) == 3
    assert posts[1] - asked[0] < 0.5 + wait.seconds
    assert posts[2] - asked[1] < 1.5 + wait.seconds  # a date has whole seconds
    (calm,) = [seen.at for seen in ofauth.seen if seen.method == "POST"]
    assert calm < asked[0]
