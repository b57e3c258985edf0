"""SIGTERM: no new claim, what is on its way is finished and recorded, exit 0; the next start carries on."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from running import Carillon, until
from standins import Reply, Seen, StandIn, accepting

CREATORS = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:K, timezone: UTC}
campaigns:
"""


def campaign(name: str, at: datetime) -> str:
    when = f'{{at: "{at:%Y-%m-%dT%H:%M:%SZ}"}}'
    return f"  {name}: {{creator: bea, text: Hi, lists: {{include: [subscribers]}}, schedule: {when}}}\n"


def test_what_is_on_its_way_is_recorded_and_the_rest_waits(tmp_path: Path) -> None:
    """The second falls due after SIGTERM, while the first is not answered yet."""
    arrived = threading.Event()

    def slow(seen: Seen) -> Reply:
        if seen.method == "POST" and not arrived.is_set():
            arrived.set()
            time.sleep(5)
            return accepting(seen)
        return Reply(202, {"id": "mm_2", "recipientCount": 1}) if seen.method == "POST" else accepting(seen)

    with StandIn(slow) as platform, Carillon(tmp_path, {"frontrow": platform.url}, K="key") as carillon:
        far = campaign("far", datetime(2099, 1, 1, tzinfo=UTC))
        carillon.declare(CREATORS + far)
        carillon.up()  # before the rest is declared: a slow start would find both of them due
        first = datetime.now(UTC) + timedelta(seconds=5)
        second = first + timedelta(seconds=3)
        carillon.declare(CREATORS + campaign("first", first) + campaign("second", second) + far)
        assert arrived.wait(30)
        assert carillon.stop() == 0
        states = [row["state"] for row in carillon.broadcasts()]
        assert states[0] == "sent"
        assert states[1] in {"planned", "queued"}
        assert len([seen for seen in platform.seen if seen.method == "POST"]) == 1
        carillon.up()
        carillon.wait_for_states("sent", "sent")


def test_what_was_queued_when_it_died_goes_at_the_next_start(tmp_path: Path) -> None:
    """Killed between hand-off and claim: the in-process queue is gone, the ledger is not."""
    from sqlalchemy import update

    from carillon.ledger.connect import Ledger
    from carillon.ledger.tables import broadcasts

    with StandIn() as platform, Carillon(tmp_path, {"frontrow": platform.url}, K="key") as carillon:
        carillon.declare(CREATORS + campaign("one", datetime.now(UTC) + timedelta(minutes=2)))
        carillon.up()
        carillon.kill()
        ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'carillon.db'}")
        now = datetime.now(UTC)
        with ledger.write() as connection:
            as_if = {"state": "queued", "waiting_for": None, "due_at": now, "hand_off_at": now + timedelta(minutes=5)}
            connection.execute(update(broadcasts).values(as_if))
        ledger.close()
        carillon.up()
        until(lambda: carillon.broadcasts(state="sent"), seconds=30)
