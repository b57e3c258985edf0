"""What one worker was told, another one knows; what is old, or about another key, it does not."""

import pytest
import redis

from carillon import clock
from carillon.platforms.contract import AudienceList
from worker.lookups import Lookups
from worker.shelf import Shelf

LISTS = (AudienceList("smart", "fans", "Fans", 12), AudienceList("custom", "7", "VIP", None))
KEY = ("lists", "frontrow", None, "sk_live_5ecret")


class Platform:
    """Answers with what it is given, and counts how often it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer, self.asked = answer, 0

    def __call__(self) -> object:
        self.asked += 1
        return self.answer


@pytest.mark.parametrize("answer", [LISTS, (), None, "ready"], ids=["lists", "no list", "says nothing", "a medium"])
def test_one_asks_and_the_other_knows(redis_url: str, answer: object) -> None:
    one, two = (Lookups(Shelf(redis_url, "test")) for _ in range(2))
    platform = Platform(answer)
    assert one.get(KEY, platform) == answer
    assert two.get(KEY, platform) == answer
    assert two.get(KEY, platform) == answer
    assert platform.asked == 1


def test_another_key_or_installation_asks_for_itself(redis_url: str) -> None:
    platform = Platform("ready")
    Lookups(Shelf(redis_url, "test")).get(KEY, platform)
    Lookups(Shelf(redis_url, "test")).get((*KEY[:3], "another"), platform)
    Lookups(Shelf(redis_url, "other")).get(KEY, platform)
    assert platform.asked == 3


def test_what_must_be_fresh_is_asked_anew_and_told_to_others(redis_url: str) -> None:
    one, two = (Lookups(Shelf(redis_url, "test")) for _ in range(2))
    platform = Platform("processing")
    one.get(KEY, platform)
    platform.answer = "ready"
    assert one.get(KEY, platform, fresh_seconds=0) == "ready"
    assert two.get(KEY, platform) == "ready"


def test_what_is_forgotten_is_forgotten_by_all(redis_url: str) -> None:
    one, two = (Lookups(Shelf(redis_url, "test")) for _ in range(2))
    platform = Platform("processing")
    one.get(KEY, platform)
    one.forget(KEY)
    two.get(KEY, platform)
    assert platform.asked == 2


def test_it_lasts_a_minute_from_when_it_was_asked(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Lookups(Shelf(redis_url, "test")) for _ in range(2))
    platform = Platform("ready")
    one.get(KEY, platform)
    two.get(KEY, platform)
    now = clock.ticks()
    monkeypatch.setattr(clock, "ticks", lambda: now + 61)
    with redis.Redis.from_url(redis_url) as client:
        [name] = client.keys("test:told:*")
        assert 0 < client.pttl(name) <= 60_000
        assert b"5ecret" not in name
        client.delete(name)  # as it does itself by then
    two.get(KEY, platform)
    assert platform.asked == 2


def test_a_redis_that_is_away_costs_next_to_nothing() -> None:
    kept = Lookups(Shelf("redis://127.0.0.1:1/0", "test"))
    platform = Platform("ready")
    assert kept.get(KEY, platform) == "ready"
    assert kept.get(KEY, platform) == "ready"
    assert platform.asked == 1
