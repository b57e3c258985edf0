"""What fans do after a broadcast shows in each platform's own figures, to the cent."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from console.sandbox import Appetite, Sandbox
from sandbox_calls import PATHS, SIMPLE, call, look, send, write

PAID: dict[str, dict[str, object]] = {
    "fanvue": {"mediaUuids": ["3ed1a000-0000-4000-8000-00000000000a"], "price": 1499},
    "frontrow": {"media": ["med_a1b2c3"], "priceCents": 1499},
    "ofauth": {"mediaItems": [12345], "price": 14.99},
    "onlyfansapi": {"mediaFiles": ["12345"], "price": 14.99},
}
SENT = "/v2/access/analytics/mass-messages"
ENGAGED = "/api/acct_demo/engagement/messages"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.world.backstage.appetite = Appetite(opens=0.8, buys=0.5, tips=0.5, seconds=0.05)
        yield running


def sold(sandbox: Sandbox, platform: str) -> dict[str, Any]:
    """One free and one paid broadcast; what the control port tells of the paid one when all is over."""
    send(sandbox, platform)
    assert send(sandbox, platform, SIMPLE[platform] | PAID[platform]).status < 300
    time.sleep(0.06)
    free, paid = call(sandbox.control_url, "GET", "/results", {}).rows()
    assert (free["purchases"], free["revenue_cents"]) == (0, 0)
    assert 0 < int(str(paid["purchases"])) < int(str(paid["views"])) < int(str(paid["recipients"]))
    assert paid["revenue_cents"] == 1499 * int(str(paid["purchases"]))
    sales = [
        row for row in call(sandbox.control_url, "GET", "/sales", {}).rows() if row["message_id"] == paid["message_id"]
    ]
    amounts = {
        kind: [int(str(row["amount_cents"])) for row in sales if row["kind"] == kind] for kind in ("purchase", "tip")
    }
    assert (sum(amounts["purchase"]), sum(amounts["tip"])) == (paid["revenue_cents"], paid["tips_cents"])
    return paid


def test_fanvue(sandbox: Sandbox) -> None:
    paid = sold(sandbox, "fanvue")
    row: Any = look(sandbox, "fanvue", PATHS["fanvue"]).json()["data"]
    shown = row[0]
    assert (shown["viewCount"], shown["purchaseCount"], shown["totalRevenue"], shown["uuid"]) == (
        paid["views"],
        paid["purchases"],
        paid["revenue_cents"],
        paid["message_id"],
    )
    gross, cursor = 0, "0"
    while cursor is not None:
        page: Any = look(sandbox, "fanvue", f"/insights/earnings?source=message&size=5&cursor={cursor}").json()
        gross, cursor = gross + sum(one["gross"] for one in page["data"]), page["nextCursor"]
    assert gross == paid["revenue_cents"]
    assert look(sandbox, "fanvue", "/insights/earnings?source=lottery").status == 400
    none: Any = look(sandbox, "fanvue", "/insights/earnings?startDate=2099-01-01").json()
    assert none == {"data": [], "nextCursor": None}


def test_ofauth(sandbox: Sandbox) -> None:
    paid = sold(sandbox, "ofauth")
    shown: Any = look(sandbox, "ofauth", f"{SENT}/sent").json()["list"][0]  # type: ignore[index]
    cents = int(Decimal(str(shown["totalAmount"])) * 100)
    assert (shown["viewedCount"], shown["purchasedCount"], cents) == (
        paid["views"],
        paid["purchases"],
        paid["revenue_cents"],
    )
    purchased: Any = look(sandbox, "ofauth", f"{SENT}/purchased").json()
    assert ([row["id"] for row in purchased["items"]], purchased["hasMore"]) == ([shown["id"]], False)
    chart: Any = look(sandbox, "ofauth", f"{SENT}/chart").json()
    assert (chart["group_messages"]["total"], chart["group_messages_purchases"]["total"]) == (2, paid["purchases"])
    amounts: list[float] = []
    marker = 0
    while marker is not None:
        page: Any = look(sandbox, "ofauth", f"{SENT}/{shown['id']}/buyers?limit=4&marker={marker}").json()
        amounts, marker = amounts + [row["amount"] for row in page["list"]], page["nextMarker"]
    assert sum(Decimal(str(amount)) for amount in amounts) * 100 == paid["revenue_cents"]
    assert look(sandbox, "ofauth", f"{SENT}/1/buyers").status == 404


def test_onlyfansapi(sandbox: Sandbox) -> None:
    paid = sold(sandbox, "onlyfansapi")
    overview: Any = look(sandbox, "onlyfansapi", f"{PATHS['onlyfansapi']}/overview").json()["data"]
    shown = overview["items"][0]
    assert (shown["viewedCount"], shown["sentCount"], "price" in shown) == (paid["views"], paid["recipients"], False)
    engaged: Any = look(sandbox, "onlyfansapi", f"{ENGAGED}/mass-messages").json()["data"]["items"][0]  # type: ignore[index]
    assert (engaged["price"], engaged["purchasedCount"]) == ("14.99", paid["purchases"])
    top: Any = look(sandbox, "onlyfansapi", f"{ENGAGED}/top-message").json()["data"]["purchases"]  # type: ignore[index]
    assert int(Decimal(top["totalRevenueGenerated"]) * 100) == paid["revenue_cents"]
    buyers: Any = look(sandbox, "onlyfansapi", f"{ENGAGED}/{top['id']}/buyers?limit=100").json()["data"]
    assert len(buyers["list"]) == paid["purchases"]
    assert "amount" not in buyers["list"][0]
    chart: Any = look(sandbox, "onlyfansapi", f"{ENGAGED}/mass-messages/chart").json()["data"]
    assert chart["group_messages_purchases"]["total"] == paid["purchases"]


def test_frontrow_and_what_is_over_with_an_unsent_one(sandbox: Sandbox) -> None:
    sold(sandbox, "frontrow")
    sandbox.world.backstage.appetite = Appetite(opens=1, buys=1, seconds=60)
    send(sandbox, "fanvue", SIMPLE["fanvue"] | PAID["fanvue"])
    message_id = sandbox.deliveries()[-1].message_id
    assert write(sandbox, "fanvue", "DELETE", f"{PATHS['fanvue']}/{message_id}").status == 204
    told = sandbox.world.backstage.all_reactions()[-1]
    assert len(told.sales) > 0
    assert told.told(time.time() + 100) == []


def test_a_page_of_onlyfansapis_overview_ends_before_the_next(sandbox: Sandbox) -> None:
    for at in range(4):
        send(sandbox, "onlyfansapi", SIMPLE["onlyfansapi"] | {"text": f"Number {at}"})
        sandbox.account("onlyfansapi").taken[-1].arrived_at = 1_800_000_000 + at
    path, seen = f"{PATHS['onlyfansapi']}/overview?limit=3", []
    while path:
        page: Any = look(sandbox, "onlyfansapi", path).json()
        seen += [row["rawText"] for row in page["data"]["items"]]
        path = (page["_pagination"]["next_page"] or "").removeprefix(sandbox.urls["onlyfansapi"])
    assert seen == ["Number 3", "Number 2", "Number 1", "Number 0"]


def test_credits_are_counted_down(sandbox: Sandbox) -> None:
    assert call(sandbox.control_url, "POST", "/credits", {}, {"balance": 10}).status == 200
    first, second = send(sandbox, "onlyfansapi"), look(sandbox, "onlyfansapi", PATHS["onlyfansapi"])
    assert [reply.headers["x-ofapi-credits-balance"] for reply in (first, second)] == ["9", "8"]
    meta: Any = second.json()["_meta"]
    assert meta["_credits"] == {"used": 1, "balance": 8, "note": "Always"}


def test_the_story_is_the_same_each_time() -> None:
    stories = []
    for seed in (1, 1, 2):
        with Sandbox(seed=seed) as running:
            send(running, "fanvue", SIMPLE["fanvue"] | PAID["fanvue"])
            (told,) = running.world.backstage.all_reactions()
            stories.append([(sale.fan, sale.kind, sale.amount_cents) for sale in told.sales])
    assert stories[0] == stories[1] != stories[2]
