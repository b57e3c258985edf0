"""Look-ups that fail: what is tried again and when, what is given up soon, and what concerns the whole account."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from carillon import clock
from carillon.ledger import histories
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, broadcasts, creators, lookups
from carillon.platforms.client import Client
from forgetful import Fanvue, count_of, let_pass, posts, standing, unknown
from ledger_rows import add_creator, broadcast, creator
from standins import Reply, StandIn
from worker.means import Means
from worker.recheck import recheck
from worker.reconcile import reconcile


@pytest.fixture
def fanvue() -> Fanvue:
    return Fanvue()


@pytest.fixture
def platform(fanvue: Fanvue) -> Iterator[StandIn]:
    with StandIn(fanvue) as standin:
        yield standin


@pytest.fixture
def means(ledger: Ledger, platform: StandIn) -> Iterator[Means]:
    client = Client(2)
    yield Means(ledger, client, "worker test", 2, {"fanvue": platform.url})
    client.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "luna.key"
    path.write_text("secret-of-luna")
    path.chmod(0o600)
    return path


@pytest.fixture
def luna(ledger: Ledger, key: Path) -> int:
    return add_creator(ledger, wake_at=None, platform="fanvue", credentials=f"file:{key}")


def after(ledger: Ledger, means: Means, fanvue: Fanvue, seconds: float, id_: int) -> str:
    """The state after a look so much later."""
    let_pass(ledger, seconds, fanvue)
    reconcile(means, id_)
    state: str = broadcast(ledger, id_).state
    return state


def unknown_to(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, reply: Reply, **values: Any) -> int:
    """One that was taken, on a platform that showed its list before and now answers with `reply`."""
    replies = iter([fanvue.shown()])
    fanvue.shows = lambda: next(replies, reply)
    return unknown(ledger, means, luna, **values)


NOT_SHOWN = {
    "403": Reply(403, {"error": "scope"}),
    "404": Reply(404, {"message": "no route"}),
    "another shape": Reply(200, {"ok": True}),
    "html": Reply(200, "<h1>", {"Content-Type": "text/html"}),
}


@pytest.mark.parametrize("reply", NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_a_list_that_is_not_shown_is_given_up_soon(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, reply: Reply
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, reply)
    assert broadcast(ledger, id_).state == "unknown"
    assert after(ledger, means, fanvue, 3, id_) == "unknown"
    assert after(ledger, means, fanvue, 8, id_) == "held"
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert "does not show what it has taken (HTTP " in broadcast(ledger, id_).reason or reply.status == 200


def test_one_answer_that_says_nothing_may_be_a_whim(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, NOT_SHOWN["404"])
    fanvue.shows = lambda: Reply(503, "away")
    assert after(ledger, means, fanvue, 6, id_) == "unknown"
    fanvue.shows = lambda: NOT_SHOWN["404"]
    assert after(ledger, means, fanvue, 13, id_) == "unknown"
    fanvue.shows = None
    assert after(ledger, means, fanvue, 16, id_) == "sent"


def test_a_list_that_is_not_shown_at_all_counts_as_one_that_cannot_be_asked(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, NOT_SHOWN["403"], on_unknown="resend")
    assert after(ledger, means, fanvue, 12, id_) == "unknown"
    assert after(ledger, means, fanvue, 40, id_) == "unknown"
    assert after(ledger, means, fanvue, 10, id_) == "planned"


@pytest.mark.parametrize("reply", [Reply(503, "away"), Reply(408, {})], ids=["503", "408"])
def test_one_that_fails_is_asked_again_until_the_time_is_over(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, reply: Reply
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, reply)
    for _ in range(13):
        assert after(ledger, means, fanvue, 20, id_) == "unknown"
    assert after(ledger, means, fanvue, 11, id_) == "held"
    assert "could not be asked in time (HTTP " in broadcast(ledger, id_).reason


def test_one_that_fails_for_a_while_is_still_settled(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(503, "away"))
    for _ in range(6):
        assert after(ledger, means, fanvue, 31, id_) == "unknown"
    fanvue.shows = None
    assert after(ledger, means, fanvue, 16, id_) == "sent"


def test_a_429_cools_the_account_and_nobody_asks_until_it_is_over(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(429, {"error": "slow"}, {"Retry-After": "40"}))
    cools_until = creator(ledger, luna).cool_down_until
    assert timedelta(seconds=35) < cools_until - clock.now() <= timedelta(seconds=40)
    assert broadcast(ledger, id_).hand_off_at == cools_until
    fanvue.shows = None
    asked = len(platform.seen)
    assert after(ledger, means, fanvue, 30, id_) == "unknown"
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(hand_off_at=None))
    assert after(ledger, means, fanvue, 0, id_) == "unknown"
    assert len(platform.seen) == asked
    assert after(ledger, means, fanvue, 11, id_) == "sent"


def test_a_429_that_lasts_too_long_leaves_it_to_a_person(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(429, {"error": "slow"}, {"Retry-After": "900"}))
    assert broadcast(ledger, id_).hand_off_at - broadcast(ledger, id_).state_since <= timedelta(seconds=270)
    for _ in range(3):
        let_pass(ledger, 91, fanvue)
        with ledger.write() as connection:
            connection.execute(update(broadcasts).values(hand_off_at=None))
        reconcile(means, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")


def test_a_401_stops_the_creator_until_the_key_is_mended(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn, key: Path
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(401, {"error": "expired"}))
    assert creator(ledger, luna).stopped_reason.startswith("credentials: ")
    with ledger.read() as session:
        assert f"stopped:{luna}" in session.scalars(select(alarms.c.cause)).all()
    asked = len(platform.seen)
    assert after(ledger, means, fanvue, 20, id_) == "unknown"
    assert len(platform.seen) == asked, "the same key is not shown again"
    fanvue.shows = None
    key.write_text("a-new-secret")
    recheck(means, luna)
    assert creator(ledger, luna).stopped_at is None
    assert after(ledger, means, fanvue, 16, id_) == "sent"


@pytest.mark.parametrize("mended", [True, False])
def test_a_key_that_cannot_be_read_is_a_stop_as_well(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, key: Path, mended: bool
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(503, "away"))
    key.rename(key.with_suffix(".gone"))
    for _ in range(3):
        assert after(ledger, means, fanvue, 31, id_) == "unknown"
    assert "luna.key" in creator(ledger, luna).stopped_reason
    assert count_of(ledger, lookups) == 2, "and is told once"
    fanvue.shows = None
    if mended:
        key.with_suffix(".gone").rename(key)
    for _ in range(6):
        after(ledger, means, fanvue, 31, id_)
    assert broadcast(ledger, id_).state == ("sent" if mended else "held")


def test_each_failure_is_kept_for_the_person_who_decides(
    ledger: Ledger, means: Means, luna: int, fanvue: Fanvue, platform: StandIn
) -> None:
    id_ = unknown_to(ledger, means, luna, fanvue, NOT_SHOWN["404"])
    after(ledger, means, fanvue, 3, id_)
    found = histories.whole(ledger, id_)
    assert found
    assert [(one["attempt"], one["complete"], one["words"], one["seen"]) for one in found.lookups] == [
        (1, False, "HTTP 404: no route", [])
    ] * 2
    assert posts(platform) == 1


def test_a_stopped_creator_is_still_looked_up(ledger: Ledger, means: Means, luna: int, fanvue: Fanvue) -> None:
    """Another key lacks a right to send; what was sent before must be settled all the same."""
    id_ = unknown_to(ledger, means, luna, fanvue, Reply(503, "away"))
    with ledger.write() as connection:
        connection.execute(update(creators).values(stopped_at=clock.now(), stopped_reason="forbidden: scope"))
    fanvue.shows = None
    assert after(ledger, means, fanvue, 6, id_) == "sent"
