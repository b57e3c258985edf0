"""What has to be true once a case is at rest, wherever it was killed: said by the judge first, by the ledger second."""

from typing import Any

from carillon.ledger.states import State
from chaos.estate import Case, Estate
from running import until

ASKABLE = {"fanvue", "onlyfansapi"}
"""Here presence and absence can be proved; OFAuth proves presence alone, FrontRow nothing."""


def check(estate: Estate, case: Case, point: str) -> Any:
    """Fails with the point's name; returns the row of the broadcast that was to go first."""
    at = f"killed at: {point}\n{estate.story(case)}"
    first = estate.first(case)
    times = estate.judge.times(case.first)
    assert times <= 1, f"sent {times} times, {at}"
    assert estate.judge.times(case.second) == 0, f"over the limit, or out of turn, {at}"
    waiting = [row.state for row in estate.rows(case) if row.campaign == case.second]
    assert waiting == ([] if case.alone else [State.PLANNED]), f"the second is {waiting}, {at}"
    unfinished = [attempt for attempt in estate.attempts(first) if attempt.finished_at is None]
    in_doubt = case.platform not in ASKABLE and unfinished and first.state == State.HELD
    if in_doubt:
        _check_doubt(estate, first, at)
    else:
        assert (times, first.state) == (1, State.SENT), f"neither sent nor in doubt, {at}"
        assert first.platform_message_id is not None or not unfinished, f"without its id, {at}"
    assert estate.slots(first) == 1, f"{estate.slots(first)} slots, {at}"
    return first


def _check_doubt(estate: Estate, first: Any, at: str) -> None:
    assert first.reason.startswith("unknown_outcome"), f"held for no reason, {at}"

    def told() -> str | None:
        estate.keep()  # it may have been killed just when it had been held
        return estate.alarm(f"held:{first.id}")

    assert until(told, 10), f"held and nobody told, {at}"


def check_all(estate: Estate) -> None:
    """Over all cases so far, some of which went on after they were looked at."""
    doubles, over = estate.judge.doubles(), estate.judge.over_limit(1, 3600)
    assert not doubles, f"taken twice: {doubles}"
    assert not over, f"more than one in an hour: {over}"
