"""Health over real HTTP: what is told, to whom, and that no client holds it up."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from carillon.monitoring import port
from carillon.monitoring.health import Health
from repository import ROOT

SECRET = "postgresql://carillon:hunter2@db/carillon"


def well() -> list[str]:
    return []


def broken() -> Any:
    raise ConnectionError(SECRET)


@contextlib.contextmanager
def serving(
    alive: Callable[[], list[str]] = well,
    ready: Callable[[], list[str]] = well,
    metrics: Callable[[], bytes] = lambda: b"up 1\n",
    threaded: bool = True,
) -> Iterator[Health]:
    health = Health(alive, ready, metrics)
    assert health.open(0)
    if threaded:
        health.start()
    try:
        yield health
    finally:
        health.close()


def ask(
    health: Health, path: str, method: str = "GET", host: str = "127.0.0.1"
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(host, health.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("alive", "ready", "path", "status", "wrong"),
    [
        (well, broken, "/healthz", 200, []),
        (lambda: ["no beat for 40 s"], well, "/healthz", 503, ["no beat for 40 s"]),
        (broken, well, "/readyz", 200, []),
        (well, lambda: ["the queue – away", "old"], "/readyz?verbose", 503, ["the queue – away", "old"]),
        (well, broken, "/readyz", 503, ["ConnectionError"]),
        (broken, well, "/healthz", 503, ["ConnectionError"]),
    ],
)
def test_what_is_wrong_is_told_as_json(
    alive: Callable[[], list[str]], ready: Callable[[], list[str]], path: str, status: int, wrong: list[str]
) -> None:
    with serving(alive, ready) as health, capture_logs() as logs:
        answer, body = ask(health, path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert json.loads(body) == {"status": "failing" if wrong else "ok", "wrong": wrong}
    assert SECRET not in str(logs)


def test_metrics_are_told_in_the_text_format() -> None:
    with serving() as health:
        answer, body = ask(health, "/metrics")
    assert (answer.status, body) == (200, b"up 1\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_metrics_that_cannot_be_told_are_an_error_without_its_words() -> None:
    with serving(metrics=broken) as health, capture_logs():
        answer, body = ask(health, "/metrics")
    assert (answer.status, json.loads(body)["wrong"]) == (503, ["ConnectionError"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/healthz/", 404), ("DELETE", "/healthz", 405), ("POST", "/elsewhere", 405)],
)
def test_anything_else_is_refused(method: str, path: str, status: int) -> None:
    with serving(broken, broken, broken) as health:
        answer, _ = ask(health, path, method)
    assert answer.status == status
    assert (answer.headers["Allow"] == "GET, HEAD") is (status == 405)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/"])
def test_head_is_the_same_without_a_body(path: str) -> None:
    with serving(ready=lambda: ["no database"]) as health:
        got, body = ask(health, path)
        told = say(health, f"HEAD {path} HTTP/1.1\r\n\r\n".encode())
    head, nothing = told.split(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {got.status} ".encode())
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert (body != b"", nothing) == (True, b"")


@pytest.mark.parametrize("said", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET " + b"x" * 70_000 + b"\r\n\r\n"])
def test_nonsense_harms_nothing(said: bytes) -> None:
    with serving() as health, capture_logs() as logs:
        say(health, said)
        assert ask(health, "/healthz")[0].status == 200
    assert logs == []


def say(health: Health, said: bytes) -> bytes:
    """Returns what comes back, if it was listened to at all."""
    with (
        socket.create_connection(("127.0.0.1", health.port), timeout=30) as client,
        contextlib.suppress(ConnectionError),
    ):
        client.sendall(said)
        return b"".join(iter(lambda: client.recv(65_536), b""))
    return b""


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ONE_ADDRESS = (
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")),
)


@pytest.mark.parametrize("host", ONE_ADDRESS)
def test_it_listens_on_all_addresses(host: str) -> None:
    with serving() as health:
        assert ask(health, "/healthz", host=host)[0].status == 200


@pytest.mark.parametrize("host", ONE_ADDRESS)
def test_a_taken_port_is_a_warning(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken, capture_logs() as logs:
        number = taken.getsockname()[1]
        health = Health(well, well, bytes)
        assert not health.open(number)
        health.close()
    assert [(line["log_level"], line["port"], line["error"]) for line in logs] == [
        ("warning", number, "Address already in use")
    ]


def test_a_closed_port_is_free() -> None:
    with serving() as health:
        number = health.port
        ask(health, "/healthz")
    again = Health(well, well, bytes)
    assert again.open(number)
    again.close()


def test_a_slow_client_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "PATIENCE", 300.0)
    with serving() as health, socket.create_connection(("127.0.0.1", health.port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert ask(health, "/healthz")[0].status == 200


def test_without_threads_the_caller_answers_himself() -> None:
    threads: list[str] = []

    def alive() -> list[str]:
        threads.append(threading.current_thread().name)
        return []

    with serving(alive, threaded=False) as health, socket.create_connection(("127.0.0.1", health.port)) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        health.handle()
        client.settimeout(30)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert threads == [threading.current_thread().name]


def test_without_threads_nobody_is_waited_for() -> None:
    with serving(threaded=False) as health:
        began = time.monotonic()
        for _ in range(100):
            health.handle()
        assert time.monotonic() - began < port.PATIENCE


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\n"])
def test_without_threads_a_client_that_does_not_end_is_left_in_time(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.3)
    ends = time.monotonic() + 20
    with serving(threaded=False) as health, socket.create_connection(("127.0.0.1", health.port)) as slow:
        slow.sendall(said)
        dripping = threading.Thread(target=drip, args=(slow, ends))
        dripping.start()
        health.handle()
        assert time.monotonic() < ends
        dripping.join()


def drip(slow: socket.socket, ends: float) -> None:
    """A byte now and then, each in time, until nobody listens any more."""
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < ends:
            slow.sendall(b"x")
            time.sleep(0.05)
    slow.close()


FORK = """
import os, sys
from carillon.monitoring.health import Health
health = Health(list, list, bytes)
assert health.open(0)
number = health.port
(hear, tell), (hear_parent, tell_parent) = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    os.close(tell_parent)
    health.close()
    os.write(tell, b"closed")
    os.read(hear_parent, 1)
    os._exit(0)
assert os.read(hear, 6) == b"closed"
health.close()
print(Health(list, list, bytes).open(number))
os.close(tell_parent)
os.waitpid(child, 0)
"""


def test_a_child_that_closed_it_does_not_keep_the_port() -> None:
    command = [sys.executable, "-c", FORK]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")
