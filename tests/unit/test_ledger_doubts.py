"""What may have been taken before is never called unsent: refused, stopped, withdrawn or skipped, a person decides."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import func, insert, select

from carillon import clock
from carillon.handoff.orders import QUEUES
from carillon.ledger import accounts, decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.doubts import end_unsent
from carillon.ledger.states import Note, State
from carillon.ledger.tables import attempts, broadcasts, events, slots
from carillon.platforms import errors
from carillon.platforms.client import Client
from ledger_rows import add_broadcast, add_creator, broadcast
from scheduler.release import release
from standins import Reply, StandIn
from worker.claim import Claim, claim
from worker.deliver import deliver
from worker.means import Means
from worker.record import record
from worker.verdict import turned_away

REFUSED = turned_away(errors.Refused("HTTP 422: told so"), 0, 0)


@pytest.fixture
def means(ledger: Ledger) -> Means:
    return Means(ledger, cast("Client", None), "worker test", 2)


@pytest.fixture
def nobody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    """Means for a platform on which nobody is in the list."""
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    with StandIn(lambda _: Reply(200, {"data": [{"id": "subscribers", "name": "S", "count": 0}]})) as platform:
        yield Means(ledger, client, "worker test", 2, {"frontrow": platform.url})
    client.close()


def resent(ledger: Ledger, state: str = "queued", verdict: str = "resent", **values: object) -> int:
    id_ = add_broadcast(ledger, add_creator(ledger, wake_at=None), "drop", state=state, attempts=1, **values)
    then = clock.now() - timedelta(minutes=3)
    made = {"number": 1, "token": f"t{id_}", "host": "h", "pid": 1, "process_birth": "b", "verdict": verdict}
    times = {"started_at": then, "lease_until": then + timedelta(seconds=30), "timeout_seconds": 20}
    with ledger.write() as connection:
        one = {"broadcast_id": id_, "request_digest": "d", "finished_at": then, **made, **times}
        connection.execute(insert(attempts).values(one))
    return id_


def sends_again(means: Means, id_: int) -> Claim:
    claimed = claim(means, broadcast(means.ledger, id_), "digest")
    assert isinstance(claimed, Claim)
    return claimed


def standing(ledger: Ledger, id_: int) -> tuple[str, str]:
    row = broadcast(ledger, id_)
    return row.state, (row.reason or "").partition(":")[0]


def moves(ledger: Ledger, id_: int) -> list[str]:
    with ledger.read() as session:
        told = select(events.c.target).where(events.c.broadcast_id == id_).order_by(events.c.id)
        return list(session.scalars(told))


@pytest.mark.parametrize(
    ("verdict", "ends"), [("resent", ("held", "unknown_outcome")), ("throttled", ("failed", "refused"))]
)
def test_refused_as_it_goes_once_more(ledger: Ledger, means: Means, verdict: str, ends: tuple[str, str]) -> None:
    id_ = resent(ledger, verdict=verdict)
    claimed = sends_again(means, id_)
    record(means, broadcast(ledger, id_), claimed, REFUSED, 9, "")
    assert standing(ledger, id_) == ends
    assert moves(ledger, id_) == ["sending", *(["unknown", "held"] if ends[0] == "held" else ["failed"])]
    with ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(slots)) == 0, "of the refused one"


def test_what_a_person_called_not_sent_is_in_no_doubt_any_more(ledger: Ledger, means: Means) -> None:
    id_ = resent(ledger, state="held")
    decisions.resolve(ledger, id_, sent=False, message_id=None, who="person:eve", reason="looked")
    with ledger.write() as connection:
        connection.execute(broadcasts.update().values(state="queued", waiting_for=None))
    record(means, broadcast(ledger, id_), sends_again(means, id_), REFUSED, 9, "")
    assert standing(ledger, id_) == ("failed", "refused")


def test_nobody_is_there_as_it_goes_once_more(ledger: Ledger, nobody: Means) -> None:
    id_ = resent(ledger)
    deliver(nobody, id_)
    assert standing(ledger, id_) == ("held", "unknown_outcome")
    assert "nobody is in S" in broadcast(ledger, id_).reason


def test_the_one_before_it_is_under_way_again_as_it_goes_once_more(ledger: Ledger) -> None:
    later = resent(ledger, state="planned", overlap="skip")
    row = broadcast(ledger, later)
    add_broadcast(ledger, row.creator_id, "drop", state="sending", due_at=row.due_at - timedelta(hours=1))
    broker = StubBroker(middleware=[])
    for queue in QUEUES:
        broker.declare_queue(queue)
    with ledger.write() as connection:
        accounts.wake(connection, [row.creator_id], clock.now() - timedelta(seconds=1))
    release(ledger, broker, (), "scheduler test")
    assert broadcast(ledger, later).state == "planned"


@pytest.mark.parametrize("source", [State.PLANNED, State.QUEUED, State.UNKNOWN, State.HELD])
def test_what_is_sure_ends_and_what_is_not_is_held(ledger: Ledger, source: State) -> None:
    doubtful = resent(ledger, state=source.value)
    sure = add_broadcast(ledger, broadcast(ledger, doubtful).creator_id, "other", state=source.value)
    both = broadcasts.c.id.in_([doubtful, sure])
    with ledger.write() as connection:
        note = Note(clock.now(), "test", "it cannot go")
        assert sorted(end_unsent(connection, both, source, State.FAILED, note, reason="refused: x")) == [doubtful, sure]
    assert broadcast(ledger, doubtful).state == "held"
    assert broadcast(ledger, sure).state == "failed"
