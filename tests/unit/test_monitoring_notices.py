"""Each alarm is claimed once for each channel, whoever claims, and no burst becomes a flood."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from alarm_rows import add_alarm, add_alarms, clear_alarm, let_pass, noted
from carillon.ledger.connect import Ledger
from carillon.ledger.tables_house import installations
from carillon.monitoring import notices
from carillon.monitoring.notices import MOST_TRIES, Claim
from ledger_rows import add_broadcast, add_creator

GAP = timedelta(minutes=1)


def claim(ledger: Ledger, *channels: str) -> list[Claim]:
    return notices.claim(ledger, channels or ("chat",), GAP)


def told(claims: Sequence[Claim]) -> list[list[int]]:
    return [[alarm.id for alarm in claim.digest.alarms] for claim in claims]


def deliver(ledger: Ledger, *channels: str) -> list[list[int]]:
    claims = claim(ledger, *channels)
    for one in claims:
        notices.delivered(ledger, one)
    return told(claims)


def test_an_alarm_is_told_once(ledger: Ledger) -> None:
    alarm = add_alarm(ledger)
    (claimed,) = claim(ledger)
    assert told([claimed]) == [[alarm]]
    assert claim(ledger) == []
    notices.delivered(ledger, claimed)
    let_pass(ledger, days=30)
    assert claim(ledger) == []


def test_it_is_told_with_what_it_is_about(ledger: Ledger) -> None:
    creator = add_creator(ledger)
    broadcast = add_broadcast(ledger, creator, "friday-drop")
    add_alarm(ledger, f"held:{broadcast}", broadcast_id=broadcast, creator_id=creator)
    add_alarm(ledger, f"stopped:{creator}", creator_id=creator)
    (claimed,) = claim(ledger)
    found = [(it.kind, it.broadcast, it.campaign, it.creator, it.platform) for it in claimed.digest.alarms]
    assert found == [
        ("held", broadcast, "friday-drop", "luna", "frontrow"),
        ("stopped", None, None, "luna", "frontrow"),
    ]


def test_what_is_raised_within_two_seconds_goes_together(ledger: Ledger) -> None:
    first = add_alarm(ledger, "held:1", age=0)
    assert claim(ledger) == []
    let_pass(ledger, seconds=1.5)
    second = add_alarm(ledger, "held:2", age=0)
    let_pass(ledger, seconds=0.5)
    assert deliver(ledger) == [[first, second]]


def test_each_channel_is_told(ledger: Ledger) -> None:
    alarm = add_alarm(ledger)
    assert deliver(ledger, "chat", "mail") == [[alarm], [alarm]]
    assert deliver(ledger, "chat", "mail") == []


def test_a_channel_that_fails_holds_up_no_other(ledger: Ledger) -> None:
    first = add_alarm(ledger, "held:1")
    chat, mail = claim(ledger, "chat", "mail")
    notices.failed(ledger, chat)
    notices.delivered(ledger, mail)
    let_pass(ledger, minutes=1)
    second = add_alarm(ledger, "held:2")
    assert sorted(told(claim(ledger, "chat", "mail"))) == [[first], [second]]


@pytest.mark.parametrize(
    ("alarm", "goes"),
    [
        ({"cleared_after": 0}, True),
        ({"cleared_after": 1}, False),
        ({"age": 86_400 * 7}, True),
        ({"age": 86_400 * 7, "cleared_after": 86_400}, False),
        ({"age": 3500, "cleared_after": 0}, True),
        ({"age": 3700, "cleared_after": 0}, False),
    ],
    ids=["said once", "over at once", "open for days", "over for days", "said this hour", "said before"],
)
def test_a_new_channel_is_told_what_matters_now(ledger: Ledger, alarm: dict[str, Any], goes: bool) -> None:
    add_alarm(ledger, **alarm)
    assert bool(deliver(ledger)) == goes


def test_what_was_said_while_nobody_told_is_told_to_a_channel_that_was_in_use(ledger: Ledger) -> None:
    add_alarm(ledger, "failed:1", cleared_after=0)
    assert deliver(ledger, "chat")
    unsaid = add_alarm(ledger, "failed:2", age=0, cleared_after=0)
    let_pass(ledger, hours=9)
    assert deliver(ledger, "chat", "a new one") == [[unsaid]]


def test_what_is_over_before_it_could_be_told_needs_no_message(ledger: Ledger) -> None:
    assert deliver(ledger) == []
    add_alarm(ledger, "held:1")
    assert deliver(ledger)
    over, lasting = add_alarm(ledger, "held:2"), add_alarm(ledger, "held:3")
    assert claim(ledger) == []
    clear_alarm(ledger, over)
    let_pass(ledger, minutes=1)
    assert deliver(ledger) == [[lasting]]


def test_a_burst_is_two_messages(ledger: Ledger) -> None:
    add_alarms(ledger, [f"held:{number}" for number in range(100)])
    (first,) = claim(ledger)
    notices.delivered(ledger, first)
    for seconds in (1, 2, 20, 30):
        add_alarms(ledger, [f"failed:{seconds}-{number}" for number in range(200)], cleared_after=0)
        assert claim(ledger) == []
        let_pass(ledger, seconds=seconds)
    let_pass(ledger, seconds=10)
    (second,) = claim(ledger)
    assert (first.digest.count, first.digest.kinds) == (100, {"held": 100})
    assert (second.digest.count, second.digest.kinds) == (800, {"failed": 800})
    assert len(second.digest.alarms) == 100


def test_the_first_after_a_quiet_minute_goes_at_once(ledger: Ledger) -> None:
    add_alarm(ledger, "held:1")
    assert deliver(ledger)
    let_pass(ledger, minutes=1)
    add_alarm(ledger, "held:2", age=2)
    assert deliver(ledger)


def test_a_repeat_is_the_same_message_and_what_came_since_goes_after_it(ledger: Ledger) -> None:
    first = add_alarm(ledger, "held:1")
    (tried,) = claim(ledger)
    assert notices.failed(ledger, tried)
    second = add_alarm(ledger, "held:2")
    assert claim(ledger) == []
    let_pass(ledger, seconds=3)
    clear_alarm(ledger, first)
    (again,) = claim(ledger)
    assert told([again]) == [[first]]
    assert (again.digest.id, again.tries) == (tried.digest.id, 2)
    notices.delivered(ledger, again)
    let_pass(ledger, minutes=1)
    assert deliver(ledger) == [[second]]


def test_other_alarms_channels_and_ledgers_are_other_messages(ledger: Ledger) -> None:
    add_alarm(ledger, "held:1")
    claims = claim(ledger, "chat", "mail")
    assert len({it.digest.id for it in claims}) == 2
    for it in claims:
        notices.delivered(ledger, it)
    let_pass(ledger, minutes=1)
    add_alarm(ledger, "held:2")
    assert len({it.digest.id for it in [*claims, *claim(ledger, "chat", "mail")]}) == 4
    assert {it.digest.installation for it in claims} != {""}


@pytest.mark.parametrize(
    ("tries", "draw", "seconds"),
    [(1, 0.5, 2), (2, 0.5, 4), (9, 0.5, 512), (10, 0.5, 900), (MOST_TRIES, 0.5, 900), (1, 0, 1.6), (1, 1, 2.4)],
)
def test_the_pauses_double_up_to_a_quarter_of_an_hour(tries: int, draw: float, seconds: float) -> None:
    assert notices.backoff(tries, lambda: draw) == pytest.approx(seconds)


def test_the_tries_take_about_a_day() -> None:
    assert 23 < sum(notices.backoff(tries, lambda: 0.5) for tries in range(1, MOST_TRIES)) / 3600 < 26


def test_a_channel_that_fails_is_left_alone_between_tries(ledger: Ledger) -> None:
    add_alarm(ledger)
    for pause in (2, 4, 8):
        (tried,) = claim(ledger)
        notices.failed(ledger, tried, lambda: 0.5)
        let_pass(ledger, seconds=pause - 1)
        assert claim(ledger) == []
        let_pass(ledger, seconds=1)
    assert told(claim(ledger))


def test_after_a_day_only_what_is_still_open_is_told(ledger: Ledger) -> None:
    add_alarm(ledger, "failed:1", cleared_after=0)
    lasting = add_alarm(ledger, "held:2")
    (tried,) = claim(ledger)
    assert notices.failed(ledger, replace(tried, tries=MOST_TRIES - 1))
    let_pass(ledger, days=1)
    (last,) = claim(ledger)
    assert not notices.failed(ledger, replace(last, tries=MOST_TRIES))
    (anew,) = claim(ledger)
    assert (told([anew]), anew.tries) == ([[lasting]], 1)


def test_the_claim_of_a_process_that_died_is_taken_over(ledger: Ledger) -> None:
    alarm = add_alarm(ledger)
    (lost,) = claim(ledger)
    let_pass(ledger, minutes=9)
    assert claim(ledger) == []
    let_pass(ledger, minutes=1)
    (taken_over,) = claim(ledger)
    assert told([taken_over]) == [[alarm]]
    assert taken_over.digest.id == lost.digest.id


@pytest.mark.parametrize("record", [notices.delivered, notices.failed])
def test_whoever_comes_back_after_its_lease_changes_nothing(ledger: Ledger, record: object) -> None:
    add_alarm(ledger)
    (lost,) = claim(ledger)
    let_pass(ledger, minutes=10)
    (taken_over,) = claim(ledger)
    before = noted(ledger)
    assert callable(record)
    record(ledger, lost)
    assert noted(ledger) == before
    notices.delivered(ledger, taken_over)
    assert [row.sent_at is None for row in noted(ledger)] == [False]


def test_of_many_that_claim_at_once_one_tells(ledger: Ledger) -> None:
    rounds, hands = 10, 4
    start, claimed = threading.Barrier(hands), []
    url = ledger.url.render_as_string(hide_password=False)

    def compete() -> None:
        with closing(Ledger(url)) as mine:
            for number in range(rounds):
                if start.wait(60) == 0:
                    add_alarm(mine, f"held:{number}")
                start.wait(60)
                for one in notices.claim(mine, ["chat"], timedelta(0)):
                    claimed.extend(told([one]))
                    notices.delivered(mine, one)

    threads = [threading.Thread(target=compete) for _ in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in notices.claim(ledger, ["chat"], timedelta(0)):
        claimed.extend(told([one]))
    alarms = [id_ for ids in claimed for id_ in ids]
    assert len(alarms) == len(set(alarms)) == rounds


def test_who_finds_another_claiming_waits_for_nothing(ledger: Ledger) -> None:
    if ledger.embedded:
        pytest.skip("a write on SQLite holds everything")
    add_alarm(ledger)
    inside, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.write() as connection:
            connection.execute(select(installations).with_for_update())
            inside.set()
            go_on.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert inside.wait(60)
        assert claim(ledger) == []
    finally:
        go_on.set()
        other.join(60)
    assert len(claim(ledger)) == 1
