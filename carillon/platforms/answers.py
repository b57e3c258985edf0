"""What an answer means: accepted, one of the errors of `errors.py`, or unknown. `accepted` is the table.

Answers are read leniently; the words that a platform says are cut, cleaned and rid of the key.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from carillon import clock
from carillon.platforms.errors import (
    Forbidden,
    MaybeSent,
    PlatformError,
    Redirected,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
    Unreadable,
)
from carillon.platforms.redaction import cut, without_key

_LONGEST_WAIT = 100 * 365 * 86_400.0  # seconds; still fits behind any date
_HTTP_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_UNKNOWN = 0  # in place of a status that decides nothing


class Headers(Mapping[str, str]):
    """Header fields by name, whatever its case."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True)
class Answer:
    """What came back from the status line on. `complete` is False if the body was cut, or too long."""

    status: int
    headers: Headers
    body: bytes
    complete: bool

    def json(self) -> object:
        """The body as JSON, None if it is none."""
        try:
            parsed: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return parsed


def accepted(answer: Answer, secret: str) -> Mapping[str, object]:
    """The JSON object of an accepting answer, empty if its body is cut or none.

    Raises Throttled, Unauthorized, Forbidden, Redirected and Refused; MaybeSent for what decides nothing.
    """
    body = answer.json()
    status = _deciding_status(answer.status, body)
    if 200 <= status < 300 and (isinstance(body, Mapping) or _says_json(answer)):
        return body if isinstance(body, Mapping) else {}
    words = _words(answer, body, secret)
    if status == 401:
        raise Unauthorized(words, status)
    if status == 403:
        raise Forbidden(words, status)
    if status == 429:
        raise Throttled(words, retry_after(answer.headers))
    if 300 <= status < 400:
        raise Redirected(words, status)
    if 400 <= status < 500 and status not in (408, 409) and isinstance(body, Mapping):
        raise Refused(words, status)
    raise MaybeSent(words, answer.status)


def read(answer: Answer, secret: str) -> object:
    """The JSON of an answer to a read. Raises Unauthorized, Throttled, Unreachable and Unreadable."""
    body = answer.json()
    status = _deciding_status(answer.status, body)
    if 200 <= status < 300 and body is not None:
        return body
    raise _read_failure(answer, status, _words(answer, body, secret))


def _read_failure(answer: Answer, status: int, words: str) -> PlatformError:
    if status == 401:
        return Unauthorized(words, status)
    if status == 429:
        return Throttled(words, retry_after(answer.headers))
    if status == _UNKNOWN or status == 408 or status >= 500 or not answer.complete:
        return Unreachable(words, answer.status)
    return Unreadable(words, answer.status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now (RFC 9110, 10.2.3), 0 for a past date, None if the header says nothing."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", value):
        return min(float(value), _LONGEST_WAIT)
    until = _http_date(value)
    if until is None:
        return None
    now = _http_date(headers.get("Date", "").strip()) or clock.now()
    return max(0.0, min((until - now).total_seconds(), _LONGEST_WAIT))


def _http_date(value: str) -> datetime | None:
    for form in _HTTP_DATES:
        try:
            return datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _says_json(answer: Answer) -> bool:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _deciding_status(outer: int, body: object) -> int:
    """The upstream status that OnlyFansAPI wraps decides; a wrap that shows none decides nothing."""
    wrap = _wrap(body)
    if wrap is None:
        return outer
    inner = _number(wrap.get("status"))
    if 200 <= inner < 300 and 200 <= outer < 300:
        return outer
    return inner if 400 <= inner < 500 else _UNKNOWN


def _wrap(body: object) -> Mapping[str, object] | None:
    """`onlyfans_response`, at the top or inside `error`; if it is no object, it shows nothing."""
    for place in (body, body.get("error") if isinstance(body, Mapping) else None):
        if isinstance(place, Mapping) and "onlyfans_response" in place:
            wrap = place["onlyfans_response"]
            return wrap if isinstance(wrap, Mapping) else {}
    return None


def _number(value: object) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]{3}", value):
        return int(value)
    return value if isinstance(value, int) else _UNKNOWN


def _words(answer: Answer, body: object, secret: str) -> str:
    said = dict.fromkeys(without_key(word, secret) for word in _said(body, depth=4))
    reasons = "; ".join(filter(None, said)) or ("without JSON" if body is None else "without a reason")
    return cut(f"HTTP {answer.status}: {reasons}")


def _said(body: object, depth: int) -> Iterator[str]:
    """The platform's own words, wherever one of the four keeps them."""
    if isinstance(body, str | int) and not isinstance(body, bool):
        yield str(body)
    elif depth and isinstance(body, list):
        for part in body[:10]:
            yield from _said(part, depth - 1)
    elif depth and isinstance(body, Mapping):
        for key in ("error", "message", "type", "code", "onlyfans_response", "body"):
            yield from _said(body.get(key), depth - 1)
        yield from _said_of_fields(body.get("errors"), depth - 1)


def _said_of_fields(errors: object, depth: int) -> Iterator[str]:
    if not isinstance(errors, Mapping):
        yield from _said(errors, depth)
        return
    for name, said in list(errors.items())[:10]:
        yield from (f"{name}: {word}" for word in _said(said, depth))
