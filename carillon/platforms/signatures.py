"""What the webhooks of several platforms share: one header, a MAC compared in constant time, five minutes.

All of it raises BadSignatureError with words that tell no secret, whatever came.
"""

import binascii
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from carillon.platforms.parts import BadSignatureError

TOLERANCE = timedelta(minutes=5)

_UNIX = re.compile("[0-9]{1,11}", re.ASCII)

Headers = Sequence[tuple[str, str]]


def the_only(headers: Headers, name: str) -> str:
    """The value of a header that must be there once, its name in any case."""
    found = _values(headers, name)
    if len(found) != 1:
        raise BadSignatureError(f"{name}: {len(found)} times, not once")
    return found[0]


def at_most_one(headers: Headers, name: str) -> str | None:
    found = _values(headers, name)
    if len(found) > 1:
        raise BadSignatureError(f"{name}: {len(found)} times, not once")
    return found[0] if found else None


def fields(header: str) -> Mapping[str, str]:
    """`t=1,v0=ab` by name. A name that comes twice is refused: which of the two counts would be a guess."""
    named = [part.strip().partition("=") for part in header.split(",")]
    found = {name: value for name, _, value in named}
    if len(found) != len(named):
        raise BadSignatureError("the signature says one thing twice")
    return found


def mac(key: str | bytes, signed: bytes) -> bytes:
    """HMAC-SHA256. Without a key nothing is proven."""
    key = key.encode() if isinstance(key, str) else key
    if not key:
        raise BadSignatureError("no secret is set")
    return hmac.digest(key, signed, "sha256")


def require_hex(expected: bytes, *given: str) -> None:
    """That one of `given` is `expected` in hex."""
    _require(expected, [_from_hex(one) for one in given])


def require_base64(expected: bytes, *given: str) -> None:
    """That one of `given` is `expected` in base64."""
    _require(expected, [_from_base64(one) for one in given])


def require_either(expected: bytes, given: str) -> None:
    """That `given` is `expected` in hex or base64, where a platform does not say which."""
    _require(expected, [_from_hex(given), _from_base64(given)])


def unix_time(value: str) -> datetime:
    """Whole seconds since 1970."""
    if not _UNIX.fullmatch(value):
        raise BadSignatureError("the signature's time cannot be read")
    return datetime.fromtimestamp(int(value), UTC)


def require_in_time(at: datetime | None, now: datetime) -> None:
    """That it was signed within five minutes of `now`, before or after it."""
    if at is None:
        raise BadSignatureError("the time of the delivery cannot be read")
    if abs(now - at) > TOLERANCE:
        raise BadSignatureError("signed more than five minutes off this machine's clock")


def _values(headers: Headers, name: str) -> list[str]:
    return [value for given, value in headers if given.lower() == name.lower()]


def _require(expected: bytes, given: list[bytes]) -> None:
    same = [hmac.compare_digest(expected, one) for one in given]  # all of them: time tells nothing
    if not any(same):
        raise BadSignatureError("the signature is wrong")


def _from_hex(value: str) -> bytes:
    with suppress(ValueError):
        return binascii.unhexlify(value)
    return b""


def _from_base64(value: str) -> bytes:
    with suppress(ValueError):
        return b64decode(value, validate=True)
    return b""
