"""May this broadcast go now, as far as the platform can be asked? Lists exist, somebody is in them, media are there.

A clear no stops the broadcast. An answer that says nothing (403, 404, another shape) lets it pass: many of these reads
are not documented, and the platform checks again when it is sent.
"""

import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from carillon import clock
from carillon.ledger.states import State
from carillon.platforms import errors
from carillon.platforms.contract import Account, AudienceList, Caller, Content, ListRef, MediaState, Platform
from worker.lookups import FRESH_SECONDS
from worker.means import Means
from worker.sight import BASELINE_BACK
from worker.verdict import backoff

MEDIA_SECONDS = 15.0


@dataclass(frozen=True)
class Clear:
    """It may go; every reference by name has become an id. `baseline`: the ids that the platform showed, as JSON."""

    content: Content
    baseline: str | None = None


@dataclass(frozen=True)
class Stop:
    """It does not go at all."""

    state: State
    reason: str


@dataclass(frozen=True)
class Later:
    """It is put off by `seconds`."""

    cause: str
    seconds: float
    words: str


@dataclass(frozen=True)
class Asked:
    """One account of one platform, and what it was last told to have."""

    means: Means
    platform: Platform
    account: Account
    fresh_seconds: float = FRESH_SECONDS

    @property
    def _caller(self) -> Caller:
        return self.means.caller(self.platform, self.account)

    def lists(self, content: Content) -> Sequence[AudienceList] | None:
        """All lists of the account; None where the platform's answer says nothing, or nothing needs asking."""
        if not content.include and not content.exclude:
            return None
        return self.means.lookups.get(self._lists_key(), self._read_lists, self.fresh_seconds)

    def media(self, content: Content) -> dict[str, MediaState]:
        return {media_id: self._medium(media_id) for media_id in content.media}

    def baseline(self, content: Content) -> str | None:
        """What the platform shows before the request; None where it does not say. Raises Unreachable."""
        if self.platform.shows(content, timedelta()) == "nothing":
            return None
        try:
            return self.means.lookups.get(self._baseline_key(), self._read_baseline, self.fresh_seconds)
        except errors.Unreadable:
            return None

    def forget_baseline(self, content: Content) -> None:
        """After a send it is no longer what was there before."""
        if self.platform.shows(content, timedelta()) != "nothing":
            self.means.lookups.forget(self._baseline_key())

    def forget_lists(self) -> None:
        """A platform that answers nothing clear is asked anew before the next broadcast."""
        self.means.lookups.forget(self._lists_key())

    def _lists_key(self) -> tuple[str | None, ...]:
        return ("lists", self.platform.name, self.account.id, self.account.secret)

    def _baseline_key(self) -> tuple[str | None, ...]:
        return ("baseline", self.platform.name, self.account.id, self.account.secret)

    def _read_baseline(self) -> str:
        shown = self.platform.shown(self._caller, self.account, clock.now() - BASELINE_BACK)
        return json.dumps(sorted(one.id for one in shown))

    def _read_lists(self) -> Sequence[AudienceList] | None:
        try:
            return tuple(self.platform.lists(self._caller, self.account))
        except errors.Unreadable:
            return None

    def _medium(self, media_id: str) -> MediaState:
        key = ("media", self.platform.name, self.account.id, self.account.secret, media_id)
        state = self.means.lookups.get(key, lambda: self._read_medium(media_id), self.fresh_seconds)
        if state == "processing":
            self.means.lookups.forget(key)
        return state

    def _read_medium(self, media_id: str) -> MediaState:
        try:
            return self.platform.media(self._caller, self.account, media_id)
        except errors.Unreadable:
            return "unknown"


def prepare(means: Means, platform: Platform, account: Account, content: Content) -> None:
    """Ask now what the preflight will want to know within the minute; what goes wrong now is seen then."""
    asked = Asked(means, platform, account, fresh_seconds=0)
    with suppress(errors.PlatformError):
        asked.lists(content)
        asked.media(content)
        asked.baseline(content)


def preflight(
    means: Means,
    platform: Platform,
    account: Account,
    content: Content,
    put_offs: int,
    draw: Callable[[], float] = random.random,
) -> Clear | Stop | Later:
    """Raises Unauthorized and Throttled, which concern the whole account."""
    asked = Asked(means, platform, account)
    try:
        lists = asked.lists(content)
        stopped = _audience(content, lists) or _media(asked, content)
        return stopped or _clear(content, lists, asked.baseline(content))
    except errors.Unreachable as error:
        return Later("retry", backoff(put_offs, draw), f"the platform cannot be asked: {error.words}")


def _audience(content: Content, lists: Sequence[AudienceList] | None) -> Stop | None:
    for ref in (*content.include, *content.exclude):
        missing = _missing(ref, lists)
        if missing:
            return Stop(State.FAILED, f"list_missing: {missing}")
    if lists is None or content.users or not content.include:
        return None
    found = [_found(ref, lists) for ref in content.include]
    if all(matches and matches[0].count == 0 for matches in found):
        names = ", ".join(matches[0].name or matches[0].id for matches in found)
        return Stop(State.SKIPPED, f"empty_audience: nobody is in {names}")
    return None


def _missing(ref: ListRef, lists: Sequence[AudienceList] | None) -> str | None:
    if lists is None:
        return f"the platform does not show its lists, so {ref.value!r} has no id" if ref.kind == "name" else None
    found = _found(ref, lists)
    if ref.kind == "name" and len(found) > 1:
        return f"{len(found)} lists are named {ref.value!r}; use an id"
    if found or not _shown(ref, lists):
        return None
    return f"there is no {ref.kind} list {ref.value!r}" if ref.kind != "name" else f"no list is named {ref.value!r}"


def _shown(ref: ListRef, lists: Sequence[AudienceList]) -> bool:
    """Whether a list of this kind would be among `lists`: not every platform shows its smart lists."""
    return ref.kind != "smart" or any(known.kind == "smart" for known in lists)


def _found(ref: ListRef, lists: Sequence[AudienceList]) -> list[AudienceList]:
    if ref.kind == "name":
        return [known for known in lists if known.name == ref.value]
    return [known for known in lists if known.kind == ref.kind and known.id == ref.value]


def _media(asked: "Asked", content: Content) -> Stop | Later | None:
    for media_id, state in asked.media(content).items():
        if state == "broken":
            return Stop(State.FAILED, f"media_missing: the platform could not process {media_id}")
        if state == "processing":
            return Later("media", MEDIA_SECONDS, f"{media_id} is still being processed")
    return None


def _clear(content: Content, lists: Sequence[AudienceList] | None, baseline: str | None) -> Clear:
    include = tuple(_resolved(ref, lists) for ref in content.include)
    exclude = tuple(_resolved(ref, lists) for ref in content.exclude)
    return Clear(content.model_copy(update={"include": include, "exclude": exclude}), baseline)


def _resolved(ref: ListRef, lists: Sequence[AudienceList] | None) -> ListRef:
    if ref.kind != "name":
        return ref
    known = _found(ref, lists or ())[0]
    return ListRef(kind=known.kind, value=known.id)
