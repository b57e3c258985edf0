"""What sources say of a broadcast is kept, sales count once, and one figure is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, true, update

from carillon import clock
from carillon.ledger import credit, results, tracking
from carillon.ledger.connect import Ledger
from carillon.ledger.figures import Evidence, Figures, Said, Sold, chosen, evidence_of
from carillon.ledger.tables import alarms, broadcasts
from carillon.ledger.tables_results import figures, sales, trackings
from ledger_rows import add_broadcast, add_creator, broadcast

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
T1, T2, T3 = (T0 + timedelta(minutes=n) for n in (1, 2, 3))


def exact(at: datetime, cents: int, purchases: int | None = None) -> Said:
    return Said("list", at, purchases=purchases, revenue_cents=cents)


def guess(at: datetime, cents: int, purchases: int) -> Said:
    return Said("price", at, purchases=purchases, revenue_cents=cents, estimated=True)


@pytest.mark.parametrize(
    ("evidence", "believed"),
    [
        pytest.param(Evidence(), Figures(), id="nobody said anything: unknown, not zero"),
        pytest.param(Evidence(accepted=9), Figures(recipients=9), id="the acceptance counts the recipients"),
        pytest.param(
            Evidence(9, [Said("a", T2, recipients=7), Said("b", T1, recipients=8)]),
            Figures(recipients=7),
            id="recipients: who spoke last",
        ),
        pytest.param(
            Evidence(said=[Said("a", T2, views=3, purchases=2), Said("b", T1, views=5, purchases=1)]),
            Figures(views=5, purchases=2),
            id="views and purchases only grow",
        ),
        pytest.param(
            Evidence(said=[exact(T1, 0, 0)]), Figures(purchases=0, revenue_cents=0), id="a zero that was said"
        ),
        pytest.param(
            Evidence(said=[exact(T1, 1000, 5), exact(T2, 1200, 6)]),
            Figures(purchases=6, revenue_cents=1200),
            id="the newest exact figure",
        ),
        pytest.param(
            Evidence(said=[Said("rows", T1, purchases=5, revenue_cents=800), exact(T1, 1000, 5)]),
            Figures(purchases=5, revenue_cents=800),
            id="said at once: from the smaller one something was taken back",
        ),
        pytest.param(
            Evidence(said=[Said("rows", T1, purchases=3, revenue_cents=600), exact(T1, 1000, 5)]),
            Figures(purchases=5, revenue_cents=1000),
            id="said at once: the one of more purchases",
        ),
        pytest.param(
            Evidence(said=[exact(T1, 1000, 5)], sold=Sold(6, 1200, newest=T2)),
            Figures(purchases=6, revenue_cents=1200),
            id="more was sold since the platform counted",
        ),
        pytest.param(
            Evidence(said=[exact(T2, 900, 5)], sold=Sold(5, 1000, newest=T1)),
            Figures(purchases=5, revenue_cents=900),
            id="the platform took something back that nobody told one by one",
        ),
        pytest.param(
            Evidence(said=[exact(T1, 1000, 5)], sold=Sold(1, 200, newest=T2)),
            Figures(purchases=5, revenue_cents=1000),
            id="of the sales only some were told",
        ),
        pytest.param(
            Evidence(said=[exact(T1, 1000, 5)], sold=Sold(5, 800, newest=T2, refunds=[(T2, -200)])),
            Figures(purchases=5, revenue_cents=800),
            id="a refund after the platform counted",
        ),
        pytest.param(
            Evidence(said=[exact(T3, 800, 5)], sold=Sold(5, 800, newest=T2, refunds=[(T2, -200)])),
            Figures(purchases=5, revenue_cents=800),
            id="a refund that the platform counted is not taken off again",
        ),
        pytest.param(
            Evidence(sold=Sold(3, 2997, newest=T1, tips_cents=500)),
            Figures(purchases=3, revenue_cents=2997, tips_cents=500),
            id="sales alone; tips are no part of the revenue",
        ),
        pytest.param(
            Evidence(said=[guess(T2, 5000, 5)], sold=Sold(5, 4321, newest=T1)),
            Figures(purchases=5, revenue_cents=4321),
            id="all sales are exact, price times purchases is not",
        ),
        pytest.param(
            Evidence(said=[guess(T2, 5000, 5)], sold=Sold(3, 3000, newest=T1)),
            Figures(purchases=5, revenue_cents=5000, estimated=True),
            id="sales are missing: the estimate",
        ),
        pytest.param(
            Evidence(said=[guess(T2, 5000, 5)], sold=Sold(5, 1000, unpriced=4, newest=T1)),
            Figures(purchases=5, revenue_cents=5000, estimated=True),
            id="buyers without amounts: the estimate",
        ),
        pytest.param(
            Evidence(said=[Said("a", T1, purchases=4)], sold=Sold(3, 3000, newest=T1)),
            Figures(purchases=4, revenue_cents=3000, estimated=True),
            id="sales are missing, and nothing else is known: at least so much",
        ),
        pytest.param(
            Evidence(said=[guess(T2, 5000, 5), exact(T1, 4000, 4)]),
            Figures(purchases=5, revenue_cents=4000),
            id="an exact figure before an estimate",
        ),
        pytest.param(Evidence(sold=Sold(2, None, unpriced=2, newest=T1)), Figures(purchases=2), id="names alone"),
    ],
)
def test_believes(evidence: Evidence, believed: Figures) -> None:
    assert chosen(evidence) == believed


def told(ledger: Ledger, id_: int) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(figures).where(figures.c.broadcast_id == id_).order_by(figures.c.source)))


def sold(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(sales).order_by(sales.c.id)))


def sent(ledger: Ledger, **values: Any) -> tuple[int, int]:
    creator_id = values.pop("creator_id", None) or add_creator(ledger)
    known = {"state": "sent", "platform_message_id": "mm_1", "sent_at": clock.now(), "delivery": "accepted", **values}
    return creator_id, add_broadcast(ledger, creator_id, **known)


def test_keeps_what_each_source_said_last(ledger: Ledger) -> None:
    _, id_ = sent(ledger)
    with ledger.write() as connection:
        results.keep_told(connection, id_, "list", T1, recipients=10, views=2, revenue_cents=500)
        results.keep_told(connection, id_, "list", T2, views=3, purchases=1)
        results.keep_told(connection, id_, "list", T1, recipients=1, views=1, purchases=9, revenue_cents=1)
        results.keep_told(connection, id_, "hint", T1, recipients=11)
    hint, listed = told(ledger, id_)
    assert (hint.recipients, hint.views) == (11, None)
    assert (listed.recipients, listed.views, listed.purchases, listed.revenue_cents) == (10, 3, 1, 500)
    assert listed.at == T2


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ((500, True), (700, True), (700, True)),
        ((500, True), (450, False), (450, False)),
        ((450, False), (500, True), (450, False)),
        ((450, False), (None, False), (450, False)),
        ((500, True), (None, False), (500, True)),
        ((None, False), (500, True), (500, True)),
    ],
)
def test_an_estimate_does_not_replace_an_exact_revenue(ledger: Ledger, before: Any, after: Any, kept: Any) -> None:
    _, id_ = sent(ledger)
    with ledger.write() as connection:
        for at, (cents, estimated) in ((T1, before), (T2, after)):
            results.keep_told(connection, id_, "a", at, revenue_cents=cents, estimated=estimated)
    assert [(row.revenue_cents, row.estimated) for row in told(ledger, id_)] == [kept]


def sale(ledger: Ledger, creator_id: int, name: str, **said: Any) -> bool:
    known = {"kind": "purchase", "at": T1, "source": "webhook", **said}
    with ledger.write() as connection:
        return results.keep_sale(connection, creator_id, name, known.pop("kind"), known.pop("at"), **known)


def test_a_sale_counts_once(ledger: Ledger) -> None:
    creator_id, id_ = sent(ledger)
    other = add_creator(ledger, "mia")
    assert sale(ledger, creator_id, "pur_1", broadcast_id=id_, fan="f1")
    assert not sale(ledger, creator_id, "pur_1", broadcast_id=id_, fan="f1", amount_cents=999)
    assert sale(ledger, creator_id, "pur_2", broadcast_id=id_, fan="f1", amount_cents=500)  # sold again, by its own id
    assert sale(ledger, creator_id, "tip_1", kind="tip", broadcast_id=id_, fan="f1", amount_cents=100)
    assert sale(ledger, creator_id, "ref_1", kind="refund", broadcast_id=id_, fan="f1", amount_cents=-500)
    assert sale(ledger, other, "pur_1", amount_cents=1)
    with ledger.read() as session:
        found = evidence_of(session.connection(), broadcasts.c.id == id_)[id_]
    refunds = [(T1, -500)]
    assert found.sold == Sold(2, 999, newest=T1, refunds=refunds, tips_cents=100)


@pytest.mark.parametrize("first", ["webhook", "buyers"])
def test_a_sale_told_by_webhook_and_by_poll_counts_once(ledger: Ledger, first: str) -> None:
    creator_id, id_ = sent(ledger)
    by_webhook = {"message_id": "mm_1", "fan": "f1", "amount_cents": 999}
    by_poll = {"broadcast_id": id_, "fan": "f1", "source": "buyers"}
    ways = [("pur_1", by_webhook), ("buyers:mm_1:f1", by_poll)]
    news = [sale(ledger, creator_id, name, **said) for name, said in (ways if first == "webhook" else ways[::-1])]
    assert news == [True, False]
    assert [(row.broadcast_id, row.amount_cents) for row in sold(ledger)] == [(id_, 999)]


def test_a_sale_is_bound_once_its_broadcast_is_known(ledger: Ledger) -> None:
    creator_id, id_ = sent(ledger, state="held", platform_message_id=None)
    assert sale(ledger, creator_id, "pur_1", message_id="mm_1", fan="f1", amount_cents=999)
    assert sale(ledger, creator_id, "pur_2", message_id="mm_2", fan="f1", amount_cents=1)
    assert sale(ledger, creator_id, "buyers:mm_1:f1", broadcast_id=id_, fan="f1", source="buyers")
    long_ago = clock.now() - timedelta(minutes=1)
    with ledger.write() as connection:
        named = {"state": "sent", "platform_message_id": "mm_1", "state_since": long_ago}
        connection.execute(update(broadcasts).values(named))
        assert tracking.begin(connection, clock.now(), 10) == 1
    assert [(row.sale, row.broadcast_id) for row in sold(ledger)] == [("pur_1", id_), ("pur_2", None)]


@pytest.mark.parametrize(
    ("before", "word", "after", "alarmed"),
    [
        ("accepted", "delivering", "delivering", 0),
        ("delivering", "done", "done", 0),
        (None, "done", "done", 0),
        ("done", "delivering", "done", 0),
        ("done", None, "done", 0),
        ("done", "accepted", "done", 0),
        ("delivering", "error", "error", 1),
        ("done", "cancelled", "cancelled", 1),
        ("error", "error", "error", 0),
        ("error", "done", "error", 0),
    ],
)
def test_delivery_goes_forward(ledger: Ledger, before: Any, word: Any, after: str, alarmed: int) -> None:
    _, id_ = sent(ledger, delivery=before, recipient_count=None)
    with ledger.write() as connection:
        for _ in range(2):
            results.keep_delivery(connection, id_, word, clock.now(), 12)
    row = broadcast(ledger, id_)
    assert (row.delivery, row.recipient_count, row.version) == (after, 12, 1)
    with ledger.read() as session:
        assert len(session.execute(select(alarms)).all()) == alarmed
    assert (row.reason or "").startswith("error_after_accept: " if alarmed else "")


def test_delivery_of_what_was_recalled_stays(ledger: Ledger) -> None:
    _, id_ = sent(ledger, state="unsent", recipient_count=5)
    with ledger.write() as connection:
        assert not results.keep_delivery(connection, id_, "cancelled", clock.now(), 7)
    assert (broadcast(ledger, id_).delivery, broadcast(ledger, id_).recipient_count) == ("accepted", 5)


def test_asks_ever_more_rarely_until_the_window_ends() -> None:
    at, minutes = T0, []
    while (following := tracking.next_look(T0, at)) is not None:
        at = following
        minutes.append(round((at - T0) / timedelta(minutes=1)))
    assert minutes == [1, 5, 15, 60, 360, *(1440 * day for day in range(1, 15))]


def test_tracks_what_was_sent_and_nothing_else(ledger: Ledger) -> None:
    now = clock.now()
    ago = {"state_since": now - timedelta(minutes=1), "sent_at": now - timedelta(minutes=1)}
    creator_id, wanted = sent(ledger, **ago)
    rest = {"creator_id": creator_id, **ago}
    _, nameless = sent(ledger, platform_message_id=None, **rest, campaign="b")
    _, old = sent(ledger, platform_message_id="m2", campaign="c", **rest | {"sent_at": now - tracking.WINDOW})
    _, fresh = sent(ledger, platform_message_id="m3", campaign="d", **rest | {"state_since": now})
    _, failed = sent(ledger, platform_message_id=None, campaign="e", **rest, state="failed")
    with ledger.write() as connection:
        assert tracking.begin(connection, now, 10) == 3
        assert tracking.begin(connection, now, 10) == 0
    with ledger.read() as session:
        found = {row.broadcast_id: row for row in session.execute(select(trackings))}
    assert found.keys() == {wanted, nameless}
    assert found[wanted].next_at == ago["sent_at"] + timedelta(minutes=1)
    assert found[nameless].next_at is None
    assert [broadcast(ledger, id_).tracked for id_ in (wanted, nameless, old, fresh, failed)] == [1, 1, 1, 0, 0]


def test_a_hint_brings_the_next_question_forward(ledger: Ledger) -> None:
    creator_id, id_ = sent(ledger)
    now = clock.now()
    row = {"broadcast_id": id_, "creator_id": creator_id, "until": now + timedelta(days=1), "put_offs": 0}
    with ledger.write() as connection:
        connection.execute(insert(trackings).values({**row, "next_at": now + timedelta(hours=6)}))

    def hurried(**values: Any) -> timedelta | None:
        with ledger.write() as connection:
            connection.execute(update(trackings).values(put_offs=0, **values))
            results.hurry(connection, id_, now)
            at = connection.scalar(select(trackings.c.next_at))
        return None if at is None else at - now

    assert hurried() == timedelta(0)
    assert hurried(next_at=now + timedelta(hours=6), asked_at=now - timedelta(seconds=5)) == results.LEAST_BETWEEN
    assert hurried(next_at=None, asked_at=now - timedelta(hours=5)) == timedelta(0)
    assert hurried(next_at=now + timedelta(seconds=20)) == timedelta(seconds=20)
    assert hurried(next_at=None, until=now - timedelta(seconds=1)) is None


def test_credits_are_counted_and_low_ones_told_once(ledger: Ledger) -> None:
    luna = add_creator(ledger, platform="onlyfansapi", account="a1", credentials="env:KEY")
    mia = add_creator(ledger, "mia", platform="onlyfansapi", account="a2", credentials="env:KEY")
    now = clock.now()

    def left(creator_id: int, used: int, balance: int | None, at: datetime) -> list[str]:
        with ledger.write() as connection:
            credit.keep(connection, creator_id, used, balance, at)
            open_ones = select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))
            return list(connection.scalars(open_ones))

    low = ["credits:onlyfansapi:env:KEY"]
    assert left(luna, 1500, 5000, now) == []
    assert left(mia, 600, 2050, now + timedelta(hours=1)) == low  # the two of them use 2,100 a week
    assert left(luna, 1, 2040, now + timedelta(hours=2)) == low
    assert left(luna, 0, 9000, now + timedelta(hours=3)) == []
    assert left(luna, 1, None, now + timedelta(hours=4)) == []
    assert left(luna, 1, 1400, now + timedelta(days=8)) == low  # less than its last week
    assert left(mia, 1, 1001, now + timedelta(days=30)) == []
    assert left(mia, 1, 999, now + timedelta(days=30, hours=1)) == low
    with ledger.read() as session:
        assert credit.standing(session.connection()) == {luna: (1503, 999), mia: (602, 999)}
        assert len(session.execute(select(alarms)).all()) == 3


def test_what_is_known_of_each(ledger: Ledger) -> None:
    creator_id, id_ = sent(ledger, recipient_count=4)
    _, silent = sent(ledger, creator_id=creator_id, platform_message_id=None, campaign="b")
    with ledger.write() as connection:
        results.keep_told(connection, id_, "list", T1, views=3)
    with ledger.read() as session:
        found = evidence_of(session.connection(), true())
    assert found == {id_: Evidence(4, [Said("list", T1, views=3)]), silent: Evidence()}
    assert chosen(found[id_]) == replace(Figures(), recipients=4, views=3)
