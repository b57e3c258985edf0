"""A person decides while the sender still lives, twice at once, or as its answer comes: F60."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from carillon.ledger import decisions
from carillon.ledger.decisions import DecisionError
from carillon.ledger.states import State
from chaos.conftest import Known
from chaos.estate import Case, Estate
from chaos.hasty import SETTLE
from chaos.points import one
from chaos.verdicts import check
from running import until

Opened = Callable[[str], Known]
Build = Callable[..., Estate]


@pytest.fixture(autouse=True)
def hasty_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's process has the settle time of the house."""
    monkeypatch.setattr(decisions, "SETTLE", SETTLE)


def decide(estate: Estate, case: Case, *, sent: bool) -> str | None:
    """What the person is told if it cannot be decided so."""
    try:
        id_ = estate.first(case).id
        decisions.resolve(estate.ledger, id_, sent=sent, message_id=None, who="person:test", reason="looked")
    except DecisionError as error:
        return str(error)
    return None


def held_with_a_sleeping_sender(estate: Estate, point: str) -> tuple[Case, int]:
    """On FrontRow, which cannot be asked."""
    case, sender = estate.freeze(point, platform="frontrow")
    until(lambda: estate.first(case).state == State.HELD, 30)
    return case, sender


def test_a_sleeping_sender_comes_too_late_for_not_sent(opened: Opened, build: Build) -> None:
    """Before lease and settle time are over nothing can be decided; after it the woken one lets no byte go."""
    claimed = opened("postgresql").claimed.name
    estate = build("scheduler", "worker", "worker")
    case, sender = estate.freeze(claimed, platform="frontrow")
    assert decide(estate, case, sent=False), "it was decided while it was being sent"
    until(lambda: estate.first(case).state == State.HELD, 30)
    until(lambda: decide(estate, case, sent=False) is None, 20)
    until(lambda: estate.first(case).state == State.SENT, 20)
    os.kill(sender, signal.SIGCONT)
    until(lambda: len([one for one in estate.attempts(estate.first(case)) if one.finished_at]) == 2)
    assert (estate.judge.posts, estate.judge.times(case.first)) == (1, 1)
    assert estate.first(case).state == State.SENT


def test_an_answer_that_comes_after_a_decision_is_told(opened: Opened, build: Build) -> None:
    """It was taken, a person says so, and then the sender wakes up: one message, and an alarm."""
    answered = one(opened("postgresql").points, "POST answered").name
    estate = build("scheduler", "worker", "worker")
    case, sender = held_with_a_sleeping_sender(estate, answered)
    until(lambda: decide(estate, case, sent=True) is None, 20)
    row = estate.first(case)
    os.kill(sender, signal.SIGCONT)
    until(lambda: f"late:{row.id}" in estate.causes())
    assert (estate.first(case).state, estate.first(case).version) == (State.SENT, row.version)
    assert (estate.judge.posts, estate.judge.times(case.first)) == (1, 1)


@pytest.mark.parametrize("turn", [1, *(pytest.param(turn, marks=pytest.mark.chaos) for turn in range(2, 11))])
def test_the_answer_and_the_decision_come_at_once(turn: int, opened: Opened, build: Build) -> None:
    """Whoever is first has decided; both say that it was sent."""
    answered = one(opened("postgresql").points, "POST answered").name
    estate = build("scheduler", "worker", "worker")
    case, sender = held_with_a_sleeping_sender(estate, answered)
    until(lambda: _may_decide(estate, case), 20)
    os.kill(sender, signal.SIGCONT)
    decide(estate, case, sent=True)
    until(lambda: estate.attempts(estate.first(case))[0].finished_at)
    assert estate.first(case).state == State.SENT
    assert (estate.judge.posts, estate.judge.times(case.first)) == (1, 1)


def test_two_clicks_are_one_decision(opened: Opened) -> None:
    known = opened("sqlite")
    estate = known.estate
    estate.wire.arm(one(known.points, "POST no byte").name)
    case = estate.declare("frontrow")
    assert estate.rest(case, trips=1).state == State.HELD
    told: list[str | None] = []
    together = threading.Barrier(5)

    def click() -> None:
        together.wait()
        told.append(decide(estate, case, sent=False))

    clicks = [threading.Thread(target=click) for _ in range(5)]
    for one_click in clicks:
        one_click.start()
    for one_click in clicks:
        one_click.join()
    assert sorted(words is None for words in told) == [False] * 4 + [True]
    assert estate.rest(case).state == State.SENT
    check(estate, case, "two clicks")


def test_what_is_being_looked_up_is_not_to_be_decided(opened: Opened) -> None:
    """The resolver has it: a person is refused until it says that it cannot tell."""
    known = opened("sqlite")
    estate = known.estate
    estate.wire.arm(one(known.points, "POST no byte").name)
    case, refused = estate.declare(), []
    until(lambda: estate.first(case) is not None and estate.first(case).state in {State.SENDING, State.UNKNOWN})
    while estate.first(case).state not in {State.PLANNED, State.QUEUED, State.SENT}:
        estate.keep()
        refused.append(decide(estate, case, sent=False))
    assert refused
    assert None not in refused
    estate.rest(case)
    check(estate, case, "decided too early")


def _may_decide(estate: Estate, case: Case) -> bool:
    with estate.ledger.read() as session:
        now = estate.ledger.now(session.connection())
    return bool(now > estate.attempts(estate.first(case))[-1].lease_until + SETTLE)
