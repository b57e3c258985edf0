"""The tokens' rows, on both databases: one renews, nothing is renewed twice, and what is lost says so."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from carillon import clock
from carillon.ledger import accounts, tokens
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from carillon.ledger.tables_media import tokens as rows
from carillon.ledger.tokens import Kept, Refresh
from ledger_rows import add_creator, creator

HOUR = timedelta(hours=1)


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, platform="fanvue", wake_at=None)


def kept(ledger: Ledger, creator_id: int) -> Kept:
    found = tokens.kept(ledger, creator_id)
    assert found
    return found


def stop(ledger: Ledger, creator_id: int, reason: str) -> None:
    with accounts.held(ledger, [creator_id]) as (connection, now):
        accounts.stop(connection, creator_id, now, "test", reason)


def let_go_long_ago(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(update(rows).values(sent_at=clock.now() - tokens.LEASE - timedelta(seconds=1)))


def test_nobody_has_tokens_before_a_login(ledger: Ledger, luna: int) -> None:
    assert not tokens.any_kept(ledger)
    assert tokens.kept(ledger, luna) is None
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    assert tokens.any_kept(ledger)
    row = kept(ledger, luna)
    assert (row.generation, row.sealed, row.owner, row.lost) == (1, "first", None, None)
    assert timedelta(minutes=59) < row.expires_at - row.read_at <= HOUR


def test_of_many_one_may_renew(ledger: Ledger, luna: int) -> None:
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    wanted = [Refresh(luna, 1, f"worker {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda this: tokens.claim(ledger, this, refused=False), wanted))
    assert sum(claims) == 1
    mine = wanted[claims.index(True)]
    assert kept(ledger, luna).owner == mine.owner
    assert not tokens.store(ledger, wanted[claims.index(False)], "another's", HOUR)
    assert tokens.store(ledger, mine, "second", HOUR)
    row = kept(ledger, luna)
    assert (row.generation, row.sealed, row.owner, row.sent_at) == (2, "second", None, None)
    assert not tokens.claim(ledger, mine, refused=False), "of a generation that is gone"


def test_what_was_given_back_may_be_tried_again(ledger: Ledger, luna: int) -> None:
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    one, two = (Refresh(luna, 1, name) for name in ("one", "two"))
    assert tokens.claim(ledger, one, refused=False)
    tokens.give_back(ledger, two)
    assert not tokens.claim(ledger, two, refused=False)
    tokens.give_back(ledger, one)
    assert tokens.claim(ledger, two, refused=True)
    assert (kept(ledger, luna).refused, kept(ledger, luna).abandoned) == (1, False)


def test_a_lost_pair_stops_the_creator_until_a_login(ledger: Ledger, luna: int) -> None:
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    tokens.claim(ledger, Refresh(luna, 1, "one"), refused=False)
    let_go_long_ago(ledger)
    assert kept(ledger, luna).abandoned
    words = tokens.lose(ledger, luna, 1, "the answer was lost", "two")
    assert words == "the answer was lost; log in again: carillon login luna"
    assert (
        tokens.lose(ledger, luna, 1, "told once more", "three") == "told once more; log in again: carillon login luna"
    )
    assert kept(ledger, luna).lost == words
    assert creator(ledger, luna).stopped_reason == f"credentials: {words}"
    assert not tokens.claim(ledger, Refresh(luna, 1, "two"), refused=False)
    assert tokens.log_in(ledger, luna, "anew", HOUR, "test")
    assert (kept(ledger, luna).generation, kept(ledger, luna).lost) == (2, None)
    assert creator(ledger, luna).stopped_at is None
    with ledger.read() as session:
        [alarm] = session.execute(select(alarms)).all()
    assert words in alarm.message
    assert alarm.cleared_at is not None


def test_an_answer_that_comes_late_mends_what_was_given_up(ledger: Ledger, luna: int) -> None:
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    slow = Refresh(luna, 1, "slow")
    tokens.claim(ledger, slow, refused=False)
    tokens.lose(ledger, luna, 1, "given up", "two")
    assert tokens.store(ledger, slow, "second", HOUR)
    assert (kept(ledger, luna).generation, kept(ledger, luna).lost) == (2, None)
    assert creator(ledger, luna).stopped_at is None


def test_a_login_goes_before_a_refresh_that_is_under_way(ledger: Ledger, luna: int) -> None:
    tokens.log_in(ledger, luna, "first", HOUR, "test")
    slow = Refresh(luna, 1, "slow")
    tokens.claim(ledger, slow, refused=False)
    tokens.log_in(ledger, luna, "anew", HOUR, "test")
    assert not tokens.store(ledger, slow, "of the old chain", HOUR)
    assert kept(ledger, luna).sealed == "anew"
    tokens.lose(ledger, luna, 1, "of the old chain", "slow")
    assert kept(ledger, luna).lost is None
    assert creator(ledger, luna).stopped_at is None


@pytest.mark.parametrize(
    ("reason", "goes_on"),
    [("credentials: x", True), ("forbidden: x", True), ("cool_down: the platform asks to wait 30 hours", False)],
)
def test_a_login_lifts_what_it_can_mend(ledger: Ledger, luna: int, reason: str, goes_on: bool) -> None:
    stop(ledger, luna, reason)
    assert tokens.log_in(ledger, luna, "first", HOUR, "test") is goes_on
    assert (creator(ledger, luna).stopped_at is None) is goes_on
