"""Webhooks as each platform signs them, in every way that its documents know."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"a secret that is one").decode()

Sign = Callable[[bytes, float | str, str], dict[str, str]]
"""Of a body, a time (or what is said in its place) and a secret: the headers."""


@dataclass(frozen=True)
class Scheme:
    """`signature` is the header that proves it; `timed` where a time is signed or told beside it."""

    name: str
    platform: str
    sign: Sign
    signature: str
    body: Mapping[str, Any]
    timed: bool = True

    def raw(self, **changes: Any) -> bytes:
        return json.dumps({**self.body, **changes}).encode()


def _mac(secret: str | bytes, signed: bytes) -> bytes:
    return hmac.digest(secret.encode() if isinstance(secret, str) else secret, signed, "sha256")


def _unix(at: float | str) -> str:
    return at if isinstance(at, str) else f"{at:.0f}"


def fanvue(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    return {"X-Fanvue-Signature": f"t={_unix(at)},v0={_mac(secret, f'{_unix(at)}.'.encode() + raw).hex()}"}


def frontrow(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    return {
        "X-FrontRow-Event": "purchase.received",
        "X-FrontRow-Delivery": f"del_{hash(raw)}",
        "X-FrontRow-Signature": f"sha256={_mac(secret, raw).hex()}",
        "X-FrontRow-Timestamp": at if isinstance(at, str) else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def ofauth(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    return {"OFAuth-Signature": f"t={_unix(at)},v1={_mac(secret, f'{_unix(at)}.'.encode() + raw).hex()}"}


def svix(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    name, key = f"msg_{hash(raw)}", base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(_mac(key, f"{name}.{_unix(at)}.".encode() + raw)).decode()
    return {"svix-id": name, "svix-timestamp": _unix(at), "svix-signature": f"v1,{signature}"}


def oldest_ofauth(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    return {"x-signature": _mac(secret, raw).hex()}


def onlyfansapi(raw: bytes, at: float | str, secret: str) -> dict[str, str]:
    return {"Signature": _mac(secret, raw).hex(), "X-OFAPI-Idempotency-Key": f"key_{hash(raw)}"}


_CONNECTION = {"type": "connection.expired", "data": {"connection": {"id": "conn_1", "status": "expired"}}}
SCHEMES = (
    Scheme(
        "fanvue",
        "fanvue",
        fanvue,
        "X-Fanvue-Signature",
        {"id": "evt_1", "type": "creator.payment.succeeded", "data": {"object": "payment"}},
    ),
    Scheme("frontrow", "frontrow", frontrow, "X-FrontRow-Signature", {"event": "tip.received", "data": {}}),
    Scheme("ofauth", "ofauth", ofauth, "OFAuth-Signature", _CONNECTION),
    Scheme("ofauth svix", "ofauth", svix, "svix-signature", _CONNECTION),
    Scheme("ofauth oldest", "ofauth", oldest_ofauth, "x-signature", _CONNECTION, timed=False),
    Scheme(
        "onlyfansapi",
        "onlyfansapi",
        onlyfansapi,
        "Signature",
        {"event": "chat_queue.updated", "account_id": "acct_1", "payload": {"id": 1}},
        timed=False,
    ),
)
