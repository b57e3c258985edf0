"""The general rate: who waits for whom and how long, what headers tell, and what processes share."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import pytest

from carillon import clock
from carillon.handoff.pacing import SharedWindows
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.contract import Account, Platform, Request
from carillon.platforms.errors import Unreachable
from carillon.platforms.forms import get, post
from carillon.platforms.pacing import Bucket, Pace, Paced, bucket_of
from carillon.platforms.pacing_on_disk import WindowsOnDisk
from carillon.platforms.parts import Rates

LUNA = Account("https://platform.test", "conn_1", "secret-of-luna")
MIA = Account("https://platform.test", "conn_2", "secret-of-luna")
READ = get("https://platform.test/lists", {})
WRITE = post("https://platform.test/lists", {}, {"name": "VIP"})


NOW = clock.now()


class Time:
    """A clock that only moves when somebody rests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ticks = 1_000.0
        self.rests: list[float] = []
        monkeypatch.setattr(clock, "ticks", lambda: self.ticks)
        monkeypatch.setattr(clock, "now", lambda: NOW)

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.ticks += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@dataclass
class Server:
    """Answers with these headers, and counts."""

    headers: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    status: int = 200

    def get(self, request: Request) -> Answer:
        self.asked += 1
        return Answer(self.status, Headers(self.headers), b"[]", complete=True)

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        return self.get(request)


@dataclass
class Paid:
    """As much of a platform as its rate takes."""

    rates: Rates
    name: str = "platform"


def paced(time: Time, server: Server, rates: Rates, pace: Pace, patience: float = 1e9, who: Account = LUNA) -> Paced:
    return Paced(server, pace, cast("Platform", Paid(rates)), who, patience, rest=time.rest)


def most_in(times: list[float], seconds: float) -> int:
    return max(sum(1 for other in times if at <= other < at + seconds) for at in times)


@pytest.mark.parametrize(
    ("rates", "least", "allowed"),
    [
        (Rates(reads=200), 175, {60: 180}),
        (Rates(reads=1_000, by="key"), 890, {60: 900}),
        (Rates(reads=60, burst=90), 78, {1: 81, 60: 82, 90: 82}),
    ],
    ids=["Fanvue", "OnlyFansAPI", "OFAuth: a bucket of 90 that gets 60 a minute"],
)
def test_reads_leave_a_tenth_of_the_rate_in_any_window(
    time: Time, rates: Rates, least: int, allowed: Mapping[float, int]
) -> None:
    caller, times = paced(time, Server(), rates, Pace()), []
    for _ in range(3 * rates.reads):
        caller.get(READ)
        times.append(time.ticks)
        time.ticks += 0.01
    for seconds, most in allowed.items():
        assert most_in(times, seconds) <= most
    assert most_in(times, 60) >= least


def test_what_a_bucket_holds_is_never_more_than_was_refilled(time: Time) -> None:
    """90 at once, then one a second: however the requests fall, the platform's bucket never runs dry."""
    caller = paced(time, Server(), Rates(reads=60, burst=90), Pace())
    tokens, last = 90.0, time.ticks
    for number in range(400):
        caller.get(READ)
        tokens = min(90.0, tokens + (time.ticks - last)) - 1
        last = time.ticks
        assert tokens >= 0
        time.ticks += 0.5 if number % 7 else 3.0


def test_writes_have_a_rate_of_their_own_or_share_that_of_reads(time: Time) -> None:
    apart = paced(time, Server(), Rates(reads=60, writes=30, by="key"), Pace(), patience=0)
    shared = paced(time, Server(), Rates(reads=20), Pace(), patience=0)
    for _ in range(27):
        apart.write(WRITE)
    with pytest.raises(Unreachable):
        apart.write(WRITE)
    apart.get(READ)
    for _ in range(9):
        shared.write(WRITE)
        shared.get(READ)
    with pytest.raises(Unreachable, match="rate of platform is used up for 60 s"):
        shared.write(WRITE)


@pytest.mark.parametrize(("by", "shared"), [("account", False), ("key", True)])
def test_accounts_share_a_rate_only_by_their_key(time: Time, by: str, shared: bool) -> None:
    rates, pace, server = Rates(reads=10, by="key" if by == "key" else "account"), Pace(), Server()
    luna, mia = (paced(time, server, rates, pace, 0, who) for who in (LUNA, MIA))
    for _ in range(9):
        luna.get(READ)
    if shared:
        with pytest.raises(Unreachable):
            mia.get(READ)
    else:
        mia.get(READ)


def test_a_request_waits_no_longer_than_its_patience(time: Time) -> None:
    server = Server()
    caller = paced(time, server, Rates(reads=10), Pace(), patience=2)
    for _ in range(9):
        caller.get(READ)
    with pytest.raises(Unreachable):
        caller.get(READ)
    time.ticks += 58.5
    caller.get(READ)
    assert (server.asked, time.rests) == (10, [1.5])


UNIX = NOW.timestamp()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{UNIX + 40:.0f}"}, 40),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{(UNIX + 40) * 1000:.0f}"}, 40),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}, 40),
        ({"X-RateLimit-Remaining": "0, 0", "Retry-After": "7", "X-RateLimit-Reset": "40"}, 7),
        ({"x-rate-limit-remaining-minute": "0"}, 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999"}, 900),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, 60),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "40"}, 0),
        ({"X-RateLimit-Remaining": "-", "Retry-After": "7"}, 0),
        ({}, 0),
    ],
)
def test_when_an_answer_says_that_nothing_is_left_the_next_waits_for_the_reset(
    time: Time, headers: Mapping[str, str], seconds: float
) -> None:
    server = Server(headers)
    caller = paced(time, server, Rates(reads=200), Pace())
    caller.get(READ)
    server.headers = {}
    caller.get(READ)
    assert sum(time.rests) == pytest.approx(seconds, abs=2)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"X-RateLimit-Reset": f"{UNIX + 40:.0f}"}, 40),
        (429, {}, 0),
        (200, {"X-RateLimit-Reset": f"{UNIX + 40:.0f}"}, 0),
    ],
)
def test_a_429_need_only_say_when_the_rate_is_there_again(
    time: Time, status: int, headers: Mapping[str, str], seconds: float
) -> None:
    """OFAuth, "Rate Limiting", names that header alone."""
    server = Server(headers, status=status)
    caller = paced(time, server, Rates(reads=200), Pace())
    caller.get(READ)
    caller.get(READ)
    assert sum(time.rests) == pytest.approx(seconds, abs=2)


def test_the_platforms_clock_counts_for_its_reset(time: Time) -> None:
    """Its clock is an hour ahead: so are both of its times."""
    ahead = clock.now() + timedelta(hours=1)
    date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")
    told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{ahead.timestamp() + 30:.0f}", "Date": date}
    server = Server(told)
    caller = paced(time, server, Rates(reads=200), Pace())
    caller.get(READ)
    server.headers = {}
    caller.get(READ)
    assert sum(time.rests) == pytest.approx(30, abs=2)


@pytest.mark.parametrize(("told", "allowed"), [("100", 90), ("5000", 4_500), ("null", 180)])
def test_a_limit_that_the_platform_tells_goes_before_the_documented_one(time: Time, told: str, allowed: int) -> None:
    server = Server({"X-RateLimit-Limit": told})
    caller = paced(time, server, Rates(reads=200), Pace(), patience=0)
    for _ in range(allowed):
        caller.get(READ)
    with pytest.raises(Unreachable):
        caller.get(READ)


def test_a_signed_address_elsewhere_is_neither_counted_nor_observed(time: Time) -> None:
    seen: list[Answer] = []
    platform = cast("Platform", Paid(Rates(reads=2)))
    caller = Paced(Server(), Pace(), platform, LUNA, 0, seen.append, time.rest)
    for _ in range(5):
        caller.write(Request("PUT", "https://bucket.elsewhere.test/part", {}))
    assert seen == []
    caller.get(READ)
    assert len(seen) == 1


def test_a_bucket_does_not_tell_the_key() -> None:
    platform = cast("Platform", Paid(Rates(reads=2, by="key")))
    assert "luna" not in bucket_of(platform, LUNA, writes=False).name


def test_what_may_use_a_part_alone_leaves_the_rest_to_others(time: Time) -> None:
    pace, server = Pace(), Server()
    platform = cast("Platform", Paid(Rates(reads=20)))
    polls = Paced(server, pace, platform, LUNA, 0, rest=time.rest, part=0.5)
    reads = paced(time, server, Rates(reads=20), pace, patience=0)
    for _ in range(9):
        polls.get(READ)
    with pytest.raises(Unreachable):
        polls.get(READ)
    for _ in range(9):
        reads.get(READ)
    with pytest.raises(Unreachable):
        reads.get(READ)


def test_who_is_told_to_stop_waits_no_longer(time: Time) -> None:
    server = Server()
    caller = Paced(server, Pace(), cast("Platform", Paid(Rates(reads=1))), LUNA, 1e9, rest=lambda _: True)
    caller.get(READ)
    with pytest.raises(Unreachable):
        caller.get(READ)
    assert server.asked == 1


BUCKET = Bucket("luna:all", 10, 60, refills=False)


Shared = Callable[[str], Pace]


@pytest.fixture(params=["Redis", "the home"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    """The pace of one of several processes, by the name of their installation."""
    if request.param == "the home":
        return lambda name: Pace(WindowsOnDisk(tmp_path / name))
    url = request.getfixturevalue("redis_url")
    return lambda name: Pace(SharedWindows(url, f"carillon:{name}"))


def test_processes_share_a_rate(shared: Shared) -> None:
    one, two = shared("test"), shared("test")
    assert [pace.take(BUCKET) for pace in (one, two) * 4] == [0.0] * 8
    assert one.take(BUCKET) == 0.0
    assert 50 < two.take(BUCKET) <= 60
    assert shared("other").take(BUCKET) == 0.0


def test_a_part_of_a_shared_rate_leaves_the_rest_to_others(shared: Shared) -> None:
    one, two = shared("test"), shared("test")
    assert [one.take(BUCKET, 0.5) for _ in range(4)] == [0.0] * 4
    assert 50 < one.take(BUCKET, 0.5) <= 60
    assert [two.take(BUCKET) for _ in range(5)] == [0.0] * 5
    assert 50 < two.take(BUCKET) <= 60


def test_what_one_was_told_holds_for_all(shared: Shared) -> None:
    one, two = shared("test"), shared("test")
    one.heard(BUCKET, Headers({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}))
    assert 25 < two.take(BUCKET) <= 30


def test_processes_that_ask_at_once_get_no_more_than_there_is(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        taken = list(pool.map(_take_ten, [tmp_path / "rates"] * 8))
    assert sum(taken) == 45


def _take_ten(folder: Path) -> int:
    pace, bucket = Pace(WindowsOnDisk(folder)), Bucket("luna:all", 50, 600, refills=False)
    return sum(pace.take(bucket) == 0.0 for _ in range(10))


def test_what_was_counted_before_a_reboot_holds_nobody_up(time: Time, tmp_path: Path) -> None:
    pace = Pace(WindowsOnDisk(tmp_path))
    assert [pace.take(BUCKET) for _ in range(9)] == [0.0] * 9
    time.ticks -= 1_000
    assert pace.take(BUCKET) == 0.0


def test_without_a_home_each_counts_for_itself(tmp_path: Path) -> None:
    pace = Pace(WindowsOnDisk(tmp_path / "nowhere" / "rates"))
    assert [pace.take(BUCKET) for _ in range(9)] == [0.0] * 9
    assert pace.take(BUCKET) > 0
    assert list(tmp_path.iterdir()) == []


def test_without_redis_each_counts_for_itself() -> None:
    pace = Pace(SharedWindows("redis://127.0.0.1:1/0", "carillon:test"))
    assert [pace.take(BUCKET) for _ in range(9)] == [0.0] * 9
    assert pace.take(BUCKET) > 0
