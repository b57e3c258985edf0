"""Retry-After in all its forms, and the words of a platform: read, cut, cleaned, without the key."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon import clock
from carillon.platforms import answers
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.errors import PlatformError, Refused, Throttled
from carillon.platforms.roster import PLATFORMS

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("007", 7),
        ("9" * 5000, 100 * 365 * 86_400),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
        ("Sun Nov  6 08:50:37 1994", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ("Sun, 06 Nov 2994 08:00:00 GMT", 100 * 365 * 86_400),
        ("-5", None),
        ("+5", None),
        ("5.5", None),
        ("1e3", None),
        ("abc", None),
        ("", None),
        ("120, 120", None),
        ("١٢", None),
        ("Sun, 06 Nov 1994 08:50:37", None),
        ("Sun, 31 Feb 1994 08:50:37 GMT", None),
        ("1994-11-06T08:50:37Z", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert answers.retry_after(Headers({"retry-after": value, "DATE": DATE})) == seconds


@pytest.mark.parametrize("date", [{}, {"Date": "yesterday"}])
def test_without_a_date_the_local_clock_counts(monkeypatch: pytest.MonkeyPatch, date: dict[str, str]) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC))
    assert answers.retry_after(Headers({"Retry-After": DATE, **date})) == 30


def test_the_longest_wait_still_fits_behind_a_date() -> None:
    seconds = answers.retry_after(Headers({"Retry-After": "9" * 400}))
    assert seconds is not None
    assert clock.now() + timedelta(seconds=seconds) > clock.now()


def test_no_header_is_no_wait() -> None:
    with pytest.raises(Throttled) as error:
        answers.accepted(Answer(429, Headers({}), b"", True), "k")
    assert error.value.retry_after is None


def words(body: Any, secret: str = "5ecret") -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refused) as error:
        answers.accepted(Answer(400, Headers({}), raw, True), secret)
    return error.value.words


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "Smart list not found"}, "Smart list not found"),
        ({"error": "Bad Request", "message": "no version"}, "Bad Request; no version"),
        ({"error": "x", "message": "x"}, "x"),
        ({"errors": ["text too long", "price too low"]}, "text too long; price too low"),
        ({"errors": {"price": ["too low"], "text": "missing"}}, "price: too low; text: missing"),
        ({"errors": [{"field": "x", "message": "wrong"}]}, "wrong"),
        ({"error": {"code": "account_not_found", "message": "no such account"}}, "no such account; account_not_found"),
        ({"error": "bad", "type": "BAD_REQUEST", "requestId": "r"}, "bad; BAD_REQUEST"),
        ({"message": "m", "code": 17}, "m; 17"),
        (
            {
                "error": "ONLYFANS_COM_ERROR",
                "onlyfans_response": {"status": 400, "body": {"error": {"message": "why"}}},
            },
            "ONLYFANS_COM_ERROR; why",
        ),
        ({"error": True, "message": None}, "without a reason"),
        ({}, "without a reason"),
        ({"error": "a\r\nb\x00c\u202ed\x1b[31m"}, "a b c d [31m"),
        ({"error": "key 5ecret is wrong: 5ecret"}, "key *** is wrong: ***"),
        ({"error": "\ud800"}, "without a reason"),
    ],
)
def test_the_platforms_own_words(body: Any, said: str) -> None:
    assert words(body) == f"HTTP 400: {said}"


def test_words_are_bounded_and_the_key_is_not_cut_in_half() -> None:
    long = words({"error": "x" * 280 + "5ecret" * 10})
    assert len(long) <= 300
    assert long.endswith("…")
    assert "5ecret" not in long
    assert "5ec" not in long


def test_a_deep_body_is_not_followed_for_ever() -> None:
    assert words(b'{"error":' * 200 + b"1" + b"}" * 200) == "HTTP 400: without a reason"
    assert words(b'{"error": "x", "deep": ' + b"[" * 400 + b"]" * 400 + b"}") == "HTTP 400: x"


def test_a_body_too_deep_to_parse_is_none() -> None:
    assert Answer(200, Headers({}), b"[" * 200_000, True).json() is None
    assert Answer(200, Headers({}), b"\xff", True).json() is None


KEY = st.sampled_from(
    ["id", "uuid", "data", "error", "errors", "message", "total", "recipientCount", "hasError", "onlyfans_response"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEY | st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(KEY, JSON), st.sampled_from(sorted(PLATFORMS)))
@settings(max_examples=150, deadline=None)
def test_no_accepted_body_can_break_a_receipt(body: dict[str, Any], name: str) -> None:
    receipt = PLATFORMS[name].receipt(body)
    assert receipt.message_id is None or receipt.message_id.isprintable()
    assert receipt.recipient_count is None or 0 <= receipt.recipient_count < 2**31


@given(JSON, st.integers(400, 499))
@settings(max_examples=150, deadline=None)
def test_no_refusal_can_break_the_words(body: Any, status: int) -> None:
    answer = Answer(status, Headers({}), json.dumps(body).encode(), True)
    for judge in (answers.accepted, answers.read):
        with pytest.raises(PlatformError) as error:
            judge(answer, "5ecret")
        assert len(error.value.words) <= 300
        assert "\n" not in error.value.words
