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

UNREADABLE = timedelta(seconds=10)
"""An answer that says nothing may be a whim; one that says nothing for so long is no list of messages."""

AWAY = timedelta(minutes=5)
"""Nobody looked for so long, more than any pause: Carillon did not run, and the time counts from now on."""

_FIRST = timedelta(seconds=2)
_SOON = timedelta(seconds=15)
"""Pauses between looks grow from the one to the other."""


@dataclass(frozen=True)
class Sighted:
    """The messages of one look that were not there before the request, by how they agree with the broadcast.

    `awaited` agree with another one as well that is under way: its answer will tell whose they are.
    """

    whole: Sequence[str] = ()
    part: Sequence[str] = ()
    other: Sequence[str] = ()
    awaited: Sequence[str] = ()

    @property
    def nothing(self) -> bool:
        return not (self.whole or self.part or self.other or self.awaited)


@dataclass(frozen=True)
class Case:
    """All that is known of one unknown outcome. `ended_at`: its request's end, or its lease if nobody saw the end.

    `owner_lives`: nobody saw the end, and the process that was to make the request is still there. `sighted` is None
    if the platform could not be asked this time; before `ask_again_at` it is not to be asked again, and since
    `unreadable_since` its answers say nothing. `clean_looks` are the times of complete look-ups that found nothing,
    this one included.
    """

    now: datetime
    looking_since: datetime
    ended_at: datetime
    owner_lives: bool
    sighted: Sighted | None
    unreadable_since: datetime | None
    ask_again_at: datetime | None
    clean_looks: Sequence[datetime]
    can_be_asked: bool
    absence_is_proof: bool
    has_baseline: bool
    may_resend: bool

    @property
    def settled_at(self) -> datetime:
        return self.ended_at + SETTLE

    @property
    def is_late(self) -> bool:
        return self.now - self.looking_since >= LATEST

    @property
    def shows_something(self) -> bool:
        """Whether there is any use in asking."""
        unreadable = self.unreadable_since is not None and self.now - self.unreadable_since >= UNREADABLE
        return self.can_be_asked and not unreadable


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


def looking_since(unknown_since: datetime, looks: Sequence[datetime], now: datetime) -> datetime:
    """When the looks began that went on until now; what became unknown before Carillon was away has its time again."""
    since = now
    for at in sorted([unknown_since, *looks], reverse=True):
        if since - at > AWAY:
            break
        since = min(since, at)
    return since


def settle(case: Case) -> Ending:
    sighted = case.sighted or Sighted()
    if sighted.awaited and not case.is_late:
        return LookAgain(_next_look(case))
    if sighted.whole or sighted.part or sighted.awaited:
        return _matched(sighted)
    if case.now >= case.settled_at and not case.owner_lives and _looked_enough(case):
        if case.shows_something and case.absence_is_proof and case.has_baseline and case.sighted and sighted.nothing:
            return Absent()
        if case.may_resend and sighted.nothing:
            return Resend()
    if (not case.shows_something and not case.may_resend) or case.is_late:
        return Doubt(_why_in_doubt(case))
    return LookAgain(_next_look(case))


def _matched(sighted: Sighted) -> Found | Doubt:
    if len(sighted.whole) == 1 and not sighted.part and not sighted.awaited:
        return Found(sighted.whole[0])
    agreeing = len(sighted.whole) + len(sighted.part) + len(sighted.awaited)
    if agreeing > 1:
        return Doubt(f"the platform shows {agreeing} new messages that agree with it, in all or in part")
    if sighted.awaited:
        return Doubt("the platform shows a new message that may be another broadcast's as well")
    return Doubt("the platform shows a new message that agrees with it only in part, or may be another broadcast's")


def _looked_enough(case: Case) -> bool:
    if not case.shows_something:
        return True
    proper = [at for at in case.clean_looks if at >= case.settled_at]
    return bool(proper) and max(proper) - min(proper) >= APART


def _why_in_doubt(case: Case) -> str:
    if not case.can_be_asked:
        return "this platform cannot be asked what it has taken"
    if not case.shows_something:
        return "the platform does not show what it has taken"
    if case.sighted is None:
        return "the platform could not be asked in time"
    if case.sighted.other:
        return "the platform shows nothing that agrees with it, but other new messages"
    if case.owner_lives:
        return "the platform does not show it, but the process that was to send it is still there"
    if not case.has_baseline:
        return "the platform does not show it, but what it showed before is not known"
    if not case.absence_is_proof:
        return "the platform does not show it, which proves nothing there"
    return "the platform could not be asked often enough"


def _next_look(case: Case) -> datetime:
    at = case.now + _pause(case)
    if case.ask_again_at is not None and case.ask_again_at > case.now:
        at = case.ask_again_at
    elif case.now < case.settled_at:
        at = min(at, case.settled_at)
    return min(at, case.looking_since + LATEST)


def _pause(case: Case) -> timedelta:
    if case.now >= case.settled_at and case.sighted is not None and not case.sighted.awaited:
        return APART
    return min(_SOON, max(_FIRST, case.now - case.looking_since))
