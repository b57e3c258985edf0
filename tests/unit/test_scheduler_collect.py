"""Which accounts the scheduler has asked for results, and when."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts
from carillon.ledger.tables_results import trackings
from ledger_rows import add_broadcast, add_creator
from scheduler.collect import MOST_ORDERS, collect
from scheduler.rescue import Reminders
from scheduler.signs import Question, Signs


class Beats:
    """The beat, as one scheduler runs it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._reminders = ledger, Reminders()
        self.broker = brokers.make(None, "test")

    def __call__(self) -> list[int]:
        return collect(self._ledger, self.broker, self._reminders)


def sent(ledger: Ledger, creator_id: int, ago: timedelta = timedelta(minutes=2), **values: Any) -> int:
    at = clock.now() - ago
    known = {"state": "sent", "sent_at": at, "state_since": at, "platform_message_id": f"m{ago}"}
    return add_broadcast(ledger, creator_id, f"drop {ago}", **{**known, **values})


def next_at(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return list(session.scalars(select(trackings.c.next_at).order_by(trackings.c.broadcast_id)))


def test_orders_what_is_due_and_again_if_nobody_asked(ledger: Ledger) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia")
    sent(ledger, luna)
    sent(ledger, luna, timedelta(minutes=3))
    sent(ledger, mia, timedelta(seconds=50))
    beat = Beats(ledger)
    assert beat() == [luna]
    assert beat() == [], "it was ordered a moment ago"
    assert beat.broker.queues["frontrow"].qsize() == 1
    assert Beats(ledger)() == [luna], "another scheduler knows nothing of that"
    assert len(next_at(ledger)) == 3


def test_a_platform_with_much_to_ask_holds_up_no_other(ledger: Ledger) -> None:
    many = [add_creator(ledger, f"c{n}") for n in range(MOST_ORDERS + 5)]
    for creator_id in many:
        sent(ledger, creator_id, timedelta(minutes=5))
    luna = add_creator(ledger, "luna", platform="fanvue")
    sent(ledger, luna)
    ordered = Beats(ledger)()
    assert luna in ordered
    assert len(ordered) == MOST_ORDERS + 1


def test_what_cannot_be_asked_waits_a_while(ledger: Ledger) -> None:
    now = clock.now()
    stopped = add_creator(ledger, "a", stopped_at=now, stopped_reason="credentials: no")
    cooling = add_creator(ledger, "b", cool_down_until=now + timedelta(hours=1))
    gone = add_creator(ledger, "c", enabled=False)
    for creator_id in (stopped, cooling, gone):
        sent(ledger, creator_id)
    assert Beats(ledger)() == []
    assert all(timedelta(minutes=9) < at - now < timedelta(minutes=11) for at in next_at(ledger))


def signs(ledger: Ledger) -> Signs:
    question = Question(ledger)
    try:
        return question.ask()
    finally:
        question.close()


def test_shows_at_a_glance(ledger: Ledger) -> None:
    luna = add_creator(ledger)
    assert (signs(ledger).untracked_since, signs(ledger).collect_at) == (None, None)
    id_ = sent(ledger, luna)
    sent(ledger, luna, timedelta(hours=2), state="failed")
    with ledger.read() as session:
        since = session.scalar(select(broadcasts.c.state_since).where(broadcasts.c.id == id_))
    assert signs(ledger).untracked_since == since
    Beats(ledger)()
    assert signs(ledger).untracked_since is None
    assert signs(ledger).collect_at == next_at(ledger)[0]
    with ledger.write() as connection:
        connection.execute(update(trackings).values(next_at=None))
    assert signs(ledger).collect_at is None
