"""What becomes of an unknown outcome, from what look-ups showed: one pure function.

A match settles it at once. Absence is sure only after the request surely ended and settled, twice, some time apart, and
where the platform shows everything. What stays in doubt is for a person; a second message cannot be taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SETTLE = timedelta(seconds=60)
"""From the request's end, or from the lease if its owner died: until then an accepted one may not show yet."""

APART = timedelta(seconds=30)
"""Between the two look-ups that prove an absence."""

LATEST = timedelta(minutes=4, seconds=30)
"""After it the outcome is left to a person; a little before the five minutes that are promised."""

_SOON = timedelta(seconds=15)


@dataclass(frozen=True)
class Sighted:
    """The messages of one look that were not there before the request, by how they agree with the broadcast."""

    whole: Sequence[str] = ()
    part: Sequence[str] = ()
    other: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    """All that is known of one unknown outcome. `ended_at`: its request's end, or its lease if nobody saw the end.

    `sighted` is None if the platform could not be asked this time; `clean_looks` are the times of complete look-ups
    that found nothing, this one included.
    """

    now: datetime
    unknown_since: datetime
    ended_at: datetime
    sighted: Sighted | None
    clean_looks: Sequence[datetime]
    can_be_asked: bool
    absence_is_proof: bool
    has_baseline: bool
    may_resend: bool


@dataclass(frozen=True)
class Found:
    message_id: str


@dataclass(frozen=True)
class Absent:
    """Surely not taken."""


@dataclass(frozen=True)
class Resend:
    """Not seen, and the campaign says that it is then sent once more."""


@dataclass(frozen=True)
class Doubt:
    """A person must decide."""

    words: str


@dataclass(frozen=True)
class LookAgain:
    at: datetime


Ending = Found | Absent | Resend | Doubt | LookAgain


def settle(case: Case) -> Ending:
    if case.sighted is not None and (case.sighted.whole or case.sighted.part):
        return _matched(case.sighted)
    settled_at = case.ended_at + SETTLE
    if case.now >= settled_at and _looked_enough(case, settled_at):
        if case.can_be_asked and case.absence_is_proof and case.has_baseline and not _strangers(case):
            return Absent()
        if case.may_resend:
            return Resend()
    if not case.can_be_asked and not case.may_resend:
        return Doubt("this platform cannot be asked what it has taken")
    if case.now - case.unknown_since >= LATEST:
        return Doubt(_why_in_doubt(case))
    return LookAgain(_next_look(case, settled_at))


def _matched(sighted: Sighted) -> Found | Doubt:
    if len(sighted.whole) == 1 and not sighted.part:
        return Found(sighted.whole[0])
    if sighted.whole:
        count = len(sighted.whole) + len(sighted.part)
        return Doubt(f"the platform shows {count} new messages that agree with it, in all or in part")
    return Doubt("the platform shows a new message that agrees with it only in part")


def _looked_enough(case: Case, settled_at: datetime) -> bool:
    if not case.can_be_asked:
        return True
    proper = [at for at in case.clean_looks if at >= settled_at]
    return bool(proper) and max(proper) - min(proper) >= APART


def _strangers(case: Case) -> bool:
    return case.sighted is None or bool(case.sighted.other)


def _why_in_doubt(case: Case) -> str:
    if case.sighted is None:
        return "the platform could not be asked"
    if case.sighted.other:
        return "the platform shows nothing that agrees with it, but other new messages"
    if not case.has_baseline:
        return "the platform does not show it, but what it showed before is not known"
    return "the platform does not show it, which proves nothing there"


def _next_look(case: Case, settled_at: datetime) -> datetime:
    return case.now + APART if case.now >= settled_at else min(settled_at, case.now + _SOON)
