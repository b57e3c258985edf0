import threading
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

import ledger_rows as rows
from carillon.ledger.connect import Ledger
from carillon.ledger.states import MOVES, WAITS, Note, State, move, version_of
from carillon.ledger.tables import alarms, broadcasts, creators, events

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
NOTE = Note(NOON, "tester", "told to")
PERMITTED = [(source, target) for source in State for target in MOVES[source]]
FORBIDDEN = [(source, target) for source in State for target in State if target not in MOVES[source]]


def waiting(target: State) -> dict[str, object]:
    return {"waiting_for": "retry", "not_before": LATER} if target is State.PLANNED else {}


def events_of(ledger: Ledger, broadcast_id: int) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(events).where(events.c.broadcast_id == broadcast_id).order_by(events.c.id)))


def test_every_state_has_its_moves_and_only_unsent_is_an_end() -> None:
    assert set(MOVES) == set(State)
    assert [state for state in State if not MOVES[state]] == [State.UNSENT]


def test_each_permitted_move_changes_the_row_and_tells_of_it(ledger: Ledger) -> None:
    creator_id = rows.add_creator(ledger)
    for source, target in PERMITTED:
        id_ = rows.add_broadcast(ledger, creator_id, f"{source}-{target}", state=source.value, version=7)
        with ledger.write() as connection:
            moved = move(connection, version_of(id_, 7), source, target, NOTE, **waiting(target))
        after = rows.broadcast(ledger, id_)
        assert (moved, after.state, after.version, after.state_since) == ([id_], target, 8, NOON)
        told = [(event.at, event.source, event.target, event.why, event.who) for event in events_of(ledger, id_)]
        assert told == [(NOON, source, target, "told to", "tester")]


@pytest.mark.parametrize(("source", "target"), FORBIDDEN)
def test_every_other_move_stops_before_the_database_is_asked(source: State, target: State) -> None:
    with pytest.raises(AssertionError, match=f"{source} never leaves to {target}"):
        move(cast("Any", None), version_of(1, 1), source, target, NOTE, **waiting(target))


@pytest.mark.parametrize("cause", [None, "Limit", "tea"])
def test_planned_names_what_it_waits_for(cause: str | None) -> None:
    with pytest.raises(AssertionError):
        move(cast("Any", None), version_of(1, 1), State.QUEUED, State.PLANNED, NOTE, waiting_for=cause)


def test_what_it_waited_for_ends_with_planned(ledger: Ledger) -> None:
    creator_id = rows.add_creator(ledger)
    id_ = rows.add_broadcast(ledger, creator_id)
    for cause in WAITS:
        with ledger.write() as connection:
            which = broadcasts.c.id == id_
            move(connection, which, State.QUEUED, State.PLANNED, NOTE, waiting_for=cause, not_before=LATER)
        waits = rows.broadcast(ledger, id_)
        assert (waits.waiting_for, waits.not_before) == (cause, LATER)
        with ledger.write() as connection:
            move(connection, broadcasts.c.id == id_, State.PLANNED, State.QUEUED, NOTE)
        goes = rows.broadcast(ledger, id_)
        assert (goes.waiting_for, goes.not_before) == (None, None)


def test_an_older_wait_is_forgotten_by_the_next_one(ledger: Ledger) -> None:
    id_ = rows.add_broadcast(ledger, rows.add_creator(ledger), not_before=LATER)
    with ledger.write() as connection:
        move(connection, broadcasts.c.id == id_, State.QUEUED, State.PLANNED, NOTE, waiting_for="limit")
    assert rows.broadcast(ledger, id_).not_before is None


@pytest.mark.parametrize(("version", "source"), [(2, State.QUEUED), (1, State.PLANNED)])
def test_a_row_that_changed_meanwhile_is_left_alone(ledger: Ledger, version: int, source: State) -> None:
    id_ = rows.add_broadcast(ledger, rows.add_creator(ledger), version=1)
    before = rows.broadcast(ledger, id_)
    with ledger.write() as connection:
        assert move(connection, version_of(id_, version), source, State.SKIPPED, NOTE) == []
    assert rows.broadcast(ledger, id_) == before
    assert events_of(ledger, id_) == []


def test_of_two_movers_one_wins(ledger: Ledger, database_url: str) -> None:
    creator_id = rows.add_creator(ledger)
    ids = [rows.add_broadcast(ledger, creator_id, f"drop-{number}") for number in range(10)]
    other = Ledger(database_url)
    won: dict[str, list[int]] = {"one": [], "two": []}
    together = threading.Barrier(2)

    def run(who: str, mine: Ledger) -> None:
        for id_ in ids:
            together.wait()
            with mine.write() as connection:
                won[who] += move(connection, version_of(id_, 1), State.QUEUED, State.SENDING, Note(NOON, who, "claim"))

    movers = [threading.Thread(target=run, args=arguments) for arguments in (("one", ledger), ("two", other))]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    other.close()
    assert sorted(won["one"] + won["two"]) == ids
    assert [event.who for id_ in ids for event in events_of(ledger, id_)] == [
        "one" if id_ in won["one"] else "two" for id_ in ids
    ]


def test_many_rows_move_at_once_and_each_has_its_event(ledger: Ledger) -> None:
    creator_id = rows.add_creator(ledger)
    ids = [rows.add_broadcast(ledger, creator_id, f"drop-{number}", state="planned") for number in range(3)]
    sent = rows.add_broadcast(ledger, creator_id, "sent", state="sent")
    with ledger.write() as connection:
        moved = move(connection, broadcasts.c.creator_id == creator_id, State.PLANNED, State.QUEUED, NOTE)
    assert sorted(moved) == ids
    assert [len(events_of(ledger, id_)) for id_ in [*ids, sent]] == [1, 1, 1, 0]


def test_state_and_event_come_or_go_together(ledger: Ledger) -> None:
    id_ = rows.add_broadcast(ledger, rows.add_creator(ledger))
    with pytest.raises(DBAPIError, match="nowhere"), ledger.write() as connection:  # noqa: PT012
        move(connection, version_of(id_, 1), State.QUEUED, State.SENDING, NOTE)
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert rows.broadcast(ledger, id_).state == "queued"
    assert events_of(ledger, id_) == []


@pytest.mark.parametrize("deed", [update(events).values(why="nothing happened"), delete(events)])
def test_events_are_never_changed_or_deleted(ledger: Ledger, deed: Any) -> None:
    id_ = rows.add_broadcast(ledger, rows.add_creator(ledger))
    with ledger.write() as connection:
        move(connection, version_of(id_, 1), State.QUEUED, State.SENDING, NOTE)
    with pytest.raises(DBAPIError, match="events are never changed"), ledger.write() as connection:
        connection.execute(deed)
    assert [event.why for event in events_of(ledger, id_)] == ["told to"]


@pytest.mark.parametrize(
    ("source", "target", "alarmed"),
    [
        (State.SENDING, State.FAILED, True),
        (State.PLANNED, State.EXPIRED, True),
        (State.PLANNED, State.SKIPPED, False),
        (State.SENDING, State.SENT, False),
    ],
)
def test_an_end_that_nobody_wants_is_told_once(ledger: Ledger, source: State, target: State, alarmed: bool) -> None:
    id_ = rows.add_broadcast(ledger, rows.add_creator(ledger), state=source.value)
    with ledger.write() as connection:
        move(connection, version_of(id_, 1), source, target, NOTE)
    with ledger.read() as session:
        found = list(session.execute(select(alarms)))
    assert [(row.broadcast_id, row.cleared_at) for row in found] == ([(id_, NOON)] if alarmed else [])


@pytest.mark.parametrize(
    ("source", "target", "wakes_at"),
    [
        (State.SENDING, State.SENT, None),
        (State.QUEUED, State.CANCELLED, NOON),
        (State.SENDING, State.PLANNED, NOON),
        (State.PLANNED, State.QUEUED, None),
        (State.QUEUED, State.SENDING, None),
        (State.SENDING, State.UNKNOWN, None),
    ],
)
def test_a_move_that_lets_others_go_wakes_the_account(
    ledger: Ledger, source: State, target: State, wakes_at: datetime | None
) -> None:
    creator_id = rows.add_creator(ledger, wake_at=None)
    id_ = rows.add_broadcast(ledger, creator_id, state=source.value)
    with ledger.write() as connection:
        move(connection, version_of(id_, 1), source, target, NOTE, **waiting(target))
    assert rows.creator(ledger, creator_id).wake_at == wakes_at


@pytest.mark.parametrize(
    ("state", "due_at", "wakes_at"),
    [("planned", NOON, NOON), ("planned", NOON + timedelta(seconds=1), None), ("queued", NOON, None)],
)
def test_one_that_was_sent_wakes_its_account_where_another_is_due(
    ledger: Ledger, state: str, due_at: datetime, wakes_at: datetime | None
) -> None:
    creator_id = rows.add_creator(ledger, wake_at=None)
    id_ = rows.add_broadcast(ledger, creator_id, state="sending")
    rows.add_broadcast(ledger, creator_id, state=state, due_at=due_at, occurrence="another")
    with ledger.write() as connection:
        move(connection, version_of(id_, 1), State.SENDING, State.SENT, NOTE)
    assert rows.creator(ledger, creator_id).wake_at == wakes_at


def test_an_earlier_wake_up_stands(ledger: Ledger) -> None:
    early = NOON - timedelta(hours=1)
    creator_id = rows.add_creator(ledger, wake_at=early)
    id_ = rows.add_broadcast(ledger, creator_id)
    with ledger.write() as connection:
        move(connection, version_of(id_, 1), State.QUEUED, State.SKIPPED, NOTE)
        assert connection.scalar(select(creators.c.wake_at)) == early
