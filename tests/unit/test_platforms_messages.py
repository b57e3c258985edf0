"""Fields of a mass message, in every form that a platform may give them; what cannot be read is not known."""

from datetime import UTC, datetime
from typing import Any

import pytest

from carillon.platforms.contract import Shown
from carillon.platforms.errors import Unreadable
from carillon.platforms.messages import filled, instant, onlyfans

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00.000Z",
        "2026-01-05T12:00:00+00:00",
        "2026-01-05T14:00:00+0200",
        "2026-01-05T11:59:00-00:01",
        "2026-01-05 12:00:00Z",
        "2026-01-05t12:00:00z",
        1_767_614_400,
        1_767_614_400.0,
    ],
)
def test_instants(value: object) -> None:
    assert instant(value) == NOON


def test_fractions_are_kept() -> None:
    assert instant("2026-01-05T12:00:00.250Z") == NOON.replace(microsecond=250_000)
    assert instant("2026-01-05T12:00:00.123456789Z") == NOON.replace(microsecond=123_456)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-05T12:00:00",
        "2026-01-05",
        "2026-01-05T12:00Z",
        "2026-13-05T12:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "٢٠٢٦-01-05T12:00:00Z",
        "yesterday",
        "1767614400",
        "",
        None,
        True,
        0,
        -1,
        1_767_614_400_000,
        float("nan"),
        float("inf"),
        [NOON],
    ],
)
def test_what_is_no_instant(value: object) -> None:
    assert instant(value) is None


@pytest.mark.parametrize(
    ("item", "cents"),
    [
        ({"price": 14.99}, 1_499),
        ({"price": 15}, 1_500),
        ({"price": 15.0}, 1_500),
        ({"price": "5.00"}, 500),
        ({"price": "5.5"}, 550),
        ({"price": "$14.9900"}, 1_499),
        ({"price": "0"}, 0),
        ({"price": 0, "isFree": False}, 0),
        ({"isFree": True}, 0),
        ({"price": None, "isFree": True}, 0),
        ({"isFree": False}, None),
        ({"price": None}, None),
        ({"price": "5.001"}, None),
        ({"price": "5,00"}, None),
        ({"price": "1e9"}, None),
        ({"price": "-5"}, None),
        ({"price": True}, None),
        ({"price": float("nan")}, None),
        ({"price": [5]}, None),
        ({}, None),
    ],
)
def test_prices_in_dollars(item: dict[str, Any], cents: int | None) -> None:
    assert onlyfans({"id": 1, **item}).price_cents == cents


@pytest.mark.parametrize(
    ("item", "count"),
    [
        ({"mediaCount": 2}, 2),
        ({"mediaCount": 0, "media": [{}]}, 0),
        ({"mediaCount": -1}, None),
        ({"mediaCount": "2"}, None),
        ({"media": [{"id": 7}, {"id": 8}]}, 2),
        ({"mediaTypes": {"photo": 2, "video": 1}}, 3),
        ({"mediaTypes": {}}, 0),
        ({"mediaTypes": {"photo": "two"}}, None),
        ({"mediaTypes": None}, 0),
        ({}, None),
    ],
)
def test_media_are_counted(item: dict[str, Any], count: int | None) -> None:
    assert onlyfans({"id": 1, **item}).media_count == count


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"text": "<p>Hi</p>", "rawText": "Hi"}, "<p>Hi</p>"),
        ({"text": None, "rawText": "Hi"}, "Hi"),
        ({"rawText": "Hi"}, "Hi"),
        ({"text": ""}, ""),
        ({"text": None}, ""),
        ({"text": 7}, None),
        ({}, None),
    ],
)
def test_texts(item: dict[str, Any], text: str | None) -> None:
    assert onlyfans({"id": 1, **item}).text == text


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"id": 2**60, "createdAt": "2026-01-05T12:00:00Z"}, Shown(str(2**60), NOON)),
        ({"id": "7", "date": "2026-01-05T12:00:00+00:00", "new": {}}, Shown("7", NOON)),
        ({"id": 1, "date": "soon", "total": -1, "isDone": True}, Shown("1", delivery="done")),
        ({"id": 1, "total": 150, "hasError": True}, Shown("1", recipient_count=150, delivery="error")),
        (
            {"id": 1, "text": "", "isFree": True, "mediaTypes": None, "isCanceled": True},
            Shown("1", delivery="cancelled"),
        ),
        (
            {"id": 1, "text": "Hi", "price": "5.00", "mediaCount": 1, "isCanceled": True},
            Shown("1", text="Hi", media_count=1, price_cents=500, delivery="cancelled"),
        ),
    ],
)
def test_whole_messages(item: dict[str, Any], message: Shown) -> None:
    assert onlyfans(item) == message


@pytest.mark.parametrize("item", [None, "x", 7, [], {}, {"text": "Hi"}, {"id": None}, {"id": ""}, {"id": True}])
def test_without_an_id_nothing_can_be_said(item: object) -> None:
    with pytest.raises(Unreadable):
        onlyfans(item)


def test_two_views_make_one() -> None:
    more, less = Shown("1", text="Hi", delivery="accepted"), Shown("1", NOON, text="no", delivery="done", media_count=0)
    assert filled(more, less) == Shown("1", NOON, text="Hi", media_count=0, delivery="done")
    assert filled(Shown("1", delivery="cancelled"), Shown("1", delivery="done")).delivery == "cancelled"
