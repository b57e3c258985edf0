"""A process that is stopped in the middle of a send and wakes up after its lease: F13, F14, F15.

Stopped is not dead: nobody sends again while it is there. Before its first byte it finds that its lease is over.
"""

import os
import signal
from collections.abc import Callable

import pytest

from carillon.ledger.states import State
from chaos.conftest import Known
from chaos.estate import Case, Estate
from chaos.hasty import SETTLE
from chaos.points import one
from chaos.verdicts import check
from running import until

Opened = Callable[[str], Known]
Build = Callable[..., Estate]

LOOKS = 6
"""So many look-ups lie further apart than lease and settle time together."""


def looked_for_in_vain(estate: Estate, case: Case) -> bool:
    """Others have looked long enough to be sure of an absence, were the owner dead; and nothing is sent again."""
    row = estate.first(case)
    assert row.state in {State.SENDING, State.UNKNOWN, State.HELD}, f"it is {row.state} although its owner lives"
    return row.state == State.HELD or (estate.looks(case) >= LOOKS and _settled(estate, row))


def _settled(estate: Estate, row: object) -> bool:
    with estate.ledger.read() as session:
        now = estate.ledger.now(session.connection())
    return bool(now > estate.attempts(row)[-1].lease_until + 3 * SETTLE)


@pytest.mark.parametrize("until_it_is", ["unknown", pytest.param("held", marks=pytest.mark.chaos)])
def test_frozen_after_the_claim(until_it_is: str, opened: Opened, build: Build) -> None:
    """F13: the others recover meanwhile, and do not send; woken, it sends no byte, and only then it goes again."""
    claimed = opened("postgresql").claimed.name
    estate = build("scheduler", "worker", "worker")
    case, frozen = estate.freeze(claimed)
    until(lambda: looked_for_in_vain(estate, case) and estate.first(case).state in {until_it_is, State.HELD}, 40)
    assert estate.judge.posts == 0, "it was sent again although its owner lives"
    os.kill(frozen, signal.SIGCONT)
    estate_is_right_after(estate, case, posts=1, verdicts=["not_sent", "accepted"])


def test_frozen_between_the_check_of_its_lease_and_the_first_byte(opened: Opened, build: Build) -> None:
    """F14: the smallest window. Woken, it may send; so nobody else did."""
    no_byte = one(opened("postgresql").points, "POST no byte").name
    estate = build("scheduler", "worker", "worker")
    case, frozen = estate.freeze(no_byte)
    until(lambda: looked_for_in_vain(estate, case), 40)
    assert estate.judge.posts == 0, "it was sent again although its owner lives"
    os.kill(frozen, signal.SIGCONT)
    until(lambda: estate.judge.times(case.first), 20)
    estate_is_right_after(estate, case, posts=1)


def test_frozen_in_the_middle_of_the_body(opened: Opened, build: Build) -> None:
    half = one(opened("postgresql").points, "POST half").name
    estate = build("scheduler", "worker", "worker")
    case, frozen = estate.freeze(half)
    until(lambda: looked_for_in_vain(estate, case), 40)
    assert (estate.judge.posts, estate.judge.taken) == (1, [])
    os.kill(frozen, signal.SIGCONT)
    until(lambda: estate.judge.times(case.first), 20)
    estate_is_right_after(estate, case, posts=1)


@pytest.mark.parametrize("how", ["stopped past its lease", "suspended for an hour"])
def test_all_of_it_frozen_after_the_claim(how: str, opened: Opened) -> None:
    """F13 and F15, embedded: nobody is there who could recover anything. Not one byte of the first attempt leaves."""
    known = opened("sqlite")
    estate, posts = known.estate, known.estate.judge.posts
    case, frozen = estate.freeze(known.claimed.name)
    if how == "suspended for an hour":
        estate.wire.jump(3600)
    else:
        until(lambda: _settled(estate, estate.first(case)), 20)
    os.kill(frozen, signal.SIGCONT)
    estate_is_right_after(estate, case, posts=posts + 1, verdicts=["not_sent", "accepted"])


def test_suspended_for_an_hour_in_the_middle_of_its_post(opened: Opened) -> None:
    """F15: its time is up, so the answer is not waited for; the platform is asked, and shows it."""
    known = opened("sqlite")
    estate, posts = known.estate, known.estate.judge.posts
    case, frozen = estate.freeze(one(known.points, "POST all").name)
    estate.wire.jump(3600)
    os.kill(frozen, signal.SIGCONT)
    estate_is_right_after(estate, case, posts=posts + 1)


def estate_is_right_after(estate: Estate, case: Case, posts: int, verdicts: list[str] | None = None) -> None:
    """It was sent once, by so many requests of which a byte arrived."""

    def sent() -> bool:
        return bool(estate.first(case).state == State.SENT)

    until(sent, 30)
    row = check(estate, case, "frozen")
    assert estate.judge.posts == posts
    assert estate.judge.times(case.first) == 1
    if verdicts is not None:
        assert [attempt.verdict for attempt in estate.attempts(row)] == verdicts
