"""A ring reaches all who listen; who cannot hear knows it, and when it can again."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import pytest
import redis

from carillon.handoff import broker as brokers
from carillon.handoff import doorbell
from carillon.handoff.doorbell import ORDERS, RELEASE, Listener, Ringer, ring, ring_once
from running import until


class Ear:
    """What a listener was told."""

    def __init__(self) -> None:
        self.rings: list[str] = []
        self.hearing: list[bool] = []


@contextmanager
def listening(broker: dramatiq.Broker, door: str) -> Iterator[Ear]:
    ear = Ear()
    listener = Listener(broker, door, ear.rings.append, ear.hearing.append)
    listener.start()
    try:
        yield ear
    finally:
        listener.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "_PROOF_SECONDS", 0.2)
    monkeypatch.setattr(doorbell, "_AGAIN_SECONDS", 0.05)


def test_it_is_heard_at_its_door_alone_by_everybody_of_the_installation(redis_url: str) -> None:
    mine, same, other = (brokers.make(redis_url, name) for name in ("one", "one", "two"))
    with listening(mine, ORDERS) as first, listening(same, ORDERS) as second, listening(other, ORDERS) as stranger:
        until(lambda: first.hearing == second.hearing == stranger.hearing == [True])
        ring(mine, ORDERS, "fanvue frontrow")
        ring(mine, RELEASE)
        until(lambda: first.rings and second.rings)
        ring(other, ORDERS, "ofauth")
        until(lambda: stranger.rings)
    assert first.rings == second.rings == ["fanvue frontrow"]
    assert stranger.rings == ["ofauth"]


def test_who_ends_then_rings_once_and_waits_for_no_redis_that_is_away(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    with listening(broker, RELEASE) as ear:
        until(lambda: ear.hearing == [True])
        ring_once(brokers.make(redis_url, "test"), RELEASE)
        until(lambda: ear.rings == [""])
    begun = time.monotonic()
    ring_once(brokers.make("redis://127.0.0.1:1", "test"), RELEASE)
    assert time.monotonic() - begun < 0.5


def test_a_line_that_breaks_is_told_and_made_anew(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    with listening(broker, RELEASE) as ear, redis.Redis.from_url(redis_url) as client:
        until(lambda: ear.hearing == [True])
        client.client_kill_filter(_type="pubsub")
        until(lambda: ear.hearing == [True, False, True])
        ring(broker, RELEASE)
        until(lambda: ear.rings == [""])


def test_a_line_on_which_nothing_is_said_is_kept(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    with listening(broker, RELEASE) as ear:
        until(lambda: ear.hearing == [True])
        time.sleep(1)  # five proofs
        ring(broker, RELEASE)
        until(lambda: ear.rings == [""])
    assert ear.hearing == [True]


def test_a_server_that_falls_silent_is_not_believed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a firewall that has forgotten the connection: nothing comes back, and nothing breaks."""
    monkeypatch.setattr(doorbell, "_PATIENCE_SECONDS", 0.3)
    with _wall(redis_url) as (url, silent), listening(brokers.make(url, "test"), RELEASE) as ear:
        until(lambda: ear.hearing == [True])
        silent.set()
        until(lambda: ear.hearing == [True, False])
        silent.clear()
        until(lambda: ear.hearing == [True, False, True])


def test_nobody_waits_for_a_redis_that_is_away() -> None:
    away = brokers.make("redis://127.0.0.1:1", "test")
    ring(away, ORDERS, "fanvue")
    with listening(away, ORDERS) as ear:
        time.sleep(0.3)
    assert (ear.rings, ear.hearing) == ([], [])


def test_in_one_process_there_is_nothing_to_be_missed() -> None:
    with listening(brokers.make(None, "test"), ORDERS) as ear:
        assert ear.hearing == [True]


def test_many_who_ring_in_a_moment_are_heard_once_and_the_last_one_always(redis_url: str) -> None:
    broker = brokers.make(redis_url, "test")
    ringer = Ringer(broker, RELEASE)
    with listening(broker, RELEASE) as ear:
        until(lambda: ear.hearing == [True])
        ringer.start()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            ringer.ring()
            time.sleep(0.001)
        until(lambda: len(ear.rings) >= 2)
        assert len(ear.rings) <= 12
        time.sleep(0.3)  # what was asked last is rung by now
        heard = len(ear.rings)
        ringer.ring()
        until(lambda: len(ear.rings) == heard + 1)
        ringer.ring()
        ringer.stop()
        until(lambda: len(ear.rings) == heard + 2)


@contextmanager
def _wall(redis_url: str) -> Iterator[tuple[str, threading.Event]]:
    """A Redis behind a relay that swallows what is said, on connections old and new, while `silent` is set."""
    silent = threading.Event()

    def carry(source: socket.socket, target: socket.socket) -> None:
        with source, target:
            try:
                while data := source.recv(65536):
                    if not silent.is_set():
                        target.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(redis_url.removeprefix("unix://"))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    if not redis_url.startswith("unix://"):
        pytest.skip("the relay speaks to an own Valkey alone")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", silent
        listener.shutdown(socket.SHUT_RDWR)
