"""Requests that change something but send nothing, and what their answers mean: they may be asked twice."""

from collections.abc import Mapping
from dataclasses import replace

from carillon.platforms import answers
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Raw, Request
from carillon.platforms.errors import Forbidden, MaybeSent, Redirected, Refused, Unreachable
from carillon.platforms.forms import get

_PASSES = (408, 409, 425)  # of the 4xx: may be another answer the next time
_SLOWEST = 250_000  # bytes a second that an upload is waited for
_LEAST_SECONDS = 60.0


def bare(method: str, url: str, headers: Mapping[str, str]) -> Request:
    """Without a body."""
    return replace(get(url, headers), method=method)


def saying(method: str, url: str, headers: Mapping[str, str], body: Mapping[str, object]) -> Request:
    """With this JSON as it is, empty arrays too."""
    return replace(bare(method, url, {**headers, "Content-Type": "application/json"}), json=body)


def carrying(method: str, url: str, headers: Mapping[str, str], kind: str, raw: Raw) -> Request:
    """With bytes of this type."""
    return replace(bare(method, url, {**headers, "Content-Type": kind}), raw=raw)


def seconds_for(size: int) -> float:
    """How long an upload of so many bytes may take."""
    return _LEAST_SECONDS + size / _SLOWEST


def written(answer: Answer, secret: str) -> Mapping[str, object]:
    """The JSON object of an answer that says yes, empty if it says no more.

    Raises Refused for a documented no, 403 and 3xx too; else what reads raise: Unauthorized, Throttled, Unreachable.
    """
    if 200 <= answer.status < 300 and answer.complete and not answer.body.strip():
        return {}
    try:
        return answers.accepted(answer, secret)
    except (Forbidden, Redirected) as error:
        raise Refused(error.words, error.status) from None
    except MaybeSent as error:
        if 400 <= answer.status < 500 and answer.status not in _PASSES and answer.json() is None:
            raise Refused(error.words, answer.status) from None
        raise Unreachable(error.words, answer.status) from None
