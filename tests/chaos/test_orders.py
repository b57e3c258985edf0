"""Orders that come twice, at once or late, and orders that are none: F03, F09, F28, F29. The ledger decides."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from carillon.handoff import broker as brokers
from carillon.handoff.doorbell import ORDERS, ring
from carillon.handoff.orders import DELIVER, QUEUES, RECONCILE, hand_off
from carillon.ledger.installation import installation
from carillon.ledger.states import State
from chaos.conftest import Known
from chaos.estate import Estate
from chaos.points import one
from chaos.verdicts import check, check_all
from running import until

Opened = Callable[[str], Known]
Build = Callable[..., Estate]


@contextmanager
def queue_of(estate: Estate) -> Iterator[RedisBroker]:
    broker = brokers.make(estate.redis_url, installation(estate.ledger))
    assert isinstance(broker, RedisBroker)
    with closing(broker.client):
        yield broker


def order(estate: Estate, what: str, *ids: int) -> None:
    with queue_of(estate) as broker:
        assert hand_off(broker, what, [(id_, "fanvue") for id_ in ids])
        ring(broker, ORDERS, "fanvue")


@pytest.mark.parametrize("turn", [1, 2, *(pytest.param(turn, marks=pytest.mark.chaos) for turn in range(3, 21))])
def test_two_workers_claim_in_the_same_moment(turn: int, opened: Opened, build: Build) -> None:
    """F28: both stand before the claim with the same order, and go on at once. One of them gets it."""
    claiming = one(opened("postgresql").of("claim"), ">claim>").name
    estate = build("scheduler", "worker", "worker")
    estate.wire.arm(claiming, claiming, deed="stop")
    before = estate.wire.trips
    case = estate.declare()
    until(lambda: estate.wire.trips == before + 1)
    frozen = [estate.wire.tripped_by]
    order(estate, DELIVER, estate.first(case).id)
    until(lambda: estate.wire.trips == before + 2)
    for pid in (*frozen, estate.wire.tripped_by)[:: 1 if turn % 2 else -1]:
        os.kill(pid, signal.SIGCONT)
    row = estate.rest(case)
    check(estate, case, "two workers at once")
    assert len(estate.attempts(row)) == 1


def test_a_doubled_and_a_stale_order_find_nothing_to_do(opened: Opened) -> None:
    """F03, F09: for a broadcast that was sent, and for one that waits; ten times each."""
    estate = opened("postgresql").estate
    case = estate.declare()
    estate.rest(case)
    versions = [row.version for row in estate.rows(case)]
    ids = [row.id for row in estate.rows(case)]
    order(estate, DELIVER, *ids * 10)
    order(estate, RECONCILE, *ids * 10)
    until(lambda: waiting(estate) == 0, 30)
    estate.rest(estate.declare())  # what came after them is done, so they are
    assert [row.version for row in estate.rows(case)] == versions
    check(estate, case, "doubled orders")
    check_all(estate)


MALFORMED: dict[str, dict[str, Any]] = {
    "an unknown id": {"args": (10**12,)},
    "no number": {"args": ("abc",)},
    "nothing": {"args": ()},
    "too much": {"args": (1, 2, 3)},
    "an unknown order": {"actor_name": "nonsense", "args": (1,)},
}


def test_an_order_that_is_none_harms_nobody(opened: Opened) -> None:
    """F29: rows stay untouched, the log says what could not be carried out, and the next order goes as ever."""
    estate = opened("postgresql").estate
    known = estate.declare()
    estate.rest(known)
    before, posts = [tuple(row) for row in estate.rows(known)], estate.judge.posts
    for wrong in MALFORMED.values():
        enqueue(estate, wrong)
    enqueue_garbage(estate)
    case = estate.declare()
    assert estate.rest(case).state == State.SENT
    assert estate.judge.posts == posts + 1
    assert [tuple(row) for row in estate.rows(known)] == before
    until(lambda: waiting(estate) == 0, 30)
    until(lambda: "nonsense" in estate.logs)


def enqueue(estate: Estate, wrong: dict[str, Any]) -> None:
    message = {"queue_name": "fanvue", "actor_name": DELIVER, "kwargs": {}, "options": {}, **wrong}
    with queue_of(estate) as broker:
        broker.enqueue(dramatiq.Message[None](**message))
        ring(broker, ORDERS, "fanvue")


def enqueue_garbage(estate: Estate) -> None:
    """Bytes that are no message, where Dramatiq keeps its own."""
    with queue_of(estate) as broker, redis.Redis.from_url(estate.redis_url or "") as client:
        client.hset(f"{broker.namespace}:fanvue.msgs", "garbage", b"\xff{")
        client.rpush(f"{broker.namespace}:fanvue", "garbage")


def waiting(estate: Estate) -> int:
    with queue_of(estate) as broker:
        return sum(int(broker.client.llen(f"{broker.namespace}:{queue}")) for queue in QUEUES)
