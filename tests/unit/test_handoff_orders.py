"""Orders reach a worker through either broker, each once, by id alone."""

import threading
from collections import Counter

import dramatiq
import pytest
import redis
from dramatiq.errors import DramatiqError
from dramatiq.worker import Worker

from carillon.handoff import broker as brokers
from carillon.handoff.bulk import enqueue_all
from carillon.handoff.orders import DELIVER, QUEUES, hand_off


@pytest.mark.parametrize("kind", ["in this process", "on Redis"])
def test_every_order_is_carried_out_once(kind: str, request: pytest.FixtureRequest) -> None:
    broker = brokers.make(None if kind == "in this process" else request.getfixturevalue("redis_url"), "test")
    done: Counter[int] = Counter()
    wanted = 1_203
    all_done = threading.Event()
    lock = threading.Lock()

    def deliver(subject: int) -> None:
        with lock:
            done[subject] += 1
            if sum(done.values()) == wanted:
                all_done.set()

    as_actor = dramatiq.actor(actor_name=DELIVER, queue_name=QUEUES[0], broker=broker)
    as_actor(deliver)
    accepted = hand_off(broker, DELIVER, [(n, QUEUES[n % 4]) for n in range(wanted)])
    worker = Worker(broker, worker_threads=4)
    worker.start()
    assert all_done.wait(30), f"{sum(done.values())} of {wanted}"
    worker.stop()
    broker.close()
    assert accepted == list(range(wanted))
    assert set(done.values()) == {1}


def test_a_queue_that_is_away_accepts_nothing() -> None:
    broker = brokers.make("redis://127.0.0.1:1", "test")
    assert hand_off(broker, DELIVER, [(1, "frontrow"), (2, "fanvue")]) == []
    broker.close()


def test_orders_in_bulk_are_what_dramatiq_itself_would_enqueue(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    broker.enqueue(dramatiq.Message("frontrow", DELIVER, (1,), {}, {}))
    assert hand_off(broker, DELIVER, [(2, "frontrow"), (3, "fanvue"), (4, "frontrow")]) == [2, 3, 4]
    found = {queue: taken(broker, queue) for queue in ("frontrow", "fanvue")}
    assert [message.args for message in found["frontrow"]] == [(1,), (2,), (4,)]
    assert [message.args for message in found["fanvue"]] == [(3,)]
    messages = found["frontrow"] + found["fanvue"]
    assert {(*message.asdict(), *message.options) for message in messages} == {
        (*messages[0].asdict(), *messages[0].options)
    }
    assert {message.actor_name for message in messages} == {DELIVER}
    for message in messages:
        assert message.queue_name == ("fanvue" if message.args == (3,) else "frontrow")
        assert abs(message.message_timestamp - messages[0].message_timestamp) < 5_000
    assert len({message.options["redis_message_id"] for message in messages}) == 4
    assert len({message.message_id for message in messages}) == 4
    broker.close()


def taken(broker: dramatiq.Broker, queue: str) -> "list[dramatiq.Message[None]]":
    consumer = broker.consume(queue, prefetch=10, timeout=1)
    found: list[dramatiq.Message[None]] = []
    while (proxy := next(consumer)) is not None:
        assert isinstance(proxy, dramatiq.MessageProxy)
        found.append(proxy._message)
    return found


def test_scripts_may_be_forgotten_by_the_server(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    assert hand_off(broker, DELIVER, [(1, "frontrow"), (2, "frontrow")]) == [1, 2]
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    assert hand_off(broker, DELIVER, [(3, "frontrow"), (4, "frontrow")]) == [3, 4]
    assert [message.args for message in taken(broker, "frontrow")] == [(1,), (2,), (3,), (4,)]
    broker.close()


@pytest.mark.parametrize("change", ["another argument", "another field"])
def test_a_dramatiq_that_does_it_otherwise_is_refused(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    broker = brokers.make(redis_url, "test")
    if change == "another field":
        encode = dramatiq.Message.encode
        monkeypatch.setattr(dramatiq.Message, "encode", lambda message: encode(message).replace(b"[7", b"[ 7"))
    else:
        monkeypatch.setattr(
            "dramatiq.brokers.redis.RedisBroker.enqueue", lambda broker, message: (broker.do_enqueue("q"), message)[1]
        )
    with pytest.raises((DramatiqError, KeyError)):
        enqueue_all(broker, DELIVER, [(1, "frontrow"), (2, "frontrow")])  # type: ignore[arg-type]
    broker.close()
