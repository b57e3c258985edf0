"""The clear cases write the very rows that the worker's own weighing writes, and what is not clear they leave alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from carillon import clock
from carillon.ledger import clear, decisions
from carillon.ledger.clear import Acceptance, Taking
from carillon.ledger.connect import Ledger
from carillon.ledger.states import MOVES, State
from carillon.ledger.tables import alarms, attempts, broadcasts, creators, events, pauses, slots
from carillon.platforms.client import Client
from carillon.platforms.contract import Receipt
from ledger_rows import add_broadcast, add_creator, broadcast
from worker.claim import Claim, claim
from worker.means import Means
from worker.record import record
from worker.verdict import accepted

TABLES = (broadcasts, creators, attempts, slots, events, alarms, pauses)
SOON, LONG_AGO = timedelta(minutes=5), timedelta(minutes=-5)


@pytest.fixture
def means(ledger: Ledger) -> Iterator[Means]:
    client = Client(1)
    yield Means(ledger, client, "worker test", 20)
    client.close()


def contents(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    with ledger.read() as session:
        return {table.name: _rows(session, table) for table in TABLES}


def _rows(session: Any, table: Table) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(select(table).order_by(*table.primary_key))]


def taking(row: Any) -> Taking:
    return Taking(row.id, row.version, row.creator_id, f"t{row.id}", "host", 7, "birth", 30, 20, "digest", None, "me")


def acceptance(row: Any, claimed: tuple[int, int], **changes: Any) -> Acceptance:
    plain = Acceptance(
        broadcast=row.id,
        account=row.creator_id,
        attempt=claimed[0],
        number=claimed[1],
        token=f"t{row.id}",
        latency_ms=12,
        status=202,
        verdict="accepted",
        words="accepted as mm_1",
        message_id="mm_1",
        recipient_count=847,
        delivery="accepted",
        who="me",
    )
    return plain._replace(**changes)


# The same rows as by the other way


@contextmanager
def weighed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is clear."""
    with monkeypatch.context() as patch:
        patch.setattr(clear, "claim", lambda *_: None)
        patch.setattr(clear, "record", lambda *_: False)
        yield


@pytest.mark.parametrize(
    ("receipt", "woken", "put_off"),
    [
        (Receipt("mm_1", 847, "accepted", 202), None, False),
        (Receipt("mm_1", 847, "accepted", 202), LONG_AGO, True),
        (Receipt(None, None, "accepted", 200), SOON, True),
        (Receipt("mm_2", 0, "done", 201), SOON, False),
    ],
    ids=["never woken", "woken before, put off before", "to be woken later, no id", "done at once"],
)
def test_both_ways_write_the_same_rows(
    ledger: Ledger,
    means: Means,
    monkeypatch: pytest.MonkeyPatch,
    receipt: Receipt,
    woken: timedelta | None,
    put_off: bool,
) -> None:
    begin = clock.now()
    row: dict[str, Any] = {
        "hand_offs": 1,
        "hand_off_at": begin,
        **({"attempts": 2, "put_offs": 3, "version": 9} if put_off else {}),
    }
    wake_at = None if woken is None else begin + woken
    for key in ("luna", "mia"):
        creator_id = add_creator(ledger, key, wake_at=wake_at, limit_count=2)
        add_broadcast(ledger, creator_id, due_at=begin - timedelta(seconds=9), state_since=begin, **row)
    for creator_id in (1, 2) if put_off else ():  # somebody who waits is to be woken
        add_broadcast(ledger, creator_id, "other", state="planned", due_at=begin, state_since=begin)
    send(means, 1, receipt, "the baseline")
    with weighed(monkeypatch):
        send(means, 2, receipt, "the baseline")
    clearly, by_weighing = halves(contents(ledger), begin)
    assert clearly == by_weighing
    assert [event["target"] for event in clearly["event"]] == ["sending", "sent"]
    assert all((State(event["target"]) in MOVES[State(event["source"])]) for event in clearly["event"])


def send(means: Means, broadcast_id: int, receipt: Receipt, baseline: str | None) -> None:
    row = broadcast(means.ledger, broadcast_id)
    claimed = claim(means, row, "digest", baseline)
    assert isinstance(claimed, Claim)
    record(means, row, claimed, accepted(receipt), 12, "credential")


def halves(found: dict[str, list[dict[str, Any]]], begin: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is luna's and what is mia's, with nothing in it that must differ."""
    half: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, rows in found.items():
        for which, row in enumerate(rows):
            half[which % 2 if name != "event" else which // 2].setdefault(name, []).append(_alike(row, begin))
    return half


def _alike(row: dict[str, Any], begin: Any) -> dict[str, Any]:
    """Instants as whole seconds from the begin, and as none if they come from the clock of the moment."""
    own = {"id", "creator_id", "broadcast_id", "attempt_id", "token", "key", "account", "name", "credentials"}
    return {name: _rounded(value, begin) for name, value in row.items() if name not in own}


def _rounded(value: Any, begin: Any) -> Any:
    if not hasattr(value, "tzinfo"):
        return value
    seconds = (value - begin).total_seconds()
    return "now" if 0 <= seconds < 10 else round(seconds / 15)


# What is not clear


def stop(ledger: Ledger) -> None:
    _set(ledger, stopped_at=clock.now(), stopped_reason="forbidden")


def cool(ledger: Ledger) -> None:
    _set(ledger, cool_down_until=clock.now() + SOON)


def keep_quiet(ledger: Ledger) -> None:
    _set(ledger, quiet_hours="03:00-03:01", timezone="UTC")


def _set(ledger: Ledger, **values: Any) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).values(values))


def _change(ledger: Ledger, **values: Any) -> None:
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == 1).values(values))


def pausing(level: str, target: str) -> Callable[[Ledger], None]:
    return lambda ledger: decisions.pause(ledger, level, target, "person:ada", None)


def use_up(ledger: Ledger) -> None:
    """One slot of two is taken, and another broadcast is due."""
    taken = broadcast(ledger, add_broadcast(ledger, 1, "taken"))
    assert clear.claim(ledger, taking(taken))
    add_broadcast(ledger, 1, "other", state="planned")


NOT_CLEAR: dict[str, Callable[[Ledger], object]] = {
    "stopped": stop,
    "cooling down": cool,
    "quiet hours, even if it is not quiet now": keep_quiet,
    "all paused": pausing("all", ""),
    "platform paused": pausing("platform", "frontrow"),
    "creator paused": pausing("creator", "luna"),
    "campaign paused": pausing("campaign", "drop"),
    "fewer slots than are due": use_up,
    "no slot at all": lambda ledger: _set(ledger, limit_count=0),
    "more queued than slots": lambda ledger: [add_broadcast(ledger, 1, f"c{n}") for n in range(2)],
    "more planned than slots": lambda ledger: (
        [add_broadcast(ledger, 1, f"c{n}", state="planned") for n in "ab"] and None
    ),
    "another version": lambda ledger: _change(ledger, version=2),
    "not queued": lambda ledger: _change(ledger, state="held"),
    "not due": lambda ledger: _change(ledger, due_at=clock.now() + SOON),
    "expired": lambda ledger: _change(ledger, expires_at=clock.now() - SOON),
}


@pytest.mark.parametrize("make", NOT_CLEAR.values(), ids=NOT_CLEAR.keys())
def test_a_claim_that_is_not_clear_changes_nothing(ledger: Ledger, make: Callable[[Ledger], object]) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger, limit_count=2)))
    make(ledger)
    before = contents(ledger)
    assert clear.claim(ledger, taking(row)) is None
    assert contents(ledger) == before


CLEAR: dict[str, Callable[[Ledger], object]] = {
    "others paused": lambda ledger: (
        [pausing(*pair)(ledger) for pair in (("platform", "fanvue"), ("creator", "mia"), ("campaign", "other"))]
        and None
    ),
    "a slot for each": lambda ledger: add_broadcast(ledger, 1, "other"),
    "more that are not due": lambda ledger: (
        [add_broadcast(ledger, 1, f"c{n}", state="planned", due_at=clock.now() + SOON) for n in range(4)] and None
    ),
    "more that have gone": lambda ledger: [add_broadcast(ledger, 1, f"c{n}", state="sent") for n in range(4)],
    "cooled down": lambda ledger: _set(ledger, cool_down_until=clock.now() - SOON),
}


@pytest.mark.parametrize("make", CLEAR.values(), ids=CLEAR.keys())
def test_what_concerns_others_or_is_over_is_clear(ledger: Ledger, make: Callable[[Ledger], object]) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger, limit_count=2)))
    make(ledger)
    claimed = clear.claim(ledger, taking(row))
    assert claimed is not None
    assert claimed[1] == 1
    assert broadcast(ledger, row.id).state == "sending"


def end_attempt(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(update(attempts).values(finished_at=clock.now()))


NOT_TO_RECORD: dict[str, tuple[Callable[[Ledger], object], dict[str, Any]]] = {
    "throttled before": (lambda ledger: _set(ledger, throttled_in_a_row=1), {}),
    "the id of another": (lambda ledger: add_broadcast(ledger, 1, "b", platform_message_id="mm_1", state="sent"), {}),
    "unknown by now": (lambda ledger: _change(ledger, state="unknown"), {}),
    "held by now": (lambda ledger: _change(ledger, state="held"), {}),
    "decided by a person": (lambda ledger: _change(ledger, state="planned"), {}),
    "a newer attempt": (lambda ledger: _change(ledger, attempts=2), {}),
    "recorded before": (end_attempt, {}),
    "another's token": (lambda _: None, {"token": "another"}),
}


@pytest.mark.parametrize(("make", "changes"), NOT_TO_RECORD.values(), ids=NOT_TO_RECORD.keys())
def test_a_record_that_is_not_clear_changes_nothing(
    ledger: Ledger, make: Callable[[Ledger], object], changes: dict[str, Any]
) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger)))
    claimed = clear.claim(ledger, taking(row))
    assert claimed
    make(ledger)
    before = contents(ledger)
    assert clear.record(ledger, acceptance(row, claimed, **changes)) is False
    assert contents(ledger) == before


def test_what_was_recorded_is_not_recorded_again(ledger: Ledger) -> None:
    row = broadcast(ledger, add_broadcast(ledger, add_creator(ledger)))
    claimed = clear.claim(ledger, taking(row))
    assert claimed
    assert [clear.record(ledger, acceptance(row, claimed)) for _ in range(2)] == [True, False]
