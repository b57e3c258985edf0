"""Webhooks of OFAuth and OnlyFansAPI: each version of a signature, and what each event says of a broadcast."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from carillon.platforms.ofauth.adapter import OFAuth
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI
from carillon.platforms.parts import BadSignatureError, Hint, Webhooks
from signing import SCHEMES, SECRET, Scheme

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
WEBHOOKS: dict[str, Webhooks] = {"ofauth": OFAuth().webhooks, "onlyfansapi": OnlyFansAPI().webhooks}
OURS = [scheme for scheme in SCHEMES if scheme.platform in WEBHOOKS]
RAW = b'{"type": "connection.expired", "data": {}}'


def verify(
    scheme: Scheme, headers: dict[str, str] | list[tuple[str, str]], raw: bytes = RAW, secret: str = SECRET
) -> Any:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    return WEBHOOKS[scheme.platform].verify(pairs, raw, secret, NOW)


def signed(scheme: Scheme, seconds: float = 0, secret: str = SECRET) -> dict[str, str]:
    return scheme.sign(RAW, NOW.timestamp() + seconds, secret)


@pytest.mark.parametrize("scheme", OURS, ids=lambda scheme: scheme.name)
def test_what_is_signed_is_believed_whatever_the_case_of_its_headers(scheme: Scheme) -> None:
    headers = signed(scheme)
    key = headers.get("svix-id") or headers.get("X-OFAPI-Idempotency-Key")
    assert verify(scheme, headers) == key
    assert verify(scheme, {name.upper(): value for name, value in headers.items()} | {"X-New": "1"}) == key


@pytest.mark.parametrize("scheme", OURS, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("value", ["", "x", "é" * 64, "t=1", "v1,", "00" * 32, "a" * 63, "v1,v1,v1"])
def test_a_signature_that_is_none(scheme: Scheme, value: str) -> None:
    with pytest.raises(BadSignatureError):
        verify(scheme, signed(scheme) | {scheme.signature: value})


@pytest.mark.parametrize("scheme", OURS, ids=lambda scheme: scheme.name)
def test_what_was_altered_or_signed_by_another(scheme: Scheme) -> None:
    for raw, secret in ((RAW + b" ", SECRET), (RAW, "whsec_YW5vdGhlcg=="), (RAW, "")):
        with pytest.raises(BadSignatureError):
            verify(scheme, signed(scheme), raw, secret)
    for headers in ([], [*signed(scheme).items(), (scheme.signature.lower(), signed(scheme)[scheme.signature])]):
        with pytest.raises(BadSignatureError):
            verify(scheme, headers)


@pytest.mark.parametrize("scheme", [one for one in OURS if one.timed], ids=lambda scheme: scheme.name)
def test_what_is_late_or_early(scheme: Scheme) -> None:
    for seconds in (-300, 300):
        verify(scheme, signed(scheme, seconds))
    for seconds in (-301, 301):
        with pytest.raises(BadSignatureError):
            verify(scheme, signed(scheme, seconds))


@pytest.mark.parametrize("at", ["abc", "", "-5", "1e9", "99999999999999"])
def test_a_time_that_is_none(at: str) -> None:
    timed, svix = OURS[0], OURS[1]
    with pytest.raises(BadSignatureError):
        verify(timed, {"OFAuth-Signature": signed(timed)["OFAuth-Signature"].replace("t=1767614400", f"t={at}")})
    with pytest.raises(BadSignatureError):
        verify(svix, signed(svix) | {"svix-timestamp": at})


def test_one_of_several_signatures_of_svix_is_enough() -> None:
    svix = OURS[1]
    headers = signed(svix)
    both = headers | {"svix-signature": f"v1a,xx v1,AAAA {headers['svix-signature']} v2,YQ=="}
    assert verify(svix, both) == headers["svix-id"]
    with pytest.raises(BadSignatureError):
        verify(svix, headers | {"svix-id": "msg_other"})


def test_a_weaker_version_does_not_help_a_wrong_stronger_one() -> None:
    timed, svix, oldest = OURS[:3]
    for stronger in (timed, svix):
        headers = signed(oldest) | signed(stronger)
        verify(stronger, headers)
        with pytest.raises(BadSignatureError):
            verify(stronger, headers | {stronger.signature: signed(stronger, secret="whsec_YQ==")[stronger.signature]})


def test_the_text_that_one_version_signs_is_no_body_of_another() -> None:
    told = signed(OURS[0])["OFAuth-Signature"]
    at, _, mac = told.removeprefix("t=").partition(",v1=")
    with pytest.raises(BadSignatureError):
        verify(OURS[2], {"x-signature": mac}, at.encode() + b"." + RAW)


def test_a_secret_that_is_none_of_svix() -> None:
    with pytest.raises(BadSignatureError):
        verify(OURS[1], signed(OURS[1]), secret="whsec_no base64!")


CONNECTION = {"id": "conn_1", "status": "expired"}


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        (
            {"type": "connection.expired", "timestamp": "2026-01-05T12:00:00Z", "data": {"connection": CONNECTION}},
            [Hint("account", "connection.expired", at=NOW)],
        ),
        ({"type": "connection.updated", "timestamp": 1_767_614_400}, [Hint("account", "connection.updated", at=NOW)]),
        ({"eventType": "connection.disconnected", "live": True}, [Hint("account", "connection.disconnected")]),
        ({"type": "rules.updated"}, []),
        ({"type": "realtime.chat_message.received", "data": {"eventBody": {"id": 1}}}, []),
        ({"type": ["connection.expired"]}, []),
        ({}, []),
    ],
)
def test_what_ofauth_says(body: dict[str, Any], hints: list[Hint]) -> None:
    assert list(WEBHOOKS["ofauth"].hints(body)) == hints


@pytest.mark.parametrize(
    ("name", "body", "account"),
    [
        ("ofauth", {"data": {"connection": CONNECTION}}, "conn_1"),
        ("ofauth", {"data": {"connection": "conn_1"}}, None),
        ("ofauth", {"type": "rules.updated"}, None),
        ("onlyfansapi", {"account_id": "acct_1"}, "acct_1"),
        ("onlyfansapi", {"account_id": None}, None),
    ],
)
def test_whose_it_is(name: str, body: dict[str, Any], account: str | None) -> None:
    assert WEBHOOKS[name].account(body) == account


LINK = "<a href='https://onlyfans.com/my/chats/chat/490236887?firstId=10408879870963'>message</a>"
UNLOCKED: dict[str, Any] = {
    "id": "1000002",
    "type": "paided_message",
    "subType": "subscriber_pay_for_chat_message",
    "createdAt": "2026-01-05T12:00:00+00:00",
    "user_id": "514788334",
    "user": {"id": 490236887, "name": "Fan"},
    "replacePairs": {"{AMOUNT}": "$27.38", "{MESSAGE_LINK}": LINK, "{NAME}": "Fan"},
    "fanData": {"spending": {"total": 28.8}},
}
BOUGHT = Hint(
    "purchase",
    "messages.ppv.unlocked",
    "10408879870963",
    fan="490236887",
    amount_cents=2_738,
    sale="message:10408879870963:490236887",
    at=NOW,
)


def hints(event: str, payload: Any) -> list[Hint]:
    body = json.loads(json.dumps({"event": event, "account_id": "acct_1", "payload": payload}))
    return list(WEBHOOKS["onlyfansapi"].hints(body))


def test_a_purchase() -> None:
    assert hints("messages.ppv.unlocked", UNLOCKED) == [BOUGHT]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"user": None}, "fan", "490236887"),
        ({"replacePairs": {"{AMOUNT}": "$1,227.00"}}, "amount_cents", 122_700),
        ({"replacePairs": {"{AMOUNT}": "27 USD"}}, "amount_cents", None),
        ({"replacePairs": {}}, "amount_cents", None),
        ({"replacePairs": None}, "message_id", None),
        ({"replacePairs": None}, "sale", "1000002"),
        ({"replacePairs": None, "queueId": 2**60}, "queue_id", str(2**60)),
        ({"replacePairs": None, "user": None}, "fan", None),
        ({"createdAt": "2026-01-05 12:00:00"}, "at", None),
    ],
)
def test_each_form_of_a_purchase(change: dict[str, Any], field: str, value: object) -> None:
    (found,) = hints("messages.ppv.unlocked", UNLOCKED | change)
    assert getattr(found, field) == value


PAYMENT: dict[str, Any] = {
    "id": "e940b5fb905ba081",
    "created_at": "2026-01-05T12:00:00Z",
    "type": "message",
    "amount": 27.38,
    "net_amount": 21.9,
    "description": "Payment for message from <a href='https://onlyfans.com/u'>Fan</a>",
    "fan": {"id": "490236887"},
}


def test_one_purchase_that_two_events_tell_of_is_one_sale() -> None:
    """And a payment that names no message is told of by the other event alone."""
    assert hints("transactions.new", PAYMENT) == []
    (found,) = hints("transactions.new", PAYMENT | {"message_id": 10408879870963})
    assert (found.sale, found.message_id, found.fan) == (BOUGHT.sale, BOUGHT.message_id, BOUGHT.fan)
    assert (found.kind, found.amount_cents, found.at) == ("purchase", 2_738, NOW)
    (queued,) = hints("transactions.new", PAYMENT | {"queueId": 5})
    assert (queued.queue_id, queued.sale) == ("5", "e940b5fb905ba081")


@pytest.mark.parametrize(
    ("event", "payload", "hint"),
    [
        (
            "chat_queue.updated",
            {"id": 2**60, "isDone": False, "pending": 3, "total": 9},
            Hint("progress", "chat_queue.updated", str(2**60), recipients=9),
        ),
        (
            "chat_queue.finished",
            {"id": 1, "date": "2026-01-05T12:00:00Z", "isDone": True, "total": 9},
            Hint("progress", "chat_queue.finished", "1", delivery="done", recipients=9),
        ),
        (
            "chat_queue.finished",
            {"queue_id": "1", "sentCount": 7},
            Hint("progress", "chat_queue.finished", "1", delivery="done", recipients=7),
        ),
        (
            "chat_queue.updated",
            {"id": 1, "isCanceled": True, "total": -1},
            Hint("progress", "chat_queue.updated", "1", delivery="cancelled"),
        ),
        (
            "chat_queue.finished",
            {"id": 1, "hasError": True},
            Hint("progress", "chat_queue.finished", "1", delivery="error"),
        ),
        (
            "tips.received",
            {
                "id": "115273984711",
                "user": {"id": 310112051},
                "user_id": "518588958",
                "amountGross": 8,
                "amountNet": 6.4,
                "createdAt": "2026-01-05T12:00:00+00:00",
            },
            Hint("tip", "tips.received", fan="310112051", amount_cents=800, sale="115273984711", at=NOW),
        ),
        (
            "tips.received",
            {"id": 5, "replacePairs": {"{AMOUNT}": "$8.50"}},
            Hint("tip", "tips.received", amount_cents=850, sale="5"),
        ),
        ("messages.sent", {"id": 3, "queueId": 9, "text": "Hi"}, Hint("progress", "messages.sent", queue_id="9")),
        ("accounts.session_expired", {}, Hint("account", "accounts.session_expired")),
        ("media_uploads.completed", {"prefixed_id": "x"}, Hint("media", "media_uploads.completed")),
    ],
)
def test_each_event_of_onlyfansapi(event: str, payload: dict[str, Any], hint: Hint) -> None:
    assert hints(event, payload) == [hint]


@pytest.mark.parametrize("event", ["users.typing", "subscriptions.new", "messages.sent", "messages.deleted", "new.one"])
def test_events_that_concern_no_broadcast(event: str) -> None:
    assert hints(event, {"id": 1}) == []


NO_WORD = [{}, {"event": 7, "payload": {}}, {"event": "chat_queue.updated", "payload": [1]}]


@pytest.mark.parametrize("body", [*NO_WORD, {"event": "chat_queue.updated", "payload": {"isDone": True}}])
def test_a_body_that_says_nothing(body: dict[str, Any]) -> None:
    assert list(WEBHOOKS["onlyfansapi"].hints(body)) == []


@pytest.mark.parametrize("event", ["chat_queue.updated", "messages.ppv.unlocked", "transactions.new", "tips.received"])
def test_nothing_in_a_payload_breaks_it(event: str) -> None:
    keys = ("id", "queue", "queueId", "user", "replacePairs", "amount", "createdAt", "description", "total", "user_id")
    values: list[Any] = [None, [], {}, "x", 7, 1.5, True, {"id": []}, {"{AMOUNT}": [], "{MESSAGE_LINK}": 7}]
    for value in values:
        assert len(hints(event, dict.fromkeys(keys, value))) <= 1
