"""What came back, and so what becomes of the broadcast, its slot and its account: one pure table.

| what came back                | state     | slot       | account                         |
| ----------------------------- | --------- | ---------- | ------------------------------- |
| accepted                      | `sent`    | kept       | its 429s in a row are forgotten |
| refused                       | `failed`  | given back |                                 |
| a redirect                    | `failed`  | given back |                                 |
| 401, 403                      | `planned` | given back | stopped                         |
| 429                           | `planned` | given back | cools down; over a day: stopped |
| nothing sent                  | `planned` | given back |                                 |
| no answer in time             | `unknown` | kept, and longer: it may still arrive        |
| anything else                 | `unknown` | kept       |                                 |
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from carillon.ledger.states import State
from carillon.platforms import errors
from carillon.platforms.contract import Receipt

BASE_SECONDS = 2.0
CAP_SECONDS = 15 * 60.0
DAY_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Verdict:
    """Seconds count from the answer's arrival. `stop` is the reason for which the whole account stops."""

    state: State
    name: str
    words: str
    slot_kept: bool = False
    may_arrive: bool = False  # nobody waits for it any more, but it may be on its way
    reason: str | None = None
    waiting_for: str | None = None
    retry_in: float | None = None
    cool_down: float | None = None
    stop: str | None = None
    receipt: Receipt | None = None
    status: int | None = None


def backoff(tries: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after that many tries in a row: exponential, with full jitter."""
    return draw() * min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(tries, 30))


def accepted(receipt: Receipt) -> Verdict:
    words = f"accepted as {receipt.message_id or 'a message without an id'}"
    reason = None if receipt.delivery != "error" else "error_after_accept: the platform accepted it with an error"
    if receipt.delivery == "cancelled":
        reason = "error_after_accept: the platform accepted and cancelled it"
    return Verdict(State.SENT, "accepted", words, slot_kept=True, reason=reason, receipt=receipt, status=receipt.status)


def turned_away(
    error: errors.PlatformError, put_offs: int, throttled: int, draw: Callable[[], float] = random.random
) -> Verdict:
    """The verdict on an error, after the broadcast's `put_offs` and the account's 429s in a row."""
    match error:
        case errors.Throttled():
            return _throttled(error, throttled, draw)
        case errors.Unauthorized():
            return _stopped(error, "credentials", "the platform does not accept the key")
        case errors.Forbidden():
            return _stopped(error, "forbidden", "the key lacks a right")
        case errors.Redirected():
            return _failed(error, "redirect")
        case errors.Refused():
            return _failed(error, "refused")
        case errors.NotSent():
            wait = backoff(put_offs, draw)
            return Verdict(
                State.PLANNED,
                "not_sent",
                error.words,
                waiting_for="retry",
                retry_in=wait,
                status=error.status,
            )
        case _:
            reason = f"unknown_outcome: {error.words}"
            late = isinstance(error, errors.GivenUp)
            return Verdict(
                State.UNKNOWN,
                "unknown",
                error.words,
                slot_kept=True,
                may_arrive=late,
                reason=reason,
                status=error.status,
            )


def _throttled(error: errors.Throttled, throttled: int, draw: Callable[[], float]) -> Verdict:
    asked = backoff(throttled, draw) if error.retry_after is None else error.retry_after
    wait = max(1.0, asked)
    stop = f"cool_down: the platform asks to wait {wait / 3600:.0f} hours" if wait > DAY_SECONDS else None
    return Verdict(
        State.PLANNED,
        "throttled",
        error.words,
        waiting_for="creator" if stop else "cool_down",
        cool_down=wait,
        stop=stop,
        status=error.status,
    )


def _stopped(error: errors.PlatformError, reason: str, meaning: str) -> Verdict:
    words = f"{reason}: {meaning}: {error.words}"
    return Verdict(State.PLANNED, reason, error.words, waiting_for="creator", stop=words, status=error.status)


def _failed(error: errors.PlatformError, reason: str) -> Verdict:
    return Verdict(State.FAILED, reason, error.words, reason=f"{reason}: {error.words}", status=error.status)
