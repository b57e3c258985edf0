"""The dead-man's ping goes out while all is well, and its address is told to nobody."""

import structlog

from carillon.monitoring.ping import Ping
from standins import Reply, StandIn

PLANTED = "pl4nted53cret"


def run(ping: Ping) -> None:
    """One beat, and the end of what it began."""
    ping.run()
    if ping._under_way:
        ping._under_way.join(20)


def test_it_pings_while_nothing_hangs() -> None:
    hung: list[str] = []
    with StandIn(lambda _: Reply(200, "OK")) as server:
        ping = Ping(f"{server.url}/ping/{PLANTED}", lambda: hung)
        run(ping)
        hung.append("release")
        run(ping)
        assert [(seen.method, seen.path) for seen in server.seen] == [("GET", f"/ping/{PLANTED}")]
        hung.clear()
        run(ping)
        assert len(server.seen) == 2


def test_without_an_address_it_does_nothing() -> None:
    with structlog.testing.capture_logs() as told:
        run(Ping(None, list))
    assert told == []


def test_a_run_of_failures_is_one_warning_that_names_the_host() -> None:
    answers = iter([Reply(404), Reply(500), Reply(200), Reply(503)])
    with StandIn(lambda _: next(answers)) as server, structlog.testing.capture_logs() as told:
        ping = Ping(f"{server.url}/{PLANTED}?{PLANTED}", list)
        for _ in range(4):
            run(ping)
    assert [(it["log_level"], it["host"], it.get("why")) for it in told] == [
        ("warning", "127.0.0.1", "answered 404"),
        ("info", "127.0.0.1", None),
        ("warning", "127.0.0.1", "answered 503"),
    ]
    assert PLANTED not in str(told)


def test_nobody_there_is_a_warning_too() -> None:
    for url in (f"http://127.0.0.1:1/{PLANTED}", f"https://[{PLANTED}", f"http://localhost:{PLANTED}"):
        with structlog.testing.capture_logs() as told:
            run(Ping(url, list))
        assert [it["log_level"] for it in told] == ["warning"]
        assert PLANTED not in str(told)
