"""Webhooks: what proves that one comes from its platform, as one table for all of them, and what it says of broadcasts.

The signatures are made by `signing.py`, from what each platform's pages say, not with the product's own code.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import signing
from carillon.platforms.parts import BadSignatureError, Hint
from carillon.platforms.roster import PLATFORMS
from signing import SCHEMES, SECRET, Scheme

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
RAW = '{"id": "evt_1", "data": {"text": "Grüße"}, "event": "x",  "timestamp": "2026-01-05T12:00:00Z"}'.encode()
DELIVERIES = ("svix-id", "X-FrontRow-Delivery", "X-OFAPI-Idempotency-Key")

Headers = list[tuple[str, str]]


def in_base64(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    """FrontRow's digest, whose encoding is not documented."""
    headers = signing.frontrow(raw, at, secret)
    told = bytes.fromhex(headers["X-FrontRow-Signature"].removeprefix("sha256="))
    return headers | {"X-FrontRow-Signature": f"sha256={b64encode(told).decode()}"}


FANVUE, FRONTROW = (next(one for one in SCHEMES if one.name == name) for name in ("fanvue", "frontrow"))
ALL = (*SCHEMES, replace(FRONTROW, name="frontrow in base64", sign=in_base64))
every = pytest.mark.parametrize("scheme", ALL, ids=lambda scheme: scheme.name)
timed = pytest.mark.parametrize("scheme", [one for one in ALL if one.timed], ids=lambda scheme: scheme.name)


def signed(scheme: Scheme, raw: bytes = RAW, seconds: float = 0) -> Headers:
    proof = scheme.sign(raw, NOW.timestamp() + seconds, SECRET)
    return [("Host", "hooks.example"), *proof.items(), ("Accept", "*/*")]


def verify(scheme: Scheme, headers: Headers, raw: bytes = RAW, secret: str = SECRET) -> str | None:
    return PLATFORMS[scheme.platform].webhooks.verify(headers, raw, secret, NOW)


def refused(scheme: Scheme, headers: Headers, raw: bytes = RAW, secret: str = SECRET) -> None:
    with pytest.raises(BadSignatureError) as error:
        verify(scheme, headers, raw, secret)
    assert SECRET not in str(error.value)


def known_as(scheme: Scheme, headers: Headers) -> str | None:
    """What the platform calls this delivery: Fanvue in its body, others in a header, if at all."""
    return "evt_1" if scheme is FANVUE else next((value for name, value in headers if name in DELIVERIES), None)


def changed(scheme: Scheme, change: Callable[[str], str]) -> Headers:
    return [(name, change(value) if name == scheme.signature else value) for name, value in signed(scheme)]


@every
def test_what_is_signed_is_taken(scheme: Scheme) -> None:
    headers = signed(scheme)
    delivery = known_as(scheme, headers)
    assert verify(scheme, headers) == delivery
    assert verify(scheme, [(name.upper(), value) for name, value in headers]) == delivery
    assert verify(scheme, [(name.lower(), value) for name, value in headers]) == delivery


@every
def test_one_byte_altered(scheme: Scheme) -> None:
    for at in (0, len(RAW) // 2, len(RAW) - 1):
        refused(scheme, signed(scheme), RAW[:at] + bytes([RAW[at] ^ 1]) + RAW[at + 1 :])


@every
def test_written_anew(scheme: Scheme) -> None:
    """The same JSON in other bytes."""
    refused(scheme, signed(scheme), json.dumps(json.loads(RAW)).encode())
    refused(scheme, signed(scheme), RAW + b"\n")


@every
def test_another_secret_or_none(scheme: Scheme) -> None:
    refused(scheme, signed(scheme), secret="whsec_YW5vdGhlcg==")
    nobody = list(scheme.sign(RAW, NOW.timestamp(), "").items())
    refused(scheme, nobody, secret="")


@every
def test_unsigned(scheme: Scheme) -> None:
    refused(scheme, [])
    refused(scheme, [(name, value) for name, value in signed(scheme) if name != scheme.signature])
    refused(scheme, changed(scheme, lambda _: ""))


@every
def test_two_signatures(scheme: Scheme) -> None:
    """Also if both are right: which of them was checked must not be a matter of who reads."""
    headers = signed(scheme)
    again = [(name.lower(), value) for name, value in headers if name == scheme.signature]
    refused(scheme, headers + again)
    refused(scheme, [(name, "x") for name, _ in again] + headers)


ODD = [
    "é",
    "\x00",
    "=",
    ",",
    "a" * 10_000,
    "zz",
    "0",
    "t=,v0=",
    "sha256=",
    "sha256=é",
    "t=1,v0=é,v1=\udcff",
    "v1,é v1,",
]


@every
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_signatures_are_refused_and_never_an_accident(scheme: Scheme, value: str) -> None:
    refused(scheme, changed(scheme, lambda _: value))


@every
def test_a_signature_that_is_cut_or_longer(scheme: Scheme) -> None:
    refused(scheme, changed(scheme, lambda value: value[:-1]))
    refused(scheme, changed(scheme, lambda value: value[:-2]))
    refused(scheme, changed(scheme, lambda value: value + "00"))


@timed
@pytest.mark.parametrize("seconds", [-300, -1, 0, 300])
def test_five_minutes_are_let_pass(scheme: Scheme, seconds: int) -> None:
    headers = signed(scheme, seconds=seconds)
    assert verify(scheme, headers) == known_as(scheme, headers)


@timed
@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 10**9])
def test_late_or_early_by_more(scheme: Scheme, seconds: int) -> None:
    refused(scheme, signed(scheme, seconds=seconds))


@timed
@pytest.mark.parametrize("time", ["", "abc", "-5", "1e9", "+1767614400", "９", "99999999999999999999", "2026-01-05"])
def test_times_that_are_none(scheme: Scheme, time: str) -> None:
    """Signed as they are, so that nothing but the time is wrong."""
    refused(scheme, list(scheme.sign(RAW, time, SECRET).items()))


@pytest.mark.parametrize("name", ["fanvue", "ofauth", "ofauth svix"])
def test_another_time_than_was_signed(name: str) -> None:
    """FrontRow and OnlyFansAPI sign none: there only the digest of a body tells that it came before."""
    scheme = next(one for one in SCHEMES if one.name == name)
    day_old, now = (f"{NOW.timestamp() - age:.0f}" for age in (86_400, 0))
    refused(scheme, [(key, value.replace(day_old, now)) for key, value in signed(scheme, seconds=-86_400)])


def test_fanvue_says_each_thing_once() -> None:
    ((name, value),) = FANVUE.sign(RAW, NOW.timestamp(), SECRET).items()
    at = value.partition(",")[0]
    assert verify(FANVUE, [(name, f"{value},v9=new")]) == "evt_1"
    assert verify(FANVUE, [(name, value.replace(",", ", "))]) == "evt_1"
    for more in (f"{at},{value}", f"{value},v0={'0' * 64}", value.replace("v0", "v1"), value.removeprefix(f"{at},")):
        refused(FANVUE, [(name, more)])


@pytest.mark.parametrize(
    ("body", "delivery"),
    [
        ({"id": "evt_1", "type": "creator.message.sent", "data": {}}, "evt_1"),
        ({"id": 7, "data": {}}, "7"),
        ({"id": "", "data": {}}, None),
        ({"id": ["x"], "data": {}}, None),
        ({"price": 999, "routeUuid": "r"}, None),
        ([], None),
        ("x", None),
    ],
)
def test_deliveries_of_fanvue(body: Any, delivery: str | None) -> None:
    """The envelope of new carries one, the flat events of old do not; what is no JSON is the receiver's business."""
    raw = json.dumps(body).encode()
    assert verify(FANVUE, signed(FANVUE, raw), raw) == delivery
    for broken in (b"{", b"[" * 100_000, b"\xff", b""):
        assert verify(FANVUE, signed(FANVUE, broken), broken) is None


def test_deliveries_of_frontrow() -> None:
    headers = signed(FRONTROW)
    without = [one for one in headers if one[0] != "X-FrontRow-Delivery"]
    assert verify(FRONTROW, without) is None
    refused(FRONTROW, [*headers, ("X-FrontRow-Delivery", "dlv_2")])
    refused(FRONTROW, [*headers, ("X-FrontRow-Timestamp", AT)])
    refused(FRONTROW, [one for one in headers if one[0] != "X-FrontRow-Timestamp"])
    refused(FRONTROW, [(name, value.replace("sha256=", "sha1=")) for name, value in headers])


def hints(platform: str, body: Mapping[str, object]) -> list[Hint]:
    return list(PLATFORMS[platform].webhooks.hints(body))


AT = "2026-01-05T12:00:00Z"
PURCHASE = {
    "event": "purchase.received",
    "timestamp": AT,
    "data": {
        "purchase": {
            "id": "pur_1",
            "amountCents": 999,
            "kind": "message",
            "source": {"id": "msg_1", "massMessageId": "mm_9a3c1b04"},
        },
        "purchaser": {"id": "usr_1", "handle": "ana"},
        "purchasedAt": AT,
        "new": 1,
    },
}
TIP = {
    "event": "tip.received",
    "timestamp": AT,
    "data": {
        "tip": {"id": "tip_1", "amountCents": 500, "message": None, "context": "message", "contextId": "msg_1"},
        "sender": {"id": "usr_1", "handle": "ana"},
        "tippedAt": AT,
    },
}


def purchase(**change: Any) -> dict[str, Any]:
    return PURCHASE | {"data": PURCHASE["data"] | {"purchase": PURCHASE["data"]["purchase"] | change}}  # type: ignore[index,operator]


BOUGHT = {"fan": "usr_1", "amount_cents": 999, "sale": "pur_1", "at": NOW}
SAID_BY_FRONTROW: list[tuple[dict[str, Any], list[Hint]]] = [
    (PURCHASE, [Hint("purchase", "purchase.received", "mm_9a3c1b04", **BOUGHT)]),  # type: ignore[arg-type]
    (purchase(source={"massMessageId": None}), [Hint("purchase", "purchase.received", None, **BOUGHT)]),  # type: ignore[arg-type]
    (purchase(kind="post", source={"id": "post_1", "massMessageId": None}), []),
    (purchase(kind=None, source=None), []),
    (
        purchase(amountCents="999", id=None, kind=None),
        [Hint("purchase", "purchase.received", "mm_9a3c1b04", fan="usr_1", at=NOW)],
    ),
    (TIP, [Hint("tip", "tip.received", fan="usr_1", amount_cents=500, sale="tip_1", at=NOW)]),
    ({"event": "tip.received", "data": None}, [Hint("tip", "tip.received")]),
    ({"event": "purchase.received", "data": []}, []),
    ({"event": "message.received", "data": {"conversationId": "conv_1", "message": {"id": "msg_1"}}}, []),
    ({"event": "message.read", "data": {}}, []),
    ({"event": "follower.new", "data": {}}, []),
    ({"event": "subscriber.new", "data": {}}, []),
    ({"event": "new.event", "data": {"purchase": {}}}, []),
    ({"event": ["purchase.received"]}, []),
    ({}, []),
]


@pytest.mark.parametrize(("body", "found"), SAID_BY_FRONTROW)
def test_what_frontrow_says(body: dict[str, Any], found: list[Hint]) -> None:
    assert hints("frontrow", body) == found
    assert PLATFORMS["frontrow"].webhooks.account(body) is None


FLAT = {
    "routeUuid": "r-1",
    "price": 999,
    "recipientUuid": "c-1",
    "sender": {"uuid": "f-1", "handle": "ana", "displayName": "Ana", "avatarUrl": None},
    "timestamp": AT,
}
MESSAGE = {
    "message": {"uuid": "x-1", "text": "Hi", "hasMedia": False, "mediaUuids": [], "price": 999, "createdAt": AT},
    "messageUuid": "x-1",
    "sender": {"uuid": "f-1"},
    "recipientUuid": "c-1",
    "isMuted": False,
    "timestamp": AT,
}


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "type": kind,
        "timestamp": AT,
        "data": {"object": kind.split(".")[1], "uuid": "d-1", "creator": {"uuid": "c-1"}, "fan": {"uuid": "f-1"}}
        | data,
    }


PAID = "creator.payment.succeeded"
SOLD = {"fan": "f-1", "amount_cents": 999, "sale": "d-1", "at": NOW}
SAID_BY_FANVUE: list[tuple[dict[str, Any], list[Hint]]] = [
    (FLAT, [Hint("purchase", "purchase", "r-1", fan="f-1", amount_cents=999, at=NOW)]),
    (
        FLAT | {"type": "purchase.new", "new": 1},
        [Hint("purchase", "purchase.new", "r-1", fan="f-1", amount_cents=999, at=NOW)],
    ),
    (FLAT | {"routeUuid": None, "postUuid": "p-1"}, []),
    (FLAT | {"price": None, "timestamp": None}, [Hint("purchase", "purchase", "r-1", fan="f-1")]),
    ({"tipUuid": "t-1", "price": 500} | FLAT, [Hint("tip", "tip", fan="f-1", amount_cents=999, sale="t-1", at=NOW)]),
    (
        {"type": "tip.new", "price": 500, "sender": {"uuid": "f-1"}, "timestamp": AT},
        [Hint("tip", "tip.new", fan="f-1", amount_cents=500, at=NOW)],
    ),
    (MESSAGE, []),
    ({"type": "subscription.new", "price": 999, "sender": {"uuid": "f-1"}, "recipientUuid": "c-1"}, []),
    ({"type": "follow.new", "sender": {"uuid": "f-1"}}, []),
    ({"type": 7, "sender": "f-1"}, []),
    ({}, []),
    (event(PAID, source="message", message_uuid="mm-1", gross=999), [Hint("purchase", PAID, "mm-1", **SOLD)]),  # type: ignore[arg-type]
    (event(PAID, mass_message={"uuid": "mm-1"}, price=999.0), [Hint("purchase", PAID, "mm-1", **SOLD)]),  # type: ignore[arg-type]
    (event(PAID, source="message", amount={"gross": 999, "net": 800}), [Hint("purchase", PAID, None, **SOLD)]),  # type: ignore[arg-type]
    (
        event(PAID, type="message", message_uuid="mm-1", amount=999, transaction_order_id="o-1", currency="usd"),
        [Hint("purchase", PAID, "mm-1", fan="f-1", amount_cents=999, sale="o-1", at=NOW)],
    ),
    (
        event(PAID, source="message", message_uuid="mm-1", gross=999, currency="EUR"),
        [Hint("purchase", PAID, "mm-1", fan="f-1", sale="d-1", at=NOW)],
    ),
    (event(PAID, source="tip", gross=500), [Hint("tip", PAID, fan="f-1", amount_cents=500, sale="d-1", at=NOW)]),
    (event(PAID, source="subscription", gross=999), []),
    (event(PAID, source="post", post_uuid="p-1", gross=999), []),
    (event(PAID, gross=999), []),
    (event("creator.message.sent", message_uuid="x-1"), []),
    (event("creator.message.deleted", message_uuid="x-1"), []),
    (
        event("creator.message.mass_sent", mass_message_uuid="mm-1"),
        [Hint("progress", "creator.message.mass_sent", "mm-1", at=NOW)],
    ),
    (
        event("creator.mass_message.sent", recipient_count=847),
        [Hint("progress", "creator.mass_message.sent", "d-1", at=NOW, recipients=847)],
    ),
    (event("creator.message.sent", object="mass_message"), [Hint("progress", "creator.message.sent", "d-1", at=NOW)]),
    (event("creator.subscription.renewed", gross=999), []),
    (event("creator.follow.created"), []),
    (event("creator.fan.presence_changed"), []),
    ({"id": "evt_1", "data": {}}, []),
]


@pytest.mark.parametrize(("body", "found"), SAID_BY_FANVUE)
def test_what_fanvue_says(body: dict[str, Any], found: list[Hint]) -> None:
    assert hints("fanvue", body) == found


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (event("creator.follow.created"), "c-1"),
        (event("creator.follow.created", creator=None), None),
        ({"data": {"creator_uuid": "c-1"}}, "c-1"),
        (FLAT, "c-1"),
        (MESSAGE, "c-1"),
        ({}, None),
    ],
)
def test_whom_fanvue_speaks_of(body: dict[str, Any], account: str | None) -> None:
    assert PLATFORMS["fanvue"].webhooks.account(body) == account
