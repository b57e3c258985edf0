"""What people and programs read of an alarm."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from carillon.monitoring.digest import MOST_LETTERS, Digest, Told, printable

RAISED = datetime(2026, 10, 18, 9, 30, 5, tzinfo=UTC)


def alarm(number: int = 1, kind: str = "held", message: str = "look at it", **values: datetime | None) -> Told:
    return Told(
        id=number,
        kind=kind,
        message=message,
        raised_at=RAISED,
        cleared_at=values.get("cleared_at"),
        broadcast=number,
        campaign="drop",
        creator="luna",
        platform="frontrow",
    )


def digest(*alarms: Told) -> Digest:
    return Digest("alarms_1", "here", Counter(it.kind for it in alarms), alarms)


def test_one_alarm_is_told_plainly() -> None:
    one = digest(alarm(kind="same_id"))
    assert one.title() == "Carillon: same id"
    assert one.body("scheduler a:1", 5000) == "2026-10-18 09:30 UTC: look at it\ntold by scheduler a:1"


def test_many_are_counted() -> None:
    many = digest(*[alarm(number, "failed" if number > 9 else "held") for number in range(1, 25)])
    assert many.title() == "Carillon: 24 alarms: 15 failed, 9 held"
    lines = many.body("scheduler a:1", 50_000).splitlines()
    assert len(lines) == 22
    assert lines[20] == "and 4 more: carillon broadcasts --needs-person"


@pytest.mark.parametrize("most_letters", [400, 1000, 2000])
def test_a_short_channel_gets_as_many_lines_as_fit(most_letters: int) -> None:
    many = digest(*[alarm(number, message="x" * 90) for number in range(24)])
    text = many.body("me", most_letters)
    *lines, more, _ = text.splitlines()
    assert most_letters - 150 < len(text) <= most_letters
    assert more == f"and {24 - len(lines)} more: carillon broadcasts --needs-person"


def test_no_channel_is_too_short_for_one() -> None:
    assert "look at it" in digest(alarm()).body("me", 10)


def test_what_ended_while_the_channel_failed_says_so() -> None:
    over = digest(alarm(cleared_at=RAISED + timedelta(hours=1)), alarm(cleared_at=RAISED))
    first, second, _ = over.body("me", 5000).splitlines()
    assert first.endswith("look at it (over since 10:30 UTC)")
    assert second.endswith("look at it")


def test_a_program_gets_every_key() -> None:
    assert digest(alarm(cleared_at=RAISED)).payload("scheduler a:1") == {
        "type": "carillon.alarm",
        "timestamp": "2026-10-18T09:30:05Z",
        "installation": "here",
        "told_by": "scheduler a:1",
        "count": 1,
        "kinds": {"held": 1},
        "alarms": [
            {
                "id": "1",
                "kind": "held",
                "message": "look at it",
                "raised_at": "2026-10-18T09:30:05Z",
                "cleared_at": "2026-10-18T09:30:05Z",
                "broadcast": "1",
                "campaign": "drop",
                "creator": "luna",
                "platform": "frontrow",
            }
        ],
    }


def test_a_program_can_tell_a_digest() -> None:
    found = digest(alarm(1), alarm(2, "failed")).payload("me")
    assert (found["type"], found["count"], found["kinds"]) == ("carillon.digest", 2, {"held": 1, "failed": 1})
    assert [it["cleared_at"] for it in found["alarms"]] == [None, None]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("as it is", "as it is"),
        ("two\r\nlines\tand\x1b[31m red", "two lines and [31m red"),
        ("\u202eright to left\u2028\x00", "right to left"),
        ("Küsse 🌙", "Küsse 🌙"),
        ("x" * MOST_LETTERS, "x" * MOST_LETTERS),
        ("x" * 5000, "x" * (MOST_LETTERS - 1) + "…"),
    ],
)
def test_words_of_others_stay_on_one_line(words: str, line: str) -> None:
    assert printable(words) == line
    assert digest(alarm(message=words)).payload("me")["alarms"][0]["message"] == line
