"""`carillon report` agrees to the cent with what the platforms sold, each of them telling it in a way of its own."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from carillon import clock
from carillon.ledger.tables import broadcasts
from carillon.ledger.tables_results import sales, trackings
from running import Carillon, until
from signing import frontrow
from standins import Reply, Seen, StandIn, accepting

HOOK = "the secret of bea's endpoint"
KEYS = {f"{name}_KEY": f"secret-of-{name.lower()}" for name in ("ANN", "BEA", "CLEO", "CORA", "DORA")}
AT = clock.rfc3339_seconds(datetime.now(UTC) - timedelta(minutes=1))
FILE = f"""version: 1
defaults: {{timezone: UTC}}
creators:
  ann: {{platform: fanvue, credentials: env:ANN_KEY}}
  bea: {{platform: frontrow, credentials: env:BEA_KEY, webhook_secret: env:BEA_HOOK}}
  cleo: {{platform: ofauth, account: conn_guide, credentials: env:CLEO_KEY}}
  cora: {{platform: ofauth, account: conn_sdk, credentials: env:CORA_KEY}}
  dora: {{platform: onlyfansapi, account: acct_1, credentials: env:DORA_KEY}}
audiences:
  fans:
    fanvue: {{include: [subscribers]}}
    frontrow: {{include: [subscribers]}}
    ofauth: {{include: ["1"]}}
    onlyfansapi: {{include: [fans]}}
campaigns:
  ppv:
    creators: all
    lists: fans
    text: New set
    price: 9.99
    media: ["7"]
    for:
      fanvue: {{media: [5c0f7d52-0000-4000-8000-000000000007]}}
      frontrow: {{media: [med_7]}}
    labels: [ppv, "=weekly"]
    schedule: {{at: "{AT}"}}
"""
SOLD = {"ann": 3 * 999 + 1, "bea": 2 * 999 - 50, "cleo": 2997, "cora": 2 * 999, "dora": 4 * 999 - 3}
"""US cents; what cora's platform says is a price and a count only."""


class World:
    """Four platforms that sell what was sent, from the moment on in which it was."""

    def __init__(self) -> None:
        self.credits = 12_345

    def fanvue(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            return accepting(seen)
        if seen.path.startswith("/chats/mass-messages"):
            figures = {"recipientCount": 90, "viewCount": 45, "purchaseCount": 3, "totalRevenue": SOLD["ann"]}
            item = {"uuid": "5c0f7d52", "text": "New set", "status": "SENT", "createdAt": AT, "price": 999, **figures}
            return Reply(200, {"data": [item], "pagination": {"page": 1, "size": 1, "hasMore": False}})
        return Reply(404, {"message": "not here"})

    def frontrow(self, seen: Seen) -> Reply:
        return accepting(seen)

    def ofauth(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            return accepting(seen)
        guide = seen.headers["x-connection-id"] == "conn_guide"
        if seen.path.startswith("/v2/access/analytics/mass-messages/sent"):
            item = {"id": 12345, "text": "New set", "sentCount": 150, "purchasedCount": 3 if guide else 2}
            if guide:
                return Reply(200, {"list": [{**item, "totalAmount": 29.97, "createdAt": AT}], "hasMore": False})
            return Reply(200, {"items": [{**item, "date": AT, "price": "9.99", "viewedCount": 60}], "hasMore": False})
        if "/buyers" in seen.path and guide:
            return Reply(200, {"list": [{"id": n, "name": f"Fan {n}"} for n in (1, 2, 3)], "nextMarker": None})
        return Reply(404, {"error": "ROUTE_NOT_FOUND"})

    def onlyfansapi(self, seen: Seen) -> Reply:
        self.credits -= 1
        counted = {"x-ofapi-credits-used": "1", "x-ofapi-credits-balance": str(self.credits)}
        if seen.method == "POST":
            return accepting(seen)
        if seen.path == "/api/acct_1/mass-messaging":
            done = {"id": 123, "date": AT, "isDone": True, "pending": 0, "total": 80, "hasError": False}
            return Reply(200, {"data": [done], "_meta": {"_cache": {"is_cached": False}}}, counted)
        item = {"id": 123, "date": AT, "text": "<p>New set</p>", "sentCount": 80, "viewedCount": 40, "isFree": False}
        if "/engagement/messages/mass-messages" in seen.path:
            told = {"hasMore": False, "items": [{**item, "price": "9.99", "purchasedCount": 4}]}
            return Reply(200, {"data": told, "_pagination": {"next_page": None}}, counted)
        if "/engagement/messages/top-message" in seen.path:
            revenue = f"{Decimal(SOLD['dora']) / 100}"
            top = {**item, "price": "9.99", "purchasedCount": 4, "totalRevenueGenerated": revenue}
            return Reply(200, {"data": {"purchases": top}}, counted)
        return Reply(404, {"error": "not here"}, counted)


@pytest.fixture
def platforms() -> Iterator[dict[str, StandIn]]:
    world = World()
    with ExitStack() as stack:
        names = ("fanvue", "frontrow", "ofauth", "onlyfansapi")
        yield {name: stack.enter_context(StandIn(getattr(world, name))) for name in names}


@pytest.fixture
def carillon(tmp_path: Path, platforms: dict[str, StandIn]) -> Iterator[Carillon]:
    urls = {name: platform.url for name, platform in platforms.items()}
    with Carillon(tmp_path, urls, **KEYS, BEA_HOOK=HOOK, CARILLON_DASHBOARD_PORT="0") as carillon:
        carillon.declare(FILE)
        carillon.up(dashboard=True)
        carillon.wait_for_states(*["sent"] * 5)
        yield carillon


def tell(carillon: Carillon, sale: str, cents: int) -> None:
    """FrontRow's webhook of a purchase."""
    [url] = re.findall(r"dashboard[^\n]*url=(http://\S+)", carillon.log)[-1:]
    bought = {"id": sale, "amountCents": cents, "kind": "message", "source": {"massMessageId": "mm_9a3c1b04"}}
    raw = json.dumps(
        {"event": "purchase.received", "data": {"purchase": bought, "purchaser": {"id": f"fan of {sale}"}}}
    ).encode()
    headers = {"Content-Type": "application/json", **frontrow(raw, time.time(), HOOK)}
    assert httpx.post(f"{url}/webhooks/frontrow/bea", content=raw, headers=headers).status_code == 200


def let_pass(carillon: Carillon, span: timedelta) -> None:
    """As if everything had been sent so much earlier."""
    with carillon.ledger.write() as connection:
        at = carillon.ledger.now(connection) - span
        connection.execute(update(broadcasts).values(sent_at=at, state_since=at))


def count(carillon: Carillon, table: Any, *which: Any) -> int:
    with carillon.ledger.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*which)) or 0


def report(carillon: Carillon, *words: str) -> dict[str, Any]:
    return json.loads(carillon.run("report", "--json", *words))  # type: ignore[no-any-return]


def test_the_sums_agree_with_what_was_sold(carillon: Carillon, platforms: dict[str, StandIn]) -> None:
    assert report(carillon)["total"]["revenue_cents"] is None, "unknown is not zero"
    tell(carillon, "pur_1", 999)
    tell(carillon, "pur_2", 949)
    tell(carillon, "pur_1", 999)
    let_pass(carillon, timedelta(minutes=2))
    until(lambda: count(carillon, trackings, trackings.c.asked_at.is_not(None)) == 5, 30)
    until(lambda: count(carillon, sales) == 5)

    by_creator = {row["creator"]: row for row in report(carillon, "--by", "creator")["rows"]}
    assert {name: row["revenue_cents"] for name, row in by_creator.items()} == SOLD
    assert {name for name, row in by_creator.items() if row["estimated"]} == {"cora"}
    assert {name: (row["recipients"], row["views"], row["purchases"]) for name, row in by_creator.items()} == {
        "ann": (90, 45, 3),
        "bea": (847, None, 2),
        "cleo": (150, None, 3),
        "cora": (150, 60, 2),
        "dora": (80, 40, 4),
    }
    assert (by_creator["ann"]["open_rate"], by_creator["dora"]["unlock_rate"]) == (0.5, 0.05)
    assert by_creator["bea"]["unknown"] == {"recipients": 0, "views": 1, "purchases": 0, "revenue": 0}

    [one] = carillon.broadcasts(creator="dora")
    assert one["delivery"] == "done"
    shown = json.loads(carillon.run("show", one["id"], "--json"))["results"]
    assert {said["source"] for said in shown["sources"]} >= {"engagement", "top message"}
    assert all(said["at"] for said in shown["sources"])
    dora = next(row for row in json.loads(carillon.run("creators", "--json")) if row["key"] == "dora")
    assert 12_000 < dora["credits_left"] < 12_345
    assert dora["credits_used"] > 0
    for platform in platforms.values():
        assert platform.faults == []

    by_label = list(csv.DictReader(io.StringIO(carillon.run("report", "--by", "label", "--csv", "-"), newline="")))
    sold = Decimal(sum(SOLD.values())) / 100
    assert {row["label"]: Decimal(row["revenue"]) for row in by_label} == {"ppv": sold, "'=weekly": sold}
    printed = carillon.run("report", "--by", "creator", "--csv", "out.csv", "--plot", "out.png").splitlines()
    assert [line.split("\t")[0] for line in printed[5:]] == ["total", "wrote out.csv", "wrote out.png"]
    assert printed[5].split("\t")[7] == f"~${sold}"
    raw = (carillon.folder / "out.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 6
    written = {row["creator"]: row for row in csv.DictReader(io.StringIO(raw.decode(), newline=""))}
    assert {name: Decimal(row["revenue"]) * 100 for name, row in written.items()} == SOLD
    assert written["bea"]["views"] == ""
    assert (carillon.folder / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def idle(tmp_path: Path) -> Carillon:
    found = Carillon(tmp_path, {})
    found.declare("version: 1")
    return found


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--by", "moon"], 2, "none of campaign, creator, variant, label, day"),
        (["--plot", "out.jpg"], 2, "does not end with .png"),
        (["--json", "--csv", "-"], 2, "either --json or --csv -"),
        (["--since", "soon"], 2, "neither a date nor an instant"),
    ],
)
def test_a_wrong_command_line(idle: Carillon, words: list[str], code: int, said: str) -> None:
    assert said in idle.complaint("report", *words, code=code)


def test_before_the_first_start(idle: Carillon) -> None:
    found = report(idle)
    assert (found["rows"], found["total"]["broadcasts"], found["total"]["recipients"]) == ([], 0, None)
    assert idle.run("report", "--csv", "-").startswith("campaign,broadcasts,")
    assert not (idle.folder / "home").exists()
