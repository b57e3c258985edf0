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
    settle,
)

END = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETTLED = END + SETTLE
NOTHING = Sighted()


def after(seconds: float) -> datetime:
    return END + timedelta(seconds=seconds)


CASE = Case(
    now=after(95),
    unknown_since=END,
    ended_at=END,
    sighted=NOTHING,
    clean_looks=(after(0), after(61), after(95)),
    can_be_asked=True,
    absence_is_proof=True,
    has_baseline=True,
    may_resend=False,
)


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({"sighted": Sighted(whole=["m1"])}, Found),
        ({"sighted": Sighted(whole=["m1"]), "now": END, "clean_looks": ()}, Found),
        ({"sighted": Sighted(whole=["m1"], other=["m2"])}, Found),
        ({"sighted": Sighted(whole=["m1"]), "has_baseline": False}, Found),
        ({"sighted": Sighted(whole=["m1"]), "absence_is_proof": False}, Found),
        ({"sighted": Sighted(whole=["m1", "m2"])}, Doubt),
        ({"sighted": Sighted(part=["m1"])}, Doubt),
        ({"sighted": Sighted(whole=["m1"], part=["m2"])}, Doubt),
        ({}, Absent),
        ({"clean_looks": (after(61), after(80))}, LookAgain),
        ({"clean_looks": (after(20), after(59), after(95))}, LookAgain),
        ({"clean_looks": ()}, LookAgain),
        ({"now": after(59), "clean_looks": (after(0), after(59))}, LookAgain),
        ({"sighted": None}, LookAgain),
        ({"sighted": Sighted(other=["m2"])}, LookAgain),
        ({"has_baseline": False}, LookAgain),
        ({"absence_is_proof": False}, LookAgain),
        ({"now": END + LATEST, "sighted": None}, Doubt),
        ({"now": END + LATEST, "sighted": Sighted(other=["m2"])}, Doubt),
        ({"now": END + LATEST, "has_baseline": False}, Doubt),
        ({"now": END + LATEST, "absence_is_proof": False}, Doubt),
        ({"now": END + LATEST, "clean_looks": (after(61),)}, Doubt),
        ({"may_resend": True}, Absent),
        ({"may_resend": True, "absence_is_proof": False}, Resend),
        ({"may_resend": True, "has_baseline": False}, Resend),
        ({"may_resend": True, "absence_is_proof": False, "clean_looks": (after(61),)}, LookAgain),
        ({"may_resend": True, "sighted": Sighted(part=["m1"])}, Doubt),
        ({"can_be_asked": False, "sighted": None, "clean_looks": ()}, Doubt),
        ({"can_be_asked": False, "sighted": None, "clean_looks": (), "may_resend": True}, Resend),
        (
            {"can_be_asked": False, "sighted": None, "clean_looks": (), "may_resend": True, "now": after(59)},
            LookAgain,
        ),
    ],
)
def test_each_rule(changes: dict[str, object], ending: type[Ending]) -> None:
    assert isinstance(settle(replace(CASE, **changes)), ending)  # type: ignore[arg-type]


looks = st.lists(st.integers(0, 300).map(after), max_size=5)
cases = st.builds(
    Case,
    now=st.integers(0, 400).map(after),
    unknown_since=st.just(END),
    ended_at=st.integers(-30, 30).map(after),
    sighted=st.none() | st.builds(Sighted, *[st.lists(st.sampled_from("abc"), max_size=2, unique=True)] * 3),
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
    assert case.sighted is None or not (case.sighted.whole or case.sighted.part)
    proper = [at for at in case.clean_looks if at >= case.ended_at + SETTLE]
    assert not case.can_be_asked or max(proper) - min(proper) >= APART
    if isinstance(ending, Absent):
        assert case.absence_is_proof
        assert case.has_baseline
        assert case.sighted is not None
        assert not case.sighted.other
    else:
        assert case.may_resend


@given(cases)
def test_it_ends_within_five_minutes_and_is_looked_at_until_then(case: Case) -> None:
    ending = settle(case)
    if case.now - case.unknown_since >= LATEST:
        assert not isinstance(ending, LookAgain) or not case.can_be_asked
    if isinstance(ending, LookAgain):
        assert case.now < ending.at <= case.now + timedelta(seconds=30)
    assert timedelta(minutes=5) >= LATEST + APART
