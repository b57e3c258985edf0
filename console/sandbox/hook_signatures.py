"""How each platform signs what it sends; of OFAuth's three ways the one that the subscription asks for."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime


def headers(
    platform: str, variant: str, secret: str, delivery: str, event: str, raw: bytes, at: float
) -> Mapping[str, str]:
    """`delivery` is the platform's own id of it, where it has one; `at` is the time of this attempt."""
    second = str(int(at))
    if platform == "fanvue":
        return {"X-Fanvue-Signature": f"t={second},v0={_hex(secret, f'{second}.'.encode() + raw)}"}
    if platform == "frontrow":
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        signed = {"X-FrontRow-Signature": f"sha256={_hex(secret, raw)}", "X-FrontRow-Timestamp": stamp}
        return {**signed, "X-FrontRow-Event": event, "X-FrontRow-Delivery": delivery}
    if platform == "onlyfansapi":
        sender = {"User-Agent": "OnlyFansAPI.com/Webhook-Client"}
        return {**sender, "Signature": _hex(secret, raw), "X-OFAPI-Idempotency-Key": delivery}
    if variant == "svix":
        key = b64decode(secret.removeprefix("whsec_"))
        mac = hmac.digest(key, f"{delivery}.{second}.".encode() + raw, "sha256")
        signature = f"v1,{b64encode(mac).decode()}"
        return {"svix-id": delivery, "svix-timestamp": second, "svix-signature": signature}
    if variant == "oldest":
        return {"x-signature": _hex(secret, raw)}
    return {"OFAuth-Signature": f"t={second},v1={_hex(secret, f'{second}.'.encode() + raw)}"}


def _hex(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, "sha256").hex()
