"""What becomes of an unknown outcome: every rule by itself, and that no case sends twice or waits for ever."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.settle import (
    APART,
    LATEST,
    SETTLE,
    Absent,
    Case,
    Doubt,
    Ending,
    Found,
    LookAgain,
    Resend,
    Sighted,
    looking_since,
    settle,
)

END = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETTLED = END + SETTLE
NOTHING = Sighted()


def after(seconds: float) -> datetime:
    return END + timedelta(seconds=seconds)


CASE = Case(
    now=after(95),
    looking_since=END,
    ended_at=END,
    owner_lives=False,
    sighted=NOTHING,
    unreadable_since=None,
    ask_again_at=None,
    clean_looks=(after(0), after(61), after(95)),
    can_be_asked=True,
    absence_is_proof=True,
    has_baseline=True,
    may_resend=False,
)
UNREADABLE_LONG = {"sighted": None, "unreadable_since": after(80)}
FRONTROW = {"can_be_asked": False, "sighted": None, "clean_looks": ()}


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        # Exactly one that agrees in all, whenever it is seen, and whatever else is there.
        ({"sighted": Sighted(whole=["m1"])}, Found),
        ({"sighted": Sighted(whole=["m1"]), "now": END, "clean_looks": ()}, Found),
        ({"sighted": Sighted(whole=["m1"]), "owner_lives": True}, Found),
        ({"sighted": Sighted(whole=["m1"]), "now": END + LATEST}, Found),
        ({"sighted": Sighted(whole=["m1"], other=["m2"])}, Found),
        ({"sighted": Sighted(whole=["m1"]), "has_baseline": False}, Found),
        ({"sighted": Sighted(whole=["m1"]), "absence_is_proof": False}, Found),
        # Two, or one that agrees in part.
        ({"sighted": Sighted(whole=["m1", "m2"])}, Doubt),
        ({"sighted": Sighted(part=["m1"])}, Doubt),
        ({"sighted": Sighted(whole=["m1"], part=["m2"])}, Doubt),
        # One that may be another's whose answer is still to come.
        ({"sighted": Sighted(awaited=["m1"])}, LookAgain),
        ({"sighted": Sighted(awaited=["m1"], part=["m2"])}, LookAgain),
        ({"sighted": Sighted(whole=["m1"], awaited=["m2"])}, LookAgain),
        ({"sighted": Sighted(awaited=["m1"]), "may_resend": True}, LookAgain),
        ({"sighted": Sighted(awaited=["m1"]), "now": END + LATEST}, Doubt),
        # Surely absent, and each thing that it needs.
        ({}, Absent),
        ({"now": END + LATEST}, Absent),
        ({"clean_looks": (after(61), after(80))}, LookAgain),
        ({"clean_looks": (after(20), after(59), after(95))}, LookAgain),
        ({"clean_looks": ()}, LookAgain),
        ({"now": after(59), "clean_looks": (after(0), after(59))}, LookAgain),
        ({"sighted": None}, LookAgain),
        ({"sighted": Sighted(other=["m2"])}, LookAgain),
        ({"has_baseline": False}, LookAgain),
        ({"absence_is_proof": False}, LookAgain),
        ({"owner_lives": True}, LookAgain),
        # After a time a person decides.
        ({"now": END + LATEST, "sighted": None}, Doubt),
        ({"now": END + LATEST, "sighted": Sighted(other=["m2"])}, Doubt),
        ({"now": END + LATEST, "has_baseline": False}, Doubt),
        ({"now": END + LATEST, "absence_is_proof": False}, Doubt),
        ({"now": END + LATEST, "clean_looks": (after(61),)}, Doubt),
        ({"now": END + LATEST, "owner_lives": True}, Doubt),
        # A platform that does not show its messages is given up soon, one that fails is not.
        (UNREADABLE_LONG, Doubt),
        (UNREADABLE_LONG | {"unreadable_since": after(90)}, LookAgain),
        ({"sighted": None, "now": after(5), "clean_looks": (), "unreadable_since": after(0)}, LookAgain),
        ({"sighted": None, "now": after(12), "clean_looks": (), "unreadable_since": after(0)}, Doubt),
        (UNREADABLE_LONG | {"may_resend": True}, Resend),
        (UNREADABLE_LONG | {"may_resend": True, "now": after(59), "unreadable_since": after(0)}, LookAgain),
        # Once more, if the campaign says so.
        ({"may_resend": True}, Absent),
        ({"may_resend": True, "absence_is_proof": False}, Resend),
        ({"may_resend": True, "has_baseline": False}, Resend),
        ({"may_resend": True, "absence_is_proof": False, "clean_looks": (after(61),)}, LookAgain),
        ({"may_resend": True, "absence_is_proof": False, "sighted": Sighted(other=["m2"])}, LookAgain),
        ({"may_resend": True, "absence_is_proof": False, "owner_lives": True}, LookAgain),
        ({"may_resend": True, "sighted": Sighted(part=["m1"])}, Doubt),
        ({"may_resend": True, "sighted": None, "clean_looks": (), "now": END + LATEST}, Doubt),
        # One that cannot be asked.
        (FRONTROW, Doubt),
        (FRONTROW | {"now": END}, Doubt),
        (FRONTROW | {"may_resend": True}, Resend),
        (FRONTROW | {"may_resend": True, "now": after(59)}, LookAgain),
        (FRONTROW | {"may_resend": True, "owner_lives": True}, LookAgain),
        (FRONTROW | {"may_resend": True, "owner_lives": True, "now": END + LATEST}, Doubt),
    ],
)
def test_each_rule(changes: dict[str, object], ending: type[Ending]) -> None:
    assert isinstance(settle(replace(CASE, **changes)), ending)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"now": after(0)}, 2),
        ({"now": after(5)}, 10),
        ({"now": after(30)}, 45),
        ({"now": after(50)}, 60),
        ({"now": after(61), "clean_looks": (after(61),)}, 91),
        ({"now": after(61), "sighted": None}, 76),
        ({"now": after(61), "sighted": None, "ask_again_at": after(100)}, 100),
        ({"now": after(5), "sighted": None, "ask_again_at": after(100)}, 100),
        ({"now": after(5), "ask_again_at": after(3)}, 10),
        ({"now": after(5), "sighted": None, "ask_again_at": after(9_999)}, LATEST.total_seconds()),
        ({"now": after(260), "clean_looks": ()}, LATEST.total_seconds()),
    ],
)
def test_when_the_next_look_is(changes: dict[str, object], seconds: float) -> None:
    assert settle(replace(CASE, **changes)) == LookAgain(after(seconds))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unknown", "looks", "since"),
    [
        (0, [], 0),
        (0, [2, 6, 14, 29, 44, 60, 90], 0),
        (-3_600, [-3_590, -3_400], 100),
        (-3_600, [-3_590, 20, 60], 20),
        (-10, [], -10),
    ],
)
def test_what_was_unknown_before_carillon_was_away_has_its_time_again(
    unknown: float, looks: list[float], since: float
) -> None:
    assert looking_since(after(unknown), [after(at) for at in looks], after(100)) == after(since)


looks = st.lists(st.integers(0, 300).map(after), max_size=5)
cases = st.builds(
    Case,
    now=st.integers(0, 400).map(after),
    looking_since=st.just(END),
    ended_at=st.integers(-30, 30).map(after),
    owner_lives=st.booleans(),
    sighted=st.none() | st.builds(Sighted, *[st.lists(st.sampled_from("abc"), max_size=2, unique=True)] * 4),
    unreadable_since=st.none() | st.integers(0, 400).map(after),
    ask_again_at=st.none() | st.integers(0, 400).map(after),
    clean_looks=looks,
    can_be_asked=st.booleans(),
    absence_is_proof=st.booleans(),
    has_baseline=st.booleans(),
    may_resend=st.booleans(),
)


@given(cases)
def test_it_is_sent_again_only_after_what_proves_it_or_by_the_campaigns_word(case: Case) -> None:
    ending = settle(case)
    if not isinstance(ending, Absent | Resend):
        return
    assert case.now >= case.ended_at + SETTLE
    assert not case.owner_lives
    assert case.sighted is None or case.sighted.nothing
    proper = [at for at in case.clean_looks if at >= case.ended_at + SETTLE]
    assert not case.shows_something or max(proper) - min(proper) >= APART
    if isinstance(ending, Absent):
        assert case.shows_something
        assert case.absence_is_proof
        assert case.has_baseline
        assert case.sighted is not None
    else:
        assert case.may_resend


@given(cases)
def test_it_ends_within_five_minutes_and_is_looked_at_until_then(case: Case) -> None:
    ending = settle(case)
    if case.now - case.looking_since >= LATEST:
        assert not isinstance(ending, LookAgain)
    if isinstance(ending, LookAgain):
        assert case.now < ending.at <= case.looking_since + LATEST
    assert timedelta(minutes=5) >= LATEST + APART
