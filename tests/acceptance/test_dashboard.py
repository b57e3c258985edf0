"""Webhooks as they come to real processes: `up`, a `dashboard` beside it, and several of them at scale."""

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, select

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import creators
from carillon.ledger.tables_media import hooks
from carillon.ledger.tables_results import sales
from daemons import Daemon, Fleet
from ledger_rows import add_creator
from running import Carillon, until
from signing import frontrow
from standins import Reply, Seen, StandIn, accepting

SECRET = "the secret of luna's endpoint"
CAMPAIGN = """version: 1
creators:
  luna: {platform: frontrow, credentials: env:K, webhook_secret: env:HOOK, timezone: UTC}
campaigns:
  drop:
    creator: luna
    lists: {include: [subscribers]}
    text: Hi
    media: [med_1]
    price: 9.99
    schedule: {at: "%s"}
"""


def purchase(number: int, message: str = "mm_77") -> bytes:
    said = {
        "id": f"pur_{number}",
        "amountCents": 999,
        "kind": "message",
        "source": {"id": "m", "massMessageId": message},
    }
    return json.dumps({"event": "purchase.received", "data": {"purchase": said, "purchaser": {"id": "f"}}}).encode()


def told(url: str, raw: bytes, secret: str = SECRET) -> int:
    headers = {"Content-Type": "application/json", **frontrow(raw, time.time(), secret)}
    return httpx.post(f"{url}/webhooks/frontrow/luna", content=raw, headers=headers).status_code


def url_in(log: str) -> str:
    [url] = re.findall(r"dashboard[^\n]*url=(http://\S+)", log)[-1:]
    return str(url)


def rows(ledger: Ledger, table: Any) -> list[Mapping[str, Any]]:
    with ledger.read() as session:
        return [row._asdict() for row in session.execute(select(table))]


def taken(ledger: Ledger, count: int) -> bool:
    found = rows(ledger, hooks)
    return len(found) == count and all(row["done_at"] for row in found)


def without_an_answer(seen: Seen) -> Reply:
    """Taken, but nobody hears of it."""
    return Reply(504, "gateway", {"Content-Type": "text/plain"}) if seen.method == "POST" else accepting(seen)


@contextmanager
def beside(carillon: Carillon) -> Iterator[Daemon]:
    """`carillon dashboard` on the same home."""
    daemon = Daemon(carillon.folder, carillon.environment, "dashboard").start()
    try:
        yield daemon
    finally:
        daemon.kill()


def test_a_purchase_tells_that_a_held_broadcast_was_sent(tmp_path: Path) -> None:
    """Through the dashboard of `up`; then through one beside it, which also takes what another left behind."""
    variables = {"K": "key", "HOOK": SECRET, "CARILLON_DASHBOARD_PORT": "0"}
    with (
        StandIn(without_an_answer) as platform,
        Carillon(tmp_path, {"frontrow": platform.url}, **variables) as carillon,
    ):
        carillon.declare(CAMPAIGN % f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        carillon.up(dashboard=True)
        [held] = carillon.wait_for_states("held")
        url = url_in(carillon.log)
        assert told(url, purchase(1), "another secret") == 401
        assert (told(url, purchase(1)), told(url, purchase(1))) == (200, 200)
        [sent] = carillon.wait_for_states("sent")
        assert (sent["id"], sent["platform_message_id"]) == (held["id"], "mm_77")
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert carillon.stop() == 0

        left_behind(carillon.ledger, purchase(2))
        with beside(carillon) as dashboard:
            until(lambda: taken(carillon.ledger, 2))
            carillon.up()
            assert told(url_in(dashboard.log), purchase(3)) == 200
            until(lambda: taken(carillon.ledger, 3))
            assert dashboard.stop() == 0
        assert [(row["broadcast_id"], row["amount_cents"]) for row in rows(carillon.ledger, sales)] == [
            (int(held["id"]), 999)
        ] * 3
        assert len([seen for seen in platform.seen if seen.method == "POST"]) == 1
        assert SECRET not in carillon.log + dashboard.log
        assert "pur_" not in carillon.log + dashboard.log


def left_behind(ledger: Ledger, raw: bytes) -> None:
    """As by a process that was killed right after it had answered."""
    now = clock.now()
    row = {"platform": "frontrow", "body_digest": "d", "body": raw.decode(), "received_at": now}
    with ledger.write() as connection:
        luna = connection.scalar(select(creators.c.id))
        connection.execute(insert(hooks).values(creator_id=luna, **row))


def test_several_at_scale_take_one_webhook_once(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    variables = {"HOOK": SECRET, "CARILLON_DASHBOARD_PORT": "0"}
    with Fleet(tmp_path, {}, postgresql_url, redis_url, **variables) as fleet:
        fleet.run("migrate")
        add_creator(fleet.ledger, webhook_secret="env:HOOK")
        urls = [url_in(fleet.start("dashboard", CARILLON_LOG="console").log) for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(told, urls * 10, [purchase(1), purchase(2)] * 10))
        assert answers == [200] * 20
        until(lambda: taken(fleet.ledger, 2))
        assert sorted(row["sale"] for row in rows(fleet.ledger, sales)) == ["pur_1", "pur_2"]
        assert [daemon.stop() for daemon in fleet.daemons] == [0, 0]


def test_a_taken_port_ends_a_dashboard_but_not_an_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_one, StandIn() as platform:
        port = taken_one.getsockname()[1]
        urls = {"frontrow": platform.url}
        with Carillon(tmp_path, urls, K="key", HOOK=SECRET, CARILLON_DASHBOARD_PORT=str(port)) as carillon:
            carillon.declare(CAMPAIGN % "2099-01-01T00:00:00Z")
            carillon.up(dashboard=True)
            assert "no dashboard and no webhooks here" in carillon.log
            words = f"127.0.0.1:{port} cannot be listened on: Address already in use"
            assert carillon.complaint("dashboard") == f"carillon: {words}; free it, or set CARILLON_DASHBOARD_PORT\n"
