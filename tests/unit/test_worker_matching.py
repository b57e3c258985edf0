"""Whose is which message: one broadcast and what is new, several that say other things, several that say the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.platforms.contract import Content, Shown
from worker.matching import Wanted, judged
from worker.settle import Sighted

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HELLO = Content(text="Hello **you**", media=("a",), price_cents=500)
OTHER = Content(text="Another one")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def wanted(start: float = 0, end: float = 2, content: Content = HELLO, **more: Any) -> Wanted:
    return Wanted(content, at(start), at(end), **{"baseline": frozenset({"old"}), **more})


def message(id_: str = "m1", seconds: float | None = 1, content: Content = HELLO, **more: Any) -> Shown:
    shown = Shown(
        id_,
        None if seconds is None else at(seconds),
        text=content.text,
        media=frozenset(content.media),
        price_cents=content.price_cents or 0,
    )
    return replace(shown, **more)


WHOLE, PART, STRANGE, NOTHING = Sighted(("m1",)), Sighted(part=("m1",)), Sighted(other=("m1",)), Sighted()

ALONE = {
    "the very one": (wanted(), message(), WHOLE),
    "as HTML": (wanted(), message(text="<p>Hello <strong>you</strong></p>"), WHOLE),
    "media and price not shown": (wanted(), message(media=None, price_cents=None), WHOLE),
    "other media": (wanted(), message(media=frozenset("b")), PART),
    "another price": (wanted(), message(price_cents=900), PART),
    "another text": (wanted(), message(text="Good night"), STRANGE),
    "a minute before the claim": (wanted(), message(seconds=-60), WHOLE),
    "more than a minute before": (wanted(), message(seconds=-61), PART),
    "a minute after its end": (wanted(), message(seconds=62), WHOLE),
    "more than a minute after": (wanted(), message(seconds=63), PART),
    "a clock that is hours behind": (wanted(), message(seconds=-8 * 3_600), PART),
    "a clock that is hours ahead": (wanted(), message(seconds=3 * 3_600), PART),
    "a stranger by a clock that is hours behind": (wanted(), message(seconds=-8 * 3_600, content=OTHER), STRANGE),
    "without a time": (wanted(), message(seconds=None), WHOLE),
    "there before": (wanted(), message("old"), NOTHING),
    "there before, and changed since": (wanted(), message("old", price_cents=900), NOTHING),
    "by its time alone": (wanted(baseline=None), message(), WHOLE),
    "by its time it was there before": (wanted(baseline=None), message(seconds=-61), NOTHING),
    "neither baseline nor time": (wanted(baseline=None), message(seconds=None), PART),
    "a stranger, by its time alone": (wanted(baseline=None), message(content=OTHER), STRANGE),
    "nothing was there before": (wanted(baseline=frozenset()), message(), WHOLE),
}


@pytest.mark.parametrize(("broadcast", "shown", "sighted"), ALONE.values(), ids=ALONE)
def test_one_broadcast_and_one_message(broadcast: Wanted, shown: Shown, sighted: Sighted) -> None:
    assert judged(broadcast, [], [shown]) == sighted


def test_two_that_agree_are_two() -> None:
    assert judged(wanted(), [], [message("m1"), message("m2")]) == Sighted(("m1", "m2"))


ANOTHERS = {
    "another's does not count": ([wanted(content=OTHER)], NOTHING),
    "not another's: it was there before that one": ([wanted(content=OTHER, baseline=frozenset({"m1"}))], STRANGE),
    "not another's: that one was long before": ([wanted(-1_000, -990, content=OTHER)], STRANGE),
    "agrees with another in part": ([wanted(content=OTHER.model_copy(update={"price_cents": 300}))], STRANGE),
}


@pytest.mark.parametrize(("others", "sighted"), ANOTHERS.values(), ids=ANOTHERS)
def test_what_agrees_in_all_with_another_is_that_ones(others: list[Wanted], sighted: Sighted) -> None:
    assert judged(wanted(), others, [message(content=OTHER)]) == sighted


def test_what_agrees_in_part_with_this_and_in_all_with_another_is_the_others() -> None:
    cheaper = HELLO.model_copy(update={"price_cents": 300})
    assert judged(wanted(), [wanted(content=cheaper)], [message(content=cheaper)]) == NOTHING


FIRST, SECOND, THIRD = wanted(0, 2), wanted(5, 7), wanted(10, 12)


@pytest.mark.parametrize(
    ("broadcasts", "messages"),
    [
        ([FIRST, SECOND], [message("m1", 1), message("m2", 6)]),
        ([SECOND, FIRST], [message("m2", 6), message("m1", 1)]),
        ([FIRST, SECOND, THIRD], [message("m1", 1), message("m2", 6), message("m3", 11)]),
        ([wanted(0, 2), wanted(100, 102)], [message("m1", 1), message("m2", 101)]),
        ([wanted(0, 40), wanted(5, 120)], [message("m1", -50), message("m2", 150)]),
    ],
    ids=["two in order", "in whatever order", "three", "far apart", "at the same time, but only one way fits"],
)
def test_twins_are_told_apart_by_their_order(broadcasts: list[Wanted], messages: list[Shown]) -> None:
    for broadcast, shown in zip(broadcasts, messages, strict=True):
        others = [other for other in broadcasts if other is not broadcast]
        assert judged(broadcast, others, messages) == Sighted((shown.id,))


DOUBTFUL: dict[str, tuple[list[Wanted], list[Shown]]] = {
    "one message for two": ([FIRST, SECOND], [message("m1", 1)]),
    "three messages for two": ([FIRST, SECOND], [message("m1", 1), message("m2", 6), message("m3", 7)]),
    "at the same time": ([wanted(0, 8), wanted(5, 12)], [message("m1", 1), message("m2", 6)]),
    "made in the same second": ([FIRST, SECOND], [message("m1", 5), message("m2", 5)]),
    "without times": ([FIRST, SECOND], [message("m1", None), message("m2", None)]),
    "too many": ([wanted(10 * n, 10 * n + 2) for n in range(6)], [message(f"m{n}", 10 * n + 1) for n in range(6)]),
}


@pytest.mark.parametrize(("broadcasts", "messages"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_twins_that_nothing_tells_apart_are_for_a_person(broadcasts: list[Wanted], messages: list[Shown]) -> None:
    for broadcast in broadcasts:
        others = [other for other in broadcasts if other is not broadcast]
        sighted = judged(broadcast, others, messages)
        assert not sighted.whole
        assert sighted.part
        assert not sighted.nothing


def test_a_twin_that_is_under_way_is_waited_for() -> None:
    under_way = wanted(5, 35, under_way=True)
    assert judged(FIRST, [under_way], [message("m1", 1)]) == Sighted(awaited=("m1",))
    assert judged(FIRST, [under_way], [message("m1", 1), message("m2", 6)]) == Sighted(("m1",))


def test_one_of_its_own_and_one_that_is_shared_are_settled_by_the_other() -> None:
    early, late = wanted(0, 2), wanted(110, 112, baseline=frozenset({"old", "m1"}))
    messages = [message("m1", 1), message("m2", 61)]
    assert judged(early, [late], messages) == Sighted(("m1",))
    assert judged(late, [early], messages) == Sighted(("m2",))


broadcasts = st.lists(
    st.builds(
        wanted,
        start=st.integers(0, 90),
        end=st.integers(90, 100),
        content=st.sampled_from([HELLO, OTHER]),
        baseline=st.none() | st.sets(st.sampled_from("abcd"), max_size=2).map(frozenset),
    ),
    min_size=1,
    max_size=4,
)
shown_ones = st.lists(
    st.builds(
        message,
        st.sampled_from("abcd"),
        st.none() | st.integers(-100, 200),
        st.sampled_from([HELLO, OTHER, Content(text="Strange")]),
    ),
    unique_by=lambda one: one.id,
    max_size=4,
)


@given(broadcasts, shown_ones)
def test_no_message_is_given_to_two(several: list[Wanted], messages: list[Shown]) -> None:
    given_away: list[str] = []
    for broadcast in several:
        sighted = judged(broadcast, [other for other in several if other is not broadcast], messages)
        seen = [*sighted.whole, *sighted.part, *sighted.other, *sighted.awaited]
        assert len(seen) == len(set(seen))
        if len(sighted.whole) == 1 and not sighted.part and not sighted.awaited:
            given_away += sighted.whole
    assert len(given_away) == len(set(given_away))


@given(broadcasts, shown_ones)
def test_no_new_message_is_overlooked(several: list[Wanted], messages: list[Shown]) -> None:
    """What is in no baseline is somebody's, or keeps the absence of all from being sure."""
    known = frozenset({"known"})
    fresh = [Wanted(one.content, one.started_at, one.ended_at, known) for one in several]
    found = [judged(one, [other for other in fresh if other is not one], messages) for one in fresh]
    for shown in messages:
        assert any(shown.id in (*one.whole, *one.part, *one.other) for one in found)
