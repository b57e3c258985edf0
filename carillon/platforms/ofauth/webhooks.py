"""OFAuth's webhooks: how they are signed, of which its documents have three versions, and what they say.

1. `OFAuth-Signature: t=...,v1=...`, over `{t}.{body}` (page "System Webhook Events"). Hex is assumed; base64 is taken.
2. `svix-id`, `svix-timestamp`, `svix-signature`, base64, with the decoded rest of a `whsec_` secret (SDKs, 3.0.0).
3. `x-signature`, hex, with the API key as the secret and no time (page "Account module"): a creator whose
   deliveries come so has the reference of its API key as `webhook_secret` too.

No event tells of a broadcast or a sale: they say when a connection is lost, or back.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from carillon.platforms import signatures
from carillon.platforms.forms import text_id
from carillon.platforms.messages import instant
from carillon.platforms.parts import BadSignatureError, Hint

_SVIX = ("svix-id", "svix-timestamp", "svix-signature")
_PREFIX = "whsec_"


class OFAuthWebhooks:
    def verify(self, headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str | None:
        """Of several versions at once the strictest counts. Only the second gives a delivery an id."""
        if signatures.at_most_one(headers, _SVIX[2]) is not None:
            return _verify_svix(headers, raw, secret, now)
        if (signed := signatures.at_most_one(headers, "OFAuth-Signature")) is not None:
            _verify_timed(signed, raw, secret, now)
        else:
            _verify_untimed(signatures.the_only(headers, "x-signature"), raw, secret)
        return None

    def hints(self, body: Mapping[str, object]) -> Iterator[Hint]:
        event = _event(body)
        if event.startswith("connection."):
            yield Hint("account", event, at=instant(body.get("timestamp")))

    def account(self, body: Mapping[str, object]) -> str | None:
        data = body.get("data")
        connection = data.get("connection") if isinstance(data, Mapping) else None
        return text_id(connection.get("id")) if isinstance(connection, Mapping) else None


def _verify_svix(headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str:
    delivery, at, signed = (signatures.the_only(headers, name) for name in _SVIX)
    signatures.require_in_time(signatures.unix_time(at), now)
    given = [part.removeprefix("v1,") for part in signed.split(" ") if part.startswith("v1,")]
    signatures.require_base64(signatures.mac(_key(secret), f"{delivery}.{at}.".encode() + raw), *given)
    return delivery


def _key(secret: str) -> bytes:
    with suppress(ValueError):
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    raise BadSignatureError("the secret is not one of the form whsec_...")


def _verify_timed(signed: str, raw: bytes, secret: str, now: datetime) -> None:
    told = signatures.fields(signed)
    at = told.get("t", "")
    signatures.require_in_time(signatures.unix_time(at), now)
    signatures.require_either(signatures.mac(secret, at.encode() + b"." + raw), told.get("v1", ""))


def _verify_untimed(signed: str, raw: bytes, secret: str) -> None:
    """A body that begins as the text that version 1 signs is not one."""
    if not raw.lstrip().startswith(b"{"):
        raise BadSignatureError("the body is no JSON object")
    signatures.require_hex(signatures.mac(secret, raw), signed)


def _event(body: Mapping[str, object]) -> str:
    """`type` in the documents, `eventType` in the SDKs."""
    return next((event for key in ("type", "eventType") if isinstance(event := body.get(key), str)), "")
