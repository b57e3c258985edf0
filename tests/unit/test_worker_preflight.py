"""Preflight: a clear no stops a broadcast, an answer that says nothing lets it pass."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from carillon.ledger.connect import Ledger
from carillon.platforms import errors
from carillon.platforms.client import Client
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    ListRef,
    MediaState,
    Platform,
    Shown,
    Shows,
)
from carillon.platforms.frontrow.adapter import FrontRow
from worker.means import Means
from worker.preflight import Clear, Later, Stop, preflight

ACCOUNT = Account("http://127.0.0.1:1", None, "key")
SUBSCRIBERS = AudienceList("smart", "subscribers", "Subscribers", 12)
NOBODY = AudienceList("custom", "n0", "Nobody", 0)
VIP = AudienceList("custom", "v1", "VIP", 3)
OTHER_VIP = AudienceList("custom", "v2", "VIP", 4)


class Told(FrontRow):
    """A platform that answers reads as told."""

    def __init__(self, lists: list[AudienceList] | Exception, media: MediaState | Exception = "ready") -> None:
        self.told_lists, self.told_media, self.asked = lists, media, 0

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        self.asked += 1
        if isinstance(self.told_lists, Exception):
            raise self.told_lists
        yield from self.told_lists

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:
        if isinstance(self.told_media, Exception):
            raise self.told_media
        return self.told_media


@pytest.fixture
def ask() -> Iterator[Callable[[Told, Content], Clear | Stop | Later]]:
    means = Means(cast("Ledger", None), Client(1), "worker test", 1)

    def run(platform: Told, content: Content) -> Clear | Stop | Later:
        return preflight(means, cast("Platform", platform), ACCOUNT, content, 0, lambda: 1.0)

    yield run
    means.client.close()


def smart(value: str) -> ListRef:
    return ListRef(kind="smart", value=value)


def custom(value: str) -> ListRef:
    return ListRef(kind="custom", value=value)


def named(value: str) -> ListRef:
    return ListRef(kind="name", value=value)


def saying(*include: ListRef, **more: object) -> Content:
    return Content.model_validate({"text": "hello", "include": include, **more})


Ask = Callable[[Told, Content], Clear | Stop | Later]


@pytest.mark.parametrize(
    ("content", "lists", "state", "word"),
    [
        (saying(custom("gone")), [SUBSCRIBERS, VIP], "failed", "list_missing"),
        (saying(smart("gone")), [SUBSCRIBERS, VIP], "failed", "list_missing"),
        (saying(smart("subscribers"), exclude=[custom("gone")]), [SUBSCRIBERS, VIP], "failed", "list_missing"),
        (saying(named("Gone")), [SUBSCRIBERS, VIP], "failed", "list_missing"),
        (saying(named("VIP")), [VIP, OTHER_VIP], "failed", "list_missing"),
        (saying(custom("n0")), [SUBSCRIBERS, NOBODY], "skipped", "empty_audience"),
    ],
)
def test_a_clear_no_stops_it(ask: Ask, content: Content, lists: list[AudienceList], state: str, word: str) -> None:
    found = ask(Told(lists), content)
    assert isinstance(found, Stop)
    assert (found.state, found.reason.split(":")[0]) == (state, word)


@pytest.mark.parametrize(
    ("content", "lists"),
    [
        (saying(smart("subscribers")), [SUBSCRIBERS]),
        (saying(custom("n0"), smart("subscribers")), [SUBSCRIBERS, NOBODY]),
        (saying(custom("n0"), users=["7"]), [NOBODY]),
        (saying(smart("fans")), [VIP]),  # a platform that does not show its smart lists
        (saying(custom("v1")), [replace(VIP, count=None)]),
        (saying(users=["7"]), []),
    ],
)
def test_what_is_not_clearly_wrong_passes(ask: Ask, content: Content, lists: list[AudienceList]) -> None:
    assert ask(Told(lists), content) == Clear(content)


def test_a_name_becomes_the_id_of_its_list(ask: Ask) -> None:
    found = ask(Told([SUBSCRIBERS, VIP]), saying(named("VIP"), exclude=[named("Subscribers")]))
    assert isinstance(found, Clear)
    assert found.content.include == (custom("v1"),)
    assert found.content.exclude == (smart("subscribers"),)


def test_an_unreadable_answer_lets_it_pass_but_not_a_name(ask: Ask) -> None:
    unreadable = errors.Unreadable("404", 404)
    assert isinstance(ask(Told(unreadable), saying(custom("v1"))), Clear)
    found = ask(Told(unreadable), saying(named("VIP")))
    assert isinstance(found, Stop)
    assert found.state == "failed"


def test_a_platform_that_cannot_be_asked_puts_it_off(ask: Ask) -> None:
    assert ask(Told(errors.Unreachable("down")), saying(custom("v1"))) == Later(
        "retry", 2.0, "the platform cannot be asked: down"
    )


class Forgetful(Told):
    """It shows its lists; whether it shows its messages is told as well."""

    def __init__(self, error: errors.PlatformError) -> None:
        super().__init__([SUBSCRIBERS])
        self.error = error

    def shows(self, content: Content, age: timedelta) -> Shows:
        return "all"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        raise self.error


def test_without_a_view_of_its_messages_it_waits_only_where_waiting_may_help(ask: Ask) -> None:
    content = saying(smart("subscribers"))
    assert isinstance(ask(Forgetful(errors.Unreachable("down")), content), Later)
    assert ask(Forgetful(errors.Unreadable("404", 404)), content) == Clear(content, baseline=None)


@pytest.mark.parametrize("error", [errors.Unauthorized("401", 401), errors.Throttled("429", 3.0)])
def test_what_concerns_the_whole_account_is_raised(ask: Ask, error: errors.TurnedAway) -> None:
    with pytest.raises(type(error)):
        ask(Told(error), saying(custom("v1")))


@pytest.mark.parametrize(
    ("media", "kind"),
    [("ready", Clear), ("unknown", Clear), ("processing", Later), ("broken", Stop), (errors.Unreadable("404"), Clear)],
)
def test_media_are_asked_for(ask: Ask, media: MediaState | Exception, kind: type) -> None:
    assert isinstance(ask(Told([SUBSCRIBERS], media), saying(smart("subscribers"), media=["m1"])), kind)


def test_lists_are_read_once_a_minute(ask: Ask) -> None:
    platform = Told([SUBSCRIBERS])
    ask(platform, saying(smart("subscribers")))
    ask(platform, saying(smart("subscribers")))
    assert platform.asked == 1
