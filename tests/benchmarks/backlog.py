"""An account with a thousand broadcasts that wait: what it costs to send one of them, and what it costs the others."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import dramatiq
from sqlalchemy import select, update

import servers
from benchmarks import durable
from benchmarks.crowd import add_accounts, add_planned, settle_down, use_slots
from benchmarks.results import Result
from benchmarks.work import Work, counted
from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger import allowance
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.tables import broadcasts, creators
from scheduler.release import release

WHAT = "a backlog of 1,000 under 10 an hour: "
FEW, MANY, OTHERS = 10, 1_000, 1_000


def rows(rounds: int) -> Iterator[Result]:
    with durable.postgresql() as server, durable.valkey() as queue:
        yield _grows(server, queue, "each of another campaign", one_campaign=False)
        yield _grows(server, queue, "all of one campaign, each overlapping the one before", one_campaign=True)
        yield _others(server, queue, "1,000 other creators beside it", rounds, {})
        cooling = {"cool_down_until": clock.now() + timedelta(days=1)}
        yield _others(server, queue, "1,000 other creators beside one that cools down for a day", rounds, cooling)


def _grows(server: str, queue: str, how: str, *, one_campaign: bool) -> Result:
    few, many = (_one_more(server, queue, waiting, one_campaign=one_campaign) for waiting in (FEW, MANY))
    words = f"release: {few[0]} with {FEW} waiting, {many[0]} with {MANY}; claim's question: {few[1]}, {many[1]}"
    ratio = sum(work.read for work in many) / sum(work.read for work in few)
    return _result(f"what is read for one, {how}", "at most 1.5", "times that with 10", [ratio], words)


def _one_more(server: str, queue: str, waiting: int, *, one_campaign: bool) -> tuple[Work, Work]:
    """A slot frees: what moves the best of them, and what the claim asks about those before it."""
    with _ledger(server) as ledger:
        broker = brokers.make(queue, "bench")
        account = _add_backlog(ledger, waiting, one_campaign=one_campaign)
        _add_others(ledger, clock.now() + timedelta(days=1))
        settle_down(ledger)
        _set(ledger, account, {"wake_at": clock.now()})
        with counted(ledger) as released:
            assert release(ledger, broker, (), "bench") == 1
        with counted(ledger) as claimed, ledger.read() as session:
            head = select(broadcasts).where(broadcasts.c.creator_id == account, broadcasts.c.state == "queued")
            row = session.execute(head).one()
            assert allowance.better(session.connection(), row, clock.now(), ()) == 0
        return released, claimed


def _others(server: str, queue: str, how: str, rounds: int, values: dict[str, Any]) -> Result:
    """Interleaved, each on a ledger of its own: their release beside an account with a backlog, and without one."""
    beside, alone = [], []
    broker = brokers.make(queue, "bench")
    with _ledger(server) as busy, _ledger(server) as calm:
        for ledger, waiting in ((busy, MANY), (calm, 1)):
            account = _add_backlog(ledger, waiting, one_campaign=False)
            _set(ledger, account, values)
            _add_others(ledger, clock.now())
        for _ in range(4 * rounds):
            alone.append(_released(calm, broker, values))
            beside.append(_released(busy, broker, values))
    ratios = [ours / theirs for ours, theirs in zip(beside, alone, strict=True)]
    words = (
        f"CPU of scheduler and database for 1,000: {median(alone) * 1000:.0f} ms alone; median of {len(ratios)} pairs"
    )
    return _result(how, "at most 1.01", "times the work without it", [median(ratios)], words)


def _released(ledger: Ledger, broker: dramatiq.Broker, values: dict[str, Any]) -> float:
    soon = {"state": "planned", "due_at": clock.now() - timedelta(seconds=1)}
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.campaign == "drop").values(soon))
        again = (broadcasts.c.campaign.startswith("wait-"), broadcasts.c.state == "queued")
        connection.execute(update(broadcasts).where(*again).values(state="planned"))
    settle_down(ledger)
    _wake(ledger)
    with counted(ledger) as work:
        assert release(ledger, broker, (), "bench") == OTHERS + (0 if values else 1)
    return work.cpu


def _add_backlog(ledger: Ledger, waiting: int, *, one_campaign: bool) -> int:
    """Nine of its ten slots are used."""
    [account] = add_accounts(ledger, ["busy"], None)
    use_slots(ledger, account, 9)
    now = clock.now()
    names = ["wait" if one_campaign else f"wait-{number}" for number in range(waiting)]
    due = [now - timedelta(seconds=waiting - number) for number in range(waiting)]
    add_planned(ledger, [(account, name, at) for name, at in zip(names, due, strict=True)])
    return account


def _add_others(ledger: Ledger, due: datetime) -> None:
    ids = add_accounts(ledger, [f"other-{number}" for number in range(OTHERS)], None)
    add_planned(ledger, [(id_, "drop", due) for id_ in ids])


def _set(ledger: Ledger, account: int, values: dict[str, Any]) -> None:
    if values:
        with ledger.write() as connection:
            connection.execute(update(creators).where(creators.c.id == account).values(values))


def _wake(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute(update(creators).values(wake_at=clock.now()))


@contextmanager
def _ledger(server: str) -> Iterator[Ledger]:
    with servers.fresh_database(server) as url, closing(Ledger(url)) as ledger:
        migrate(ledger)
        yield ledger


def _result(how: str, goal: str, unit: str, values: list[float], words: str) -> Result:
    return {
        "what": WHAT + how,
        "goal": goal,
        "unit": unit,
        "value": median(values),
        "floor": None,
        "ratio": None,
        "detail": words,
    }
