"""What the sandbox can be told to do, seen by a client that hides nothing; its limit; its control port."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from console.sandbox import Fault, Sandbox
from sandbox_calls import PATHS, PLATFORMS, SIMPLE, Reply, call, headers_for, look, send, write


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_eleventh_broadcast_of_an_hour_is_over_the_limit(sandbox: Sandbox, platform: str) -> None:
    replies = [send(sandbox, platform) for _ in range(11)]
    assert [reply.status == 429 for reply in replies] == [False] * 10 + [True]
    assert 3_590 <= int(replies[-1].headers["retry-after"]) <= 3_600
    assert len(sandbox.deliveries()) == 10
    assert [(excess.platform, excess.account) for excess in sandbox.over_limit] == [
        (platform, sandbox.accounts[platform])
    ]


def test_the_window_slides_and_a_refused_call_does_not_count(sandbox: Sandbox) -> None:
    sandbox.limit("frontrow", 2, 1.5)
    assert send(sandbox, "frontrow", {"text": "no lists"}).status == 400
    statuses = [send(sandbox, "frontrow").status for _ in range(4)]
    assert statuses == [202, 202, 429, 429]
    first, second = (delivery.arrived_at for delivery in sandbox.deliveries())
    assert until(lambda: time.time() >= first + 1.5)
    assert send(sandbox, "frontrow").status == 202
    arrivals = [delivery.arrived_at for delivery in sandbox.deliveries()]
    assert arrivals[2] - arrivals[0] >= 1.5
    assert second - first < 1.5


def test_the_limit_is_each_accounts_own(sandbox: Sandbox) -> None:
    sandbox.limit("ofauth", 1, 60)
    sandbox.add_account("ofauth", "conn_third")
    for connection in ("conn_demo", "conn_demo_two", "conn_third"):
        headers = headers_for(sandbox, "ofauth") | {"x-connection-id": connection}
        calls = [call(sandbox.urls["ofauth"], "POST", PATHS["ofauth"], headers, SIMPLE["ofauth"]) for _ in "12"]
        assert [reply.status for reply in calls] == [201, 429]


def test_the_limit_holds_when_all_come_at_once(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: send(sandbox, "frontrow").status, range(20)))
    assert (replies.count(202), replies.count(429)) == (10, 10)
    assert len({delivery.message_id for delivery in sandbox.deliveries()}) == 10


@pytest.mark.parametrize("platform", PLATFORMS)
def test_statuses_are_answered_in_order_and_nothing_is_taken(sandbox: Sandbox, platform: str) -> None:
    told = [Fault.throttled(retry_after=5), Fault.status(500), Fault.status(503), Fault.html(502)]
    for fault in told:
        sandbox.faults.add(platform, fault)
    replies = [send(sandbox, platform) for _ in told]
    assert [reply.status for reply in replies] == [429, 500, 503, 502]
    assert replies[0].headers["retry-after"] == "5"
    assert all(reply.json() for reply in replies[:3])
    assert replies[3].headers["content-type"] == "text/html"
    assert sandbox.deliveries() == []
    assert send(sandbox, platform).status < 300


def test_retry_after_as_a_date_is_never_earlier_than_asked(sandbox: Sandbox) -> None:
    sandbox.faults.add("fanvue", Fault.throttled(retry_after=4, as_date=True))
    sandbox.faults.add("fanvue", Fault.throttled())
    sandbox.faults.add("fanvue", Fault.throttled(retry_after="soon"))
    before = time.time()
    dated, bare, nonsense = (send(sandbox, "fanvue").headers.get("retry-after") for _ in "123")
    assert dated is not None
    assert before + 4 <= parsedate_to_datetime(dated).timestamp() <= time.time() + 5
    assert (bare, nonsense) == (None, "soon")


def test_a_fault_waits_for_the_call_that_it_fits(sandbox: Sandbox) -> None:
    sandbox.faults.add("frontrow", Fault.status(500), account="usr_demo_two")
    sandbox.faults.add("frontrow", Fault.status(501), text="Goodbye")
    sandbox.faults.add("frontrow", Fault.status(503), on="read")
    assert send(sandbox, "frontrow").status == 202
    assert send(sandbox, "frontrow", SIMPLE["frontrow"] | {"text": "Goodbye"}).status == 501
    second = headers_for(sandbox, "frontrow") | {"Authorization": "Bearer fr_demo_key_two"}
    assert call(sandbox.urls["frontrow"], "POST", PATHS["frontrow"], second, SIMPLE["frontrow"]).status == 500
    statuses = [look(sandbox, "frontrow", "/api/v1/chats/lists/smart").status for _ in "12"]
    assert statuses == [503, 200]


def test_slow_takes_at_once_and_answers_late(sandbox: Sandbox) -> None:
    sandbox.faults.add("ofauth", Fault.slow(0.3))
    assert send(sandbox, "ofauth").status == 201
    (delivery,) = sandbox.deliveries()
    assert delivery.answered_at is not None
    assert 0.3 <= delivery.answered_at - delivery.arrived_at < 2


def test_silent_neither_takes_nor_answers(sandbox: Sandbox) -> None:
    sandbox.faults.add("fanvue", Fault.silent())
    with pytest.raises(TimeoutError):
        send(sandbox, "fanvue", timeout=0.3)
    assert sandbox.deliveries() == []


def test_accept_and_drop_takes_and_cuts_the_connection(sandbox: Sandbox) -> None:
    sandbox.faults.add("onlyfansapi", Fault.accept_and_drop())
    with pytest.raises(http.client.RemoteDisconnected):
        send(sandbox, "onlyfansapi")
    (delivery,) = sandbox.deliveries()
    assert delivery.recipients
    assert delivery.answered_at is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_accept_and_fail_takes_and_answers_an_error(sandbox: Sandbox, platform: str) -> None:
    sandbox.faults.add(platform, Fault.accept_and_fail(503))
    reply = send(sandbox, platform)
    assert reply.status == 503
    assert reply.json()
    (delivery,) = sandbox.deliveries()
    assert delivery.recipients


def test_cut_body_says_accepted_and_stops_in_the_middle(sandbox: Sandbox) -> None:
    sandbox.faults.add("frontrow", Fault.cut_body())
    with pytest.raises(http.client.IncompleteRead) as cut:
        send(sandbox, "frontrow")
    assert cut.value.partial.startswith(b'{"id"')
    (delivery,) = sandbox.deliveries()
    assert delivery.answered_at is None


def test_hold_takes_and_answers_when_it_is_let_go(sandbox: Sandbox) -> None:
    sandbox.faults.add("frontrow", Fault.hold())
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(send, sandbox, "frontrow")
        held = sandbox.wait_for_held(5)
        assert held is not None
        assert sandbox.deliveries() == [held]
        assert held.answered_at is None
        assert not reply.done()
        sandbox.release_held()
        assert reply.result(5).json()["id"] == held.message_id
    assert sandbox.wait_for_held(0) is None


def test_a_held_client_may_die(sandbox: Sandbox) -> None:
    sandbox.faults.add("frontrow", Fault.hold())
    with pytest.raises(TimeoutError):
        send(sandbox, "frontrow", timeout=0.3)
    sandbox.release_held()
    assert send(sandbox, "frontrow").status == 202
    assert [delivery.answered_at is None for delivery in sandbox.deliveries()] == [True, False]


def test_refused_connections_and_the_same_port_afterwards(sandbox: Sandbox) -> None:
    idle = http.client.HTTPConnection(urlsplit(sandbox.urls["fanvue"]).netloc, timeout=5)
    idle.request("GET", "/chats/lists/smart", headers=headers_for(sandbox, "fanvue"))
    assert idle.getresponse().read()
    before = sandbox.urls
    assert send(sandbox, "fanvue").status == 201
    sandbox.refuse_connections("fanvue", True)
    with pytest.raises(ConnectionRefusedError):
        send(sandbox, "fanvue")
    assert idle.sock.recv(1) == b""
    idle.close()
    assert send(sandbox, "frontrow").status == 202
    sandbox.refuse_connections("fanvue", False)
    assert sandbox.urls == before
    assert send(sandbox, "fanvue").status == 201


def test_a_call_under_way_is_finished_when_connections_are_refused(sandbox: Sandbox) -> None:
    sandbox.faults.add("fanvue", Fault.hold())
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(send, sandbox, "fanvue")
        assert sandbox.wait_for_held(5)
        sandbox.refuse_connections("fanvue", True)
        sandbox.release_held()
        assert reply.result(5).status == 201


def test_one_connection_serves_many_calls_and_half_a_body_counts_for_nothing(sandbox: Sandbox) -> None:
    kept = http.client.HTTPConnection(urlsplit(sandbox.urls["ofauth"]).netloc, timeout=5)
    kept.connect()
    first = kept.sock
    for _ in range(3):
        kept.request("GET", "/v2/access/users/lists", headers=headers_for(sandbox, "ofauth"))
        assert kept.getresponse().read()
    assert kept.sock is first
    kept.putrequest("POST", PATHS["ofauth"])
    for name, value in (headers_for(sandbox, "ofauth") | {"Content-Length": "1000"}).items():
        kept.putheader(name, value)
    kept.endheaders(json.dumps(SIMPLE["ofauth"]).encode())
    kept.sock.shutdown(socket.SHUT_WR)
    assert kept.sock.recv(1) == b""
    kept.close()
    assert sandbox.deliveries() == []


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {number} "):
            Sandbox(ports={"ofauth": number}).start()


def tell(control: str, path: str, body: object) -> Reply:
    return call(control, "POST", path, {"Content-Type": "application/json"}, body)


def test_the_control_port_takes_orders_and_shows_deliveries(sandbox: Sandbox) -> None:
    control = sandbox.control_url
    told = {"platform": "fanvue", "kind": "throttled", "retry_after": 7, "text": "Hello"}
    assert tell(control, "/faults", told).status == 200
    assert tell(control, "/limits", {"platform": "fanvue", "count": 1, "seconds": 60}).status == 200
    assert [send(sandbox, "fanvue").status for _ in "123"] == [429, 201, 429]
    (shown,) = call(control, "GET", "/deliveries", {}).rows()
    (delivery,) = sandbox.deliveries()
    assert shown["message_id"] == delivery.message_id
    assert shown["recipients"] == list(delivery.recipients)
    assert shown["arrived_at"] == delivery.arrived_at
    (excess,) = call(control, "GET", "/over-limit", {}).rows()
    assert excess["account"] == sandbox.accounts["fanvue"]


def test_other_writes_fail_too_and_a_path_can_be_picked(sandbox: Sandbox) -> None:
    send(sandbox, "ofauth")
    path = f"{PATHS['ofauth']}/{sandbox.deliveries()[0].message_id}"
    sandbox.faults.add("ofauth", Fault.status(503), on="write", text="POST /v2/access/users/lists\n")
    sandbox.faults.add("ofauth", Fault.accept_and_drop(), on="write", text="DELETE ")
    sandbox.faults.add("ofauth", Fault.status(404), on="read", text=f"GET {path}\n")
    with pytest.raises(http.client.RemoteDisconnected):
        write(sandbox, "ofauth", "DELETE", path)
    assert sandbox.deliveries()[0].withdrawn
    statuses = [write(sandbox, "ofauth", "POST", "/v2/access/users/lists", {"name": "New"}).status for _ in "12"]
    assert statuses == [503, 201]
    assert [look(sandbox, "ofauth", where).status for where in (PATHS["ofauth"], path, path)] == [200, 404, 200]


def test_the_control_port_sets_what_fans_do_and_what_the_platforms_allow(sandbox: Sandbox) -> None:
    control = sandbox.control_url
    assert tell(control, "/appetite", {"opens": 1, "buys": 0, "tips": 0, "seconds": 0.01}).status == 200
    assert tell(control, "/settings", {"unsend_seconds": 0, "part_size": 1_000}).status == 200
    for path, wrong in (("/appetite", {"opens": 2}), ("/settings", {"part_size": 0}), ("/credits", {})):
        assert tell(control, path, wrong).status == 400
    send(sandbox, "fanvue")
    message_id = sandbox.deliveries()[0].message_id
    assert until(
        lambda: call(control, "GET", "/results", {}).rows()[0]["views"] == len(sandbox.deliveries()[0].recipients)
    )
    assert write(sandbox, "fanvue", "DELETE", f"{PATHS['fanvue']}/{message_id}").status == 400
    assert tell(control, "/withdrawals", {"message_id": message_id}).status == 200
    assert tell(control, "/withdrawals", {"message_id": "nobody's"}).status == 404
    assert sandbox.deliveries()[0].withdrawn


def test_the_control_port_closes_ports_and_lets_go(sandbox: Sandbox) -> None:
    control = sandbox.control_url
    assert tell(control, "/connections", {"platform": "ofauth", "refuse": True}).status == 200
    with pytest.raises(ConnectionRefusedError):
        send(sandbox, "ofauth")
    assert tell(control, "/connections", {"platform": "ofauth", "refuse": False}).status == 200
    assert tell(control, "/faults", {"platform": "ofauth", "kind": "hold"}).status == 200
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(send, sandbox, "ofauth")
        assert sandbox.wait_for_held(5)
        assert tell(control, "/release", {}).status == 200
        assert reply.result(5).status == 201


@pytest.mark.parametrize(
    "order",
    [
        {"platform": "fanvue", "kind": "flood"},
        {"platform": "fanvue", "kind": "slow"},
        {"platform": "fanvue", "kind": "hold", "seconds": 3},
        {"platform": "elsewhere", "kind": "hold"},
        {"kind": "hold"},
        {"platform": "fanvue", "kind": "throttled", "retry_after": "soon", "as_date": True},
    ],
)
def test_the_control_port_refuses_what_it_does_not_know(sandbox: Sandbox, order: object) -> None:
    reply = tell(sandbox.control_url, "/faults", order)
    assert (reply.status, list(reply.json())) == (400, ["error"])
    assert send(sandbox, "fanvue").status == 201


def test_the_control_port_is_apart_from_the_platforms(sandbox: Sandbox) -> None:
    assert call(sandbox.control_url, "POST", PATHS["frontrow"], {}, {}).status == 404
    for platform in PLATFORMS:
        assert look(sandbox, platform, "/deliveries").status == 404


def test_serve_prints_what_another_shell_needs_and_ends_on_sigterm() -> None:
    program = "from console.sandbox import serve; serve({'control': 0})"
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    lines = [running.stdout.readline().strip() for _ in range(12)]
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    headers = {"Authorization": f"Bearer {settings['DEMO_FRONTROW_KEY']}", "Content-Type": "application/json"}
    url = settings["CARILLON_FRONTROW_URL"]
    assert call(url, "POST", PATHS["frontrow"], headers, SIMPLE["frontrow"]).status == 202
    control = lines[-1].split()[-1]
    assert len(call(control, "GET", "/deliveries", {}).rows()) == 1
    assert settings["CARILLON_FANVUE_AUTH_URL"].startswith("http://127.0.0.1:")
    assert {"CARILLON_FANVUE_CLIENT_ID", "CARILLON_FANVUE_CLIENT_SECRET"} <= set(settings)
    os.kill(running.pid, signal.SIGTERM)
    out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err) == (0, "", "")
