"""kill -9 in the middle of sixty broadcasts, again and again: none taken twice, none missing without a row."""

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from running import Carillon, until
from standins import Reply, Seen, StandIn, accepting


def test_none_is_taken_twice_and_none_is_lost(tmp_path: Path) -> None:
    draw = random.Random(11)
    taken: Counter[str] = Counter()
    lock = threading.Lock()

    def take(seen: Seen) -> Reply:
        if seen.method != "POST":
            return accepting(seen)
        with lock:
            taken[seen.json()["text"]] += 1
            number = sum(taken.values())
            slow = draw.uniform(0, 0.3)
        time.sleep(slow)
        return Reply(202, {"id": f"mm_{number}", "recipientCount": 1, "queuedAt": "2026-01-01T00:00:00Z"})

    with StandIn(take) as platform, Carillon(tmp_path, {"frontrow": platform.url}, **_keys()) as carillon:
        carillon.declare(_sixty())
        for _ in range(5):
            carillon.up()
            time.sleep(draw.uniform(0.5, 3))
            carillon.kill()
        carillon.up()
        rows = until(lambda: _all_ended(carillon), seconds=60)
        assert carillon.stop() == 0
    assert len(rows) == 60
    assert {row["state"] for row in rows} <= {"sent", "held"}
    doubles = {text: count for text, count in taken.items() if count > 1}
    assert doubles == {}
    said = {f"{row['campaign']} {row['creator']}" for row in rows if row["state"] == "sent"}
    in_doubt = {f"{row['campaign']} {row['creator']}" for row in rows if row["state"] == "held"}
    assert said <= taken.keys() <= said | in_doubt
    assert all(row["reason"].startswith("unknown_outcome") for row in rows if row["state"] == "held")


def test_a_dead_workers_broadcast_is_held_and_a_person_resolves_it(tmp_path: Path) -> None:
    arrived = threading.Event()

    def silent(seen: Seen) -> Reply:
        if seen.method == "POST" and not arrived.is_set():
            arrived.set()
            time.sleep(60)
        return accepting(seen)

    with StandIn(silent) as platform, Carillon(tmp_path, {"frontrow": platform.url}, **_keys()) as carillon:
        at = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        carillon.declare(f"""version: 1
creators:
  c0: {{platform: frontrow, credentials: env:KEY_0, timezone: Europe/Berlin}}
campaigns:
  one: {{creator: c0, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
""")
        carillon.up()
        assert arrived.wait(30)
        row = carillon.wait_for_states("sending")[0]
        carillon.run("resolve", row["id"], "--sent", "--reason", "I looked", code=1)
        carillon.kill()
        carillon.up()
        held = carillon.wait_for_states("held", seconds=5)[0]
        assert held["reason"].startswith("unknown_outcome")
        assert held in carillon.broadcasts(state="held")
        carillon.run("resolve", row["id"], "--not-sent", "--reason", "it is not in the app")
        sent = carillon.wait_for_states("sent")[0]
        assert sent["attempts"] == 2
    assert len([seen for seen in platform.seen if seen.method == "POST"]) == 2


def _keys() -> dict[str, str]:
    return {f"KEY_{n}": f"key-{n}" for n in range(12)}


def _sixty() -> str:
    start = datetime.now(UTC) + timedelta(seconds=3)
    creators = "".join(
        f"  c{n}: {{platform: frontrow, credentials: env:KEY_{n}, timezone: Europe/Berlin}}\n" for n in range(12)
    )
    campaigns = ""
    for n in range(5):
        for creator in range(12):
            at = start + timedelta(seconds=n * 3 + creator * 0.25)
            campaigns += (
                f"  k{n}-{creator}: {{creator: c{creator}, text: k{n}-{creator} c{creator}, "
                f"lists: {{include: [subscribers]}}, schedule: {{at: '{at:%Y-%m-%dT%H:%M:%SZ}'}}}}\n"
            )
    return f"version: 1\ncreators:\n{creators}campaigns:\n{campaigns}"


def _all_ended(carillon: Carillon) -> list[dict[str, Any]]:
    """Nothing while any is still on its way."""
    rows = carillon.broadcasts()
    return rows if all(row["state"] in {"sent", "held", "failed", "expired", "skipped"} for row in rows) else []
