"""The sandbox's own limits, by a clock that the test sets."""

import pytest

from console.sandbox.rates import Rate, Rates
from console.sandbox.records import Excess, Records
from console.sandbox.rules import Call, Refused
from console.sandbox.world import World

START = 1_800_000_000.0


def admitted(records: Records, *seconds: float) -> list[int | None]:
    """For each arrival None if it is taken, else after how many seconds it may come again."""
    answers = [records.admit("frontrow", "usr_demo", START + second) for second in seconds]
    return [answer.retry_after if isinstance(answer, Excess) else None for answer in answers]


@pytest.mark.parametrize(
    ("arrivals", "waits"),
    [
        ((0, 1, 2), (None, None, None)),
        ((0, 1, 2, 3), (None, None, None, 5)),
        ((0, 1, 2, 7.9), (None, None, None, 1)),
        ((0, 1, 2, 8), (None, None, None, None)),
        ((0, 1, 2, 8, 8.5), (None, None, None, None, 1)),
        ((0, 1, 2, 8, 9, 10, 10.5), (None, None, None, None, None, None, 6)),
        ((0, 1, 2, 3, 4, 8), (None, None, None, 5, 4, None)),
    ],
)
def test_three_in_any_eight_seconds(arrivals: tuple[float, ...], waits: tuple[int | None, ...]) -> None:
    records = Records()
    records.limit("frontrow", 3, 8)
    assert admitted(records, *arrivals) == list(waits)


def test_ten_an_hour_unless_told_otherwise_and_a_cut_limit_counts_what_was_sent() -> None:
    records = Records()
    assert admitted(records, *range(10), 3_599) == [None] * 10 + [1]
    records.limit("frontrow", 5, 3_600)
    assert admitted(records, 3_600, 3_605) == [5, None]


def taken(rates: Rates, platform: str, *instants: float, method: str = "GET") -> list[bool]:
    account = World().first(platform, World().keys[platform])
    answers = []
    for instant in instants:
        try:
            rates.spend(account, Call(method, "/", {}, {}, b"", START + instant))
        except Refused:
            answers.append(False)
        else:
            answers.append(True)
    return answers


def test_a_bucket_refills_over_a_minute_and_never_beyond_its_burst() -> None:
    rates = Rates()
    rates.set("ofauth", Rate(30, burst=2))
    answers = taken(rates, "ofauth", 0, 0, 0, 1.9, 2, 2.1, 60, 60, 60)
    assert answers == [True, True, False, False, True, False, True, True, False]


DOCUMENTED = [
    ("fanvue", "GET", 200),
    ("frontrow", "GET", 60),
    ("frontrow", "POST", 30),
    ("ofauth", "GET", 90),
    ("onlyfansapi", "PUT", 1_000),
]


@pytest.mark.parametrize(("platform", "method", "count"), DOCUMENTED)
def test_as_many_at_once_as_the_platforms_say(platform: str, method: str, count: int) -> None:
    assert taken(Rates(), platform, *[0] * (count + 1), method=method) == [True] * count + [False]
