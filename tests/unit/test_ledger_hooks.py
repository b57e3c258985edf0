"""A webhook is stored once, for ever; whoever takes it finds it waiting until somebody has."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from carillon import clock
from carillon.ledger import hooks
from carillon.ledger.connect import Ledger
from carillon.ledger.tables_media import hooks as hook_rows
from ledger_rows import add_creator, creator


def stored(ledger: Ledger, creator_id: int, delivery: str | None, raw: bytes) -> bool:
    with ledger.write() as connection:
        return hooks.store(connection, creator(ledger, creator_id), delivery, raw, clock.now())


@pytest.mark.parametrize(
    ("one", "other", "news"),
    [
        (("a", b"1"), ("b", b"2"), True),
        ((None, b"1"), (None, b"2"), True),
        (("a", b"1"), ("a", b"1"), False),
        (("a", b"1"), ("a", b"2"), False),
        (("a", b"1"), ("b", b"1"), False),
        (("a", b"1"), (None, b"1"), False),
        (("x" * 5000, b"1"), ("x" * 5000, b"2"), False),
        (("x" * 5000 + "1", b"1"), ("x" * 5000 + "2", b"2"), True),
        (("n\u0000l", b"1"), ("n\u0000l", b"2"), False),
        (("\ud800", b"1"), ("\ud800", b"2"), False),
    ],
)
def test_neither_an_id_nor_a_body_counts_twice(
    ledger: Ledger, one: tuple[str | None, bytes], other: tuple[str | None, bytes], news: bool
) -> None:
    luna = add_creator(ledger)
    assert stored(ledger, luna, *one)
    assert stored(ledger, luna, *other) is news


def test_each_account_has_its_own(ledger: Ledger) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia")
    assert [stored(ledger, one, "a", b"1") for one in (luna, mia)] == [True, True]


def test_of_many_in_one_moment_one_is_new(ledger: Ledger) -> None:
    luna = add_creator(ledger)
    with ThreadPoolExecutor(8) as pool:
        news = list(pool.map(lambda _: stored(ledger, luna, "a", b"1"), range(16)))
    assert sorted(news) == [False] * 15 + [True]


def waiting(ledger: Ledger) -> Sequence[int]:
    with ledger.read() as session:
        return [row.id for row in hooks.waiting(session.connection(), 0)]


def test_what_is_done_waits_no_more_and_its_body_is_forgotten(ledger: Ledger) -> None:
    luna = add_creator(ledger)
    stored(ledger, luna, "a", b'{"text": "what a fan wrote"}')
    stored(ledger, luna, "b", b"2")
    first, second = waiting(ledger)
    with ledger.write() as connection:
        hooks.done(connection, first, "of no concern", clock.now())
        assert hooks.still_waiting(connection, first) is None
        assert hooks.still_waiting(connection, second) is not None
    assert waiting(ledger) == [second]
    with ledger.read() as session:
        row = session.execute(select(hook_rows).where(hook_rows.c.id == first)).one()
    assert (row.body, row.words) == ("", "of no concern")
    assert not stored(ledger, luna, None, b'{"text": "what a fan wrote"}'), "its digest stays"


def test_it_is_for_the_account_that_has_the_name_now(ledger: Ledger) -> None:
    gone = add_creator(ledger, account="old", enabled=False)
    mine = add_creator(ledger, account="new")
    add_creator(ledger, account="gone too", enabled=False)
    add_creator(ledger, account="elsewhere", platform="fanvue")
    with ledger.write() as connection:
        found = hooks.addressee(connection, "frontrow", "luna")
        assert found is not None
        assert found.id == mine != gone
        assert hooks.addressee(connection, "frontrow", "mia") is None
