"""From the sandbox's fans to the ledger, by signed webhooks over real HTTP: what was sold, to the cent."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from carillon import clock
from carillon.ledger import tracking
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from carillon.ledger.tables_media import hooks
from carillon.ledger.tables_results import sales
from carillon.platforms.roster import PLATFORMS
from console.dashboard import app
from console.receiver.endpoint import Receiver
from console.receiver.following import Following
from console.sandbox import Appetite, Sandbox
from console.web_server import WebServer
from ledger_rows import add_broadcast, add_creator, broadcast
from running import until
from sandbox_calls import SIMPLE, call, send

SECRET = "whsec_" + b64encode(b"a secret of ours").decode()
PAID: dict[str, dict[str, object]] = {
    "fanvue": {"mediaUuids": ["3ed1a000-0000-4000-8000-00000000000a"], "price": 999},
    "frontrow": {"media": ["med_a1b2c3"], "priceCents": 999},
    "onlyfansapi": {"mediaFiles": ["12345"], "price": 9.99},
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.world.backstage.appetite = Appetite(opens=1, buys=0.3, tips=0.3, seconds=0.2)
        yield running


@pytest.fixture
def url(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HOOK", SECRET)
    following = Following(ledger, "dashboard test", lambda: None)
    web = WebServer(app(Receiver(ledger, PLATFORMS, following.ring), list), "127.0.0.1", 0)
    web.open()
    web.start()
    following.start()
    yield f"{web.url}/webhooks"
    web.stop()
    following.stop()


def sold(ledger: Ledger) -> list[tuple[str, int | None, int | None]]:
    with ledger.read() as session:
        assert session.execute(select(hooks).where(hooks.c.words.startswith("not understood"))).all() == []
        rows = session.execute(select(sales).order_by(sales.c.id)).all()
        return [(row.kind, row.broadcast_id, row.amount_cents) for row in rows]


@pytest.mark.parametrize("platform", PAID)
def test_what_fans_buy_is_credited_to_the_cent(sandbox: Sandbox, url: str, ledger: Ledger, platform: str) -> None:
    account_id = sandbox.accounts[platform] if PLATFORMS[platform].limits.needs_account else None
    luna = add_creator(ledger, platform=platform, account_id=account_id, webhook_secret="env:HOOK")
    order = {"platform": platform, "url": f"{url}/{platform}/luna", "secret": SECRET}
    assert call(sandbox.control_url, "POST", "/webhooks", {}, order).json() == {"id": 1}
    assert send(sandbox, platform, SIMPLE[platform] | PAID[platform]).status < 300
    (delivery,) = sandbox.deliveries()
    id_ = add_broadcast(ledger, luna, platform=platform, state="sent", platform_message_id=delivery.message_id)
    (told,) = sandbox.world.backstage.all_reactions()
    expected = [sale.amount_cents for sale in told.sales if sale.kind == "purchase"]
    assert expected
    until(lambda: sum(kind == "purchase" for kind, _, _ in sold(ledger)) == len(expected))
    with ledger.write() as connection:  # what sold before its message's id was known is credited when it is tracked
        tracking.begin(connection, clock.now() + tracking.RIPE, 10)
    purchases = [(which, cents) for kind, which, cents in sold(ledger) if kind == "purchase"]
    assert sorted(purchases) == sorted((id_, cents) for cents in expected)
    assert {row["status"] for row in call(sandbox.control_url, "GET", "/webhooks", {}).rows()} == {200}


@pytest.mark.parametrize("variant", ["current", "svix", "oldest"])
def test_a_connection_that_ofauth_loses_is_told(sandbox: Sandbox, url: str, ledger: Ledger, variant: str) -> None:
    bea = add_creator(ledger, "bea", platform="ofauth", account_id="conn_demo", webhook_secret="env:HOOK")
    held = add_broadcast(ledger, bea, platform="ofauth", state="held", reason="unknown_outcome: no answer")
    events = ["connection.expired"]
    sandbox.hooks.subscribe("ofauth", "conn_demo", f"{url}/ofauth/bea", SECRET, events, variant)  # type: ignore[arg-type]
    call(sandbox.control_url, "POST", "/links", {}, {"platform": "ofauth", "account": "conn_demo", "linked": False})

    def alarmed() -> list[str]:
        with ledger.read() as session:
            return list(session.scalars(select(alarms.c.message)))

    until(alarmed)
    assert alarmed() == ["ofauth says of creator bea: connection.expired; connect it again there"]
    assert broadcast(ledger, held).state == "held"
