"""Alarms as a signed webhook, as the Standard Webhooks specification has it.

`signeds://SECRET@HOST[:PORT]/PATH` goes over https, `signed://` over http, which is for a receiver on this machine.
A receiver proves the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` with the secret; the id is
the same when the message is sent again.
"""

import base64
import binascii
import hmac
import json
from urllib.parse import unquote, urlunsplit

from carillon import clock
from carillon.monitoring import web
from carillon.monitoring.digest import Digest
from carillon.monitoring.web import AddressError

SCHEMES = {"signed": "http", "signeds": "https"}
_PREFIX = "whsec_"
_ESCAPED = "and / ? # : @ in the secret as %2F %3F %23 %3A %40"


class Signed:
    """Raises AddressError."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        scheme = scheme.lower()
        if "@" not in rest.partition("/")[0]:
            raise AddressError(f"write it as {scheme}://SECRET@HOST/PATH, {_ESCAPED}")
        parts = web.split(url)
        if not parts.username or parts.password is not None:
            raise AddressError(f"needs a secret before the @, {_ESCAPED}")
        self._key = _key(unquote(parts.username))
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((SCHEMES[scheme], host, parts.path or "/", parts.query, ""))

    def send(self, digest: Digest, who: str) -> str | None:
        """None if the receiver took it, else what went wrong."""
        body = json.dumps(digest.payload(who), separators=(",", ":")).encode()
        timestamp = str(int(clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": digest.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{self._signature(digest.id, timestamp, body)}",
        }
        return web.call("POST", self._url, headers=headers, body=body)

    def _signature(self, name: str, timestamp: str, body: bytes) -> str:
        signed = b".".join([name.encode(), timestamp.encode(), body])
        return base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    """The specification writes a key as whsec_ and its base64; any other secret is its own key."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise AddressError("what follows whsec_ in the secret is not base64")
    return key
