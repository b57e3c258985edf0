"""The verdict is one pure table: what came back, and so what becomes of broadcast, slot and account."""

import pytest

from carillon.ledger.states import MOVES, REASONS, WAITS, State
from carillon.platforms import errors
from carillon.platforms.contract import Receipt
from worker.verdict import CAP_SECONDS, Verdict, accepted, backoff, turned_away

ERRORS = [
    # error, state, slot kept, waits for, stops the account, cools it down for
    (errors.Refused("no", 400), "failed", False, None, False, None),
    (errors.Redirected("moved", 307), "failed", False, None, False, None),
    (errors.Unauthorized("who", 401), "planned", False, "creator", True, None),
    (errors.Forbidden("scope", 403), "planned", False, "creator", True, None),
    (errors.Throttled("slow", 5.0), "planned", False, "cool_down", False, 5.0),
    (errors.Throttled("slow", 0.0), "planned", False, "cool_down", False, 1.0),
    (errors.Throttled("slow", 86_401.0), "planned", False, "creator", True, 86_401.0),
    (errors.NotSent("refused"), "planned", False, "retry", False, None),
    (errors.LeaseOver("late"), "planned", False, "retry", False, None),
    (errors.MaybeSent("cut"), "unknown", True, None, False, None),
]


@pytest.mark.parametrize(("error", "state", "slot_kept", "waits", "stops", "cools"), ERRORS)
def test_every_error_has_its_verdict(
    error: errors.PlatformError, state: str, slot_kept: bool, waits: str | None, stops: bool, cools: float | None
) -> None:
    found = turned_away(error, put_offs=0, throttled=0, draw=lambda: 1.0)
    assert (found.state, found.slot_kept, found.waiting_for) == (state, slot_kept, waits)
    assert bool(found.stop) is stops
    assert found.cool_down == cools


@pytest.mark.parametrize("error", [case[0] for case in ERRORS])
def test_verdicts_speak_the_words_of_the_ledger(error: errors.PlatformError) -> None:
    found = turned_away(error, put_offs=0, throttled=0)
    assert found.state in MOVES[State.SENDING]
    assert found.waiting_for in {None, *WAITS}
    assert found.reason is None or found.reason.split(":")[0] in REASONS


def test_no_error_of_the_family_is_forgotten() -> None:
    named = {type(case[0]) for case in ERRORS}
    leaves = {errors.Throttled, errors.Unauthorized, errors.Forbidden, errors.Redirected, errors.Refused}
    assert leaves | {errors.NotSent, errors.LeaseOver, errors.MaybeSent} == named
    assert set(errors.TurnedAway.__subclasses__()) == leaves


def test_an_unforeseen_error_counts_as_maybe_sent() -> None:
    assert turned_away(errors.PlatformError("odd"), 0, 0).state is State.UNKNOWN


@pytest.mark.parametrize(("throttled", "longest"), [(0, 2.0), (1, 4.0), (5, 64.0), (12, CAP_SECONDS)])
def test_429_without_retry_after_backs_off_by_the_429s_in_a_row(throttled: int, longest: float) -> None:
    wait = turned_away(errors.Throttled("slow", None), 0, throttled, draw=lambda: 1.0).cool_down
    assert wait == longest


def test_a_429_is_never_waited_for_less_than_a_second() -> None:
    assert turned_away(errors.Throttled("slow", None), 0, 0, draw=lambda: 0.0).cool_down == 1.0


@pytest.mark.parametrize("tries", [0, 1, 5, 9, 10, 1000])
def test_backoff_has_full_jitter_under_an_exponential_cap(tries: int) -> None:
    assert backoff(tries, lambda: 0.0) == 0.0
    assert backoff(tries, lambda: 1.0) == min(CAP_SECONDS, 2.0 * 2.0 ** min(tries, 30))


@pytest.mark.parametrize(
    ("receipt", "reason"),
    [
        (Receipt("mm_1", 3), None),
        (Receipt(None, None), None),
        (Receipt("1", 3, "error"), "error_after_accept"),
        (Receipt("1", 3, "cancelled"), "error_after_accept"),
    ],
)
def test_what_was_accepted_is_sent_whatever_else_it_says(receipt: Receipt, reason: str | None) -> None:
    found: Verdict = accepted(receipt)
    assert found.state is State.SENT
    assert found.slot_kept
    assert (found.reason or "").split(":")[0] == (reason or "")
