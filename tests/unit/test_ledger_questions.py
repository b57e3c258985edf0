"""What a broadcast waits for, and how it is shown: the ledger's answers, pure and on both databases."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import insert, true

from carillon import clock
from carillon.ledger import alarms, histories, rosters
from carillon.ledger.allowance import Standing, Wait
from carillon.ledger.connect import Ledger
from carillon.ledger.questions import Around, Wanted, listed, wait_of
from carillon.ledger.states import Note, State, move
from carillon.ledger.tables import attempts, broadcasts, pauses, slots
from ledger_rows import add_broadcast, add_creator

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
KEYS = [
    "id",
    "campaign",
    "creator",
    "platform",
    "occurrence",
    "due_at",
    "state",
    "waiting_for",
    "not_before",
    "expires_at",
    "reason",
    "attempts",
    "platform_message_id",
    "recipient_count",
    "sent_at",
    "delivery",
]


def row(**values: Any) -> Any:
    known = {
        "kind": "cron",
        "state": "planned",
        "due_at": NOW,
        "goes_at": None,
        "waiting_for": "time",
        "not_before": None,
        "campaign": "drop",
    }
    return SimpleNamespace(**{**known, **values})


def around(
    blocked: Wait | None = None, free: int = 1, queued: int = 0, first: datetime = NOW, paused: str = ""
) -> Around:
    standing = Standing(NOW, blocked, free, LATER, 1, frozenset({paused} if paused else ()))
    return Around(standing, queued, {"drop": first})


@pytest.mark.parametrize(
    ("broadcast", "surroundings", "wait"),
    [
        (row(state="sent"), around(Wait("creator")), None),
        (row(due_at=LATER), around(Wait("creator")), Wait("time")),
        (row(), around(), None),
        (row(), around(Wait("creator")), Wait("creator")),
        (row(), around(Wait("cool_down", LATER)), Wait("cool_down", LATER)),
        (row(), around(Wait("quiet_hours", LATER)), Wait("quiet_hours", LATER)),
        (row(), around(paused="drop"), Wait("pause")),
        (row(), around(paused="other"), None),
        (row(), around(free=0), Wait("limit", LATER)),
        (row(), around(free=1, queued=1), Wait("limit", LATER)),
        (row(), around(free=2, queued=1), None),
        (row(), around(first=NOW - timedelta(seconds=1)), Wait("overlap")),
        (row(kind="send"), around(first=NOW - timedelta(seconds=1)), None),
        (row(), around(Wait("pause"), first=NOW - timedelta(seconds=1)), Wait("overlap")),
        (row(waiting_for="retry", not_before=LATER), around(Wait("pause")), Wait("retry", LATER)),
        (row(waiting_for="media", not_before=LATER), around(), Wait("media", LATER)),
        (row(waiting_for="retry", not_before=NOW), around(free=0), Wait("limit", LATER)),
        (row(waiting_for="cool_down", not_before=LATER), around(free=0), Wait("limit", LATER)),
        (row(waiting_for="quiet_hours", not_before=LATER), around(), Wait("quiet_hours", LATER)),
        (row(waiting_for="pause"), around(), None),
        (row(goes_at=LATER), around(Wait("pause")), Wait("pause")),
        (row(goes_at=LATER, waiting_for="limit", not_before=LATER), around(), Wait("limit", LATER)),
        (row(goes_at=LATER), around(first=NOW - timedelta(seconds=1)), None),
    ],
)
def test_what_a_broadcast_waits_for(broadcast: Any, surroundings: Around, wait: Wait | None) -> None:
    assert wait_of(broadcast, surroundings) == wait


def ask(ledger: Ledger, wanted: Wanted | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    with ledger.read() as session:
        connection = session.connection()
        return listed(connection, (wanted or Wanted()).condition(), ledger.now(connection), limit)


def test_a_broadcast_is_shown_with_every_key_and_text_ids(ledger: Ledger) -> None:
    due_at = clock.now() + timedelta(hours=1)
    id_ = add_broadcast(ledger, add_creator(ledger), state="planned", due_at=due_at)
    (shown,) = ask(ledger)
    assert list(shown) == KEYS
    assert (shown["id"], shown["due_at"]) == (str(id_), clock.rfc3339(due_at))
    assert (shown["waiting_for"], shown["not_before"], shown["recipient_count"]) == ("time", None, None)


def test_what_is_due_and_held_by_nothing_waits_its_turn(ledger: Ledger) -> None:
    add_broadcast(ledger, add_creator(ledger), state="planned")
    assert [(shown["waiting_for"], shown["not_before"]) for shown in ask(ledger)] == [("time", None)]


def test_filters_narrow_and_the_oldest_due_comes_first(ledger: Ledger) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia", platform="ofauth")
    start = clock.now() + timedelta(hours=1)
    first = add_broadcast(ledger, luna, "a", state="planned", due_at=start)
    third = add_broadcast(ledger, luna, "b", state="held", due_at=start + timedelta(hours=2))
    second = add_broadcast(
        ledger, mia, "a", creator="mia", platform="ofauth", state="sent", due_at=start + timedelta(hours=1)
    )
    tried = {
        Wanted(): [first, second, third],
        Wanted(campaigns=("a",)): [first, second],
        Wanted(creators=("luna",)): [first, third],
        Wanted(platforms=("ofauth",)): [second],
        Wanted(states=("sent", "held")): [second, third],
        Wanted(since=start): [first, second, third],
        Wanted(since=start + timedelta(seconds=1), until=start + timedelta(hours=1)): [second],
        Wanted(campaigns=("a",), creators=("luna",), states=("held",)): [],
        Wanted(needs_person=True): [third],
    }
    for wanted, ids in tried.items():
        assert [int(shown["id"]) for shown in ask(ledger, wanted)] == ids, wanted
    assert [int(shown["id"]) for shown in ask(ledger, limit=2)] == [first, second]


def test_an_open_alarm_needs_a_person_and_a_cleared_one_does_not(ledger: Ledger) -> None:
    creator_id = add_creator(ledger)
    id_ = add_broadcast(ledger, creator_id, state="queued")
    with ledger.write() as connection:
        alarms.sound(connection, "queued:1", "stuck", clock.now(), broadcast_id=id_, creator_id=creator_id)
    assert len(ask(ledger, Wanted(needs_person=True))) == 1
    with ledger.write() as connection:
        alarms.clear(connection, "queued:1", clock.now())
    assert ask(ledger, Wanted(needs_person=True)) == []


def test_a_used_up_limit_a_pause_and_an_overlap_are_told_from_each_other(ledger: Ledger) -> None:
    now = clock.now()
    full, paused, busy = add_creator(ledger, limit_count=1), add_creator(ledger, "mia"), add_creator(ledger, "zoe")
    done = add_broadcast(ledger, full, "done", state="sent")
    _take_slot(ledger, full, done, now)
    add_broadcast(ledger, full, "waits", state="planned")
    add_broadcast(ledger, paused, "waits", creator="mia", state="planned")
    add_broadcast(ledger, busy, "same", creator="zoe", state="sending", due_at=now - timedelta(minutes=1))
    add_broadcast(ledger, busy, "same", creator="zoe", state="planned")
    with ledger.write() as connection:
        connection.execute(insert(pauses).values(level="creator", target="mia", since=now, who="person:x"))
    waiting = {shown["creator"]: (shown["waiting_for"], shown["not_before"]) for shown in ask(ledger, PLANNED)}
    frees = clock.rfc3339(now + timedelta(hours=1))
    assert waiting == {"luna": ("limit", frees), "mia": ("pause", None), "zoe": ("overlap", None)}


PLANNED = Wanted(states=("planned",))


def test_accounts_show_slots_stops_and_what_goes_next(ledger: Ledger) -> None:
    now = clock.now()
    luna = add_creator(ledger, limit_count=1, cool_down_until=now + timedelta(hours=2))
    mia = add_creator(ledger, "mia", stopped_at=now, stopped_reason="credentials: no")
    _take_slot(ledger, luna, add_broadcast(ledger, luna, "done", state="sent"), now)
    later = add_broadcast(ledger, luna, "next", state="planned", due_at=now + timedelta(hours=1))
    add_broadcast(ledger, luna, "after", state="planned", due_at=now + timedelta(hours=2))
    with ledger.read() as session:
        connection = session.connection()
        found = rosters.accounts(connection, ledger.now(connection))
        due = rosters.next_due(connection)
    assert found["frontrow", "env:LUNA_KEY"] == {
        "state": "cool_down",
        "slots_used": 1,
        "next_free_slot": clock.rfc3339(now + timedelta(hours=1)),
        "cool_down_until": clock.rfc3339(now + timedelta(hours=2)),
        "stopped_at": None,
        "stopped_reason": None,
        "credits_used": None,
        "credits_left": None,
        "next_broadcast": {"id": str(later), "campaign": "next", "due_at": clock.rfc3339(now + timedelta(hours=1))},
    }
    assert found["frontrow", "env:MIA_KEY"]["state"] == "stopped"
    assert found["frontrow", "env:MIA_KEY"]["stopped_reason"] == "credentials: no"
    assert set(due) == {"next", "after"}
    assert mia != luna


def test_a_feed_tells_each_change_once_and_nothing_from_before(ledger: Ledger) -> None:
    id_ = add_broadcast(ledger, add_creator(ledger), state="queued")
    this_one = broadcasts.c.id == id_
    _move(ledger, this_one, State.QUEUED, State.PLANNED, waiting_for="retry")
    feed = histories.Feed(ledger, true())
    whole_story = histories.Feed(ledger, true(), from_the_start=True)
    assert feed.take() == []
    _move(ledger, this_one, State.PLANNED, State.CANCELLED)
    assert [(row.source, row.target) for row in feed.take()] == [("planned", "cancelled")]
    assert feed.take() == []
    assert [row.target for row in whole_story.take()] == ["planned", "cancelled"]


def test_one_whole_holds_attempts_slots_and_events(ledger: Ledger) -> None:
    creator_id = add_creator(ledger)
    id_ = add_broadcast(ledger, creator_id, state="queued", attempts=1)
    now = clock.now()
    _take_slot(ledger, creator_id, id_, now)
    _move(ledger, broadcasts.c.id == id_, State.QUEUED, State.FAILED, reason="refused: no")
    found = histories.whole(ledger, id_)
    assert found is not None
    assert found.broadcast["reason"] == "refused: no"
    assert [attempt["number"] for attempt in found.attempts] == [1]
    assert [slot["frees_at"] for slot in found.slots] == [clock.rfc3339(now + timedelta(hours=1))]
    assert [(event["from"], event["to"], event["who"]) for event in found.events] == [("queued", "failed", "tester")]
    assert histories.whole(ledger, id_ + 1) is None


def _move(ledger: Ledger, which: Any, source: State, target: State, **changes: object) -> None:
    with ledger.write() as connection:
        assert move(connection, which, source, target, Note(clock.now(), "tester", "why"), **changes)


def _take_slot(ledger: Ledger, creator_id: int, broadcast_id: int, ended_at: datetime) -> None:
    attempt = {
        "broadcast_id": broadcast_id,
        "number": 1,
        "token": f"token {broadcast_id}",
        "host": "here",
        "pid": 1,
        "process_birth": "unknown",
        "started_at": ended_at,
        "lease_until": ended_at,
        "timeout_seconds": 20.0,
        "request_digest": "digest",
    }
    with ledger.write() as connection:
        attempt_id = cast(
            "int", connection.execute(insert(attempts).values(attempt).returning(attempts.c.id)).scalar_one()
        )
        connection.execute(
            insert(slots).values(attempt_id=attempt_id, creator_id=creator_id, taken_at=ended_at, ended_at=ended_at)
        )
