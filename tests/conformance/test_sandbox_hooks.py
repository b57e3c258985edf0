"""Webhooks as the sandbox delivers them: signed as each platform does, tried again, logged, delivered once more."""

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from console.sandbox import Appetite, Sandbox
from sandbox_calls import PATHS, SIMPLE, call, send, write

SECRET = "whsec_" + b64encode(b"a secret of ours").decode()
PAID: dict[str, dict[str, object]] = {
    "fanvue": {"mediaUuids": ["3ed1a000-0000-4000-8000-00000000000a"], "price": 999},
    "frontrow": {"media": ["med_a1b2c3"], "priceCents": 999},
    "onlyfansapi": {"mediaFiles": ["12345"], "price": 9.99},
}


class Ear:
    """Keeps what it is told; answers with these statuses first, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.heard: list[tuple[Mapping[str, str], bytes]] = []
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805
                raw = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.heard.append(({name.lower(): value for name, value in handler.headers.items()}, raw))
                handler.send_response(left.pop(0) if left else 200)
                handler.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, condition: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        end = time.monotonic() + 5
        while not condition(self.bodies()) and time.monotonic() < end:
            time.sleep(0.01)
        assert condition(self.bodies())
        return self.bodies()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(raw) for _, raw in list(self.heard)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.world.backstage.appetite = Appetite(opens=1, buys=0.3, tips=0.3, seconds=0.2)
        yield running


@pytest.fixture
def ear() -> Iterator[Ear]:
    listening = Ear()
    yield listening
    listening.close()


def digest(raw: bytes, key: bytes | None = None) -> str:
    return hmac.digest(SECRET.encode() if key is None else key, raw, "sha256").hex()


def signed_well(platform: str, headers: Mapping[str, str], raw: bytes) -> bool:
    if platform == "fanvue":
        at, told = (part.partition("=")[2] for part in headers["x-fanvue-signature"].split(","))
        return abs(int(at) - time.time()) < 60 and told == digest(at.encode() + b"." + raw)
    if platform == "frontrow":
        return headers["x-frontrow-signature"] == f"sha256={digest(raw)}"
    return headers["signature"] == digest(raw)


def sums(platform: str, bodies: list[dict[str, Any]]) -> int:
    """Cents of the purchases that the bodies tell of."""
    if platform == "fanvue":
        return sum(
            body["data"]["amount"]
            for body in bodies
            if body["type"] == "creator.payment.succeeded" and body["data"]["source"] == "message"
        )
    if platform == "frontrow":
        return sum(body["data"]["purchase"]["amountCents"] for body in bodies if body["event"] == "purchase.received")
    words = [body["payload"]["replacePairs"]["{AMOUNT}"] for body in bodies if body["event"] == "messages.ppv.unlocked"]
    return sum(round(float(word.removeprefix("$")) * 100) for word in words)


@pytest.mark.parametrize("platform", PAID)
def test_every_purchase_is_told_signed_and_to_the_cent(sandbox: Sandbox, ear: Ear, platform: str) -> None:
    order = {"platform": platform, "url": ear.url, "secret": SECRET}
    assert call(sandbox.control_url, "POST", "/webhooks", {}, order).json() == {"id": 1}
    assert send(sandbox, platform, SIMPLE[platform] | PAID[platform]).status < 300
    (told,) = sandbox.world.backstage.all_reactions()
    expected = sum(sale.amount_cents for sale in told.sales if sale.kind == "purchase")
    assert expected > 0
    ear.wait(lambda bodies: sums(platform, bodies) == expected)
    assert all(signed_well(platform, headers, raw) for headers, raw in ear.heard)
    assert {row["status"] for row in call(sandbox.control_url, "GET", "/webhooks", {}).rows()} == {200}
    (result,) = call(sandbox.control_url, "GET", "/results", {}).rows()
    assert result["revenue_cents"] == expected


def test_onlyfansapi_tells_how_far_it_is_and_names_message_and_fan(sandbox: Sandbox, ear: Ear) -> None:
    sandbox.hooks.subscribe("onlyfansapi", "acct_demo", ear.url, SECRET)
    send(sandbox, "onlyfansapi", SIMPLE["onlyfansapi"] | PAID["onlyfansapi"])
    bodies = ear.wait(lambda bodies: any(body["event"] == "chat_queue.finished" for body in bodies))
    (delivery,) = sandbox.deliveries()
    begun = next(body["payload"] for body in bodies if body["event"] == "chat_queue.updated")
    assert (begun["pending"], begun["total"]) == (len(delivery.recipients),) * 2
    unlocked = next(body["payload"] for body in bodies if body["event"] == "messages.ppv.unlocked")
    assert f"firstId={delivery.message_id}" in unlocked["replacePairs"]["{MESSAGE_LINK}"]
    assert str(unlocked["user"]["id"]) in delivery.recipients
    assert {body["account_id"] for body in bodies} == {"acct_demo"}
    assert len({headers["x-ofapi-idempotency-key"] for headers, _ in ear.heard}) == len(ear.heard)


@pytest.mark.parametrize(
    ("variant", "header"), [("current", "ofauth-signature"), ("svix", "svix-id"), ("oldest", "x-signature")]
)
def test_ofauth_tells_of_lost_logins_in_each_of_its_ways(sandbox: Sandbox, ear: Ear, variant: Any, header: str) -> None:
    sandbox.hooks.subscribe("ofauth", "conn_demo", ear.url, SECRET, ["connection.expired"], variant)
    order = {"platform": "ofauth", "account": "conn_demo", "linked": False}
    assert call(sandbox.control_url, "POST", "/links", {}, order).status == 200
    (body,) = ear.wait(lambda bodies: len(bodies) == 1)
    assert body["data"]["connection"] == {"id": "conn_demo", "status": "expired"}
    ((headers, raw),) = ear.heard
    assert header in headers
    if variant == "current":
        at, told = (part.partition("=")[2] for part in headers[header].split(","))
        assert told == digest(at.encode() + b"." + raw)
    elif variant == "svix":
        signed = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + raw
        expected = digest(signed, b64decode(SECRET.removeprefix("whsec_")))
        assert b64decode(headers["svix-signature"].removeprefix("v1,")).hex() == expected
    else:
        assert headers[header] == digest(raw)
    assert send(sandbox, "ofauth").json()["type"] == "SESSION_EXPIRED"


def test_what_is_not_taken_comes_again_and_can_be_asked_for_once_more(sandbox: Sandbox) -> None:
    ear = Ear(500, 404)
    sandbox.hooks.subscribe("onlyfansapi", "acct_demo", ear.url, SECRET, ["chat_queue.updated"])
    send(sandbox, "onlyfansapi")
    ear.wait(lambda bodies: len(bodies) == 3)
    assert call(sandbox.control_url, "POST", "/redeliveries", {}, {"delivery": 1}).status == 200
    ear.wait(lambda bodies: len(bodies) == 4)
    assert len({raw for _, raw in ear.heard}) == len({one["x-ofapi-idempotency-key"] for one, _ in ear.heard}) == 1
    assert [one.get("x-ofapi-redelivery-of") for one, _ in ear.heard] == [None, None, None, "1"]
    assert [(one.attempt, one.status) for one in sandbox.hooks.log()][:3] == [(1, 500), (2, 404), (3, 200)]
    assert call(sandbox.control_url, "POST", "/redeliveries", {}, {"delivery": 9}).status == 404
    ear.close()


def test_what_is_unsent_is_bought_no_more_and_an_account_hears_its_own_alone(sandbox: Sandbox, ear: Ear) -> None:
    sandbox.world.backstage.appetite = Appetite(opens=1, buys=1, tips=0, seconds=60)
    sandbox.hooks.subscribe("frontrow", "usr_demo_two", ear.url, SECRET)
    sandbox.hooks.subscribe("onlyfansapi", "acct_demo", ear.url, SECRET, ["messages.ppv.unlocked"])
    send(sandbox, "onlyfansapi", SIMPLE["onlyfansapi"] | PAID["onlyfansapi"])
    write(sandbox, "onlyfansapi", "DELETE", f"{PATHS['onlyfansapi']}/{sandbox.deliveries()[0].message_id}")
    told = sandbox.world.backstage.all_reactions()[0]
    assert [sale for sale in told.sales if told.has(sale)] == sandbox.sales() == []
    sandbox.world.backstage.appetite = Appetite(opens=1, buys=1, seconds=0.1)
    send(sandbox, "frontrow", SIMPLE["frontrow"] | PAID["frontrow"])
    time.sleep(0.15)
    assert ear.heard == []


def test_fanvues_events_of_old(sandbox: Sandbox, ear: Ear) -> None:
    sandbox.hooks.subscribe("fanvue", sandbox.accounts["fanvue"], ear.url, SECRET, ["purchase.new"], "legacy")
    send(sandbox, "fanvue", SIMPLE["fanvue"] | PAID["fanvue"])
    body = ear.wait(bool)[0]
    assert (body["routeUuid"], body["price"]) == (sandbox.deliveries()[0].message_id, 999)
    assert body["sender"]["uuid"] in sandbox.deliveries()[0].recipients
