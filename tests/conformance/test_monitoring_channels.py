"""Alarms arrive once at real local servers, whatever goes wrong on the way, and their addresses are told to nobody."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest
import structlog
from aiosmtpd.controller import Controller
from sqlalchemy import select

from alarm_rows import add_alarm, add_alarms, let_pass, noted
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from carillon.ledger.tables_house import notices
from carillon.monitoring.notify import Notifier, check_urls
from running import until
from standins import Reply, Seen, StandIn, Wire

KEY = b"0123456789abcdef-a key of ours!?"
SECRET = "whsec_" + base64.b64encode(KEY).decode().replace("/", "%2F")
PLANTED = "pl4nted53cret"


@contextmanager
def telling(ledger: Ledger, *urls: str, gap: float = 0) -> Iterator[Notifier]:
    notifier = Notifier(ledger, urls, "scheduler here:1", timedelta(seconds=gap))
    try:
        yield notifier
    finally:
        notifier.close(30)


def beat(notifier: Notifier, ledger: Ledger) -> None:
    """One beat, and until what it started is recorded."""
    notifier.run()
    until(lambda: not any(thread.is_alive() for thread in notifier._under_way.values()), 60)
    let_pass(ledger, minutes=5)


def signed(server: StandIn, secret: str = SECRET) -> str:
    return f"signed://{secret}@127.0.0.1:{server.port}/carillon"


def accept(_: Seen) -> Reply:
    return Reply(204, "")


def verified(seen: Seen, key: bytes = KEY) -> Any:
    """As the specification tells receivers to do it."""
    name, timestamp = seen.headers["webhook-id"], seen.headers["webhook-timestamp"]
    version, _, signature = seen.headers["webhook-signature"].partition(",")
    made = hmac.new(key, f"{name}.{timestamp}.".encode() + seen.body, hashlib.sha256).digest()
    assert version == "v1"
    assert base64.b64decode(signature) == made
    assert abs(time.time() - int(timestamp)) < 60
    return seen.json()


@pytest.mark.parametrize(("secret", "key"), [(SECRET, KEY), ("a%3Aplain%2Fsecret", b"a:plain/secret")])
def test_a_signed_webhook_can_be_verified(ledger: Ledger, secret: str, key: bytes) -> None:
    alarm = add_alarm(ledger, "held:7", "broadcast 7 is held")
    with StandIn(accept) as server, telling(ledger, signed(server, secret)) as notifier:
        beat(notifier, ledger)
        beat(notifier, ledger)
        (seen,) = server.seen
        assert server.faults == []
    body = verified(seen, key)
    assert (body["type"], body["told_by"], body["count"]) == ("carillon.alarm", "scheduler here:1", 1)
    assert [(it["id"], it["message"]) for it in body["alarms"]] == [(str(alarm), "broadcast 7 is held")]
    assert (seen.method, seen.path) == ("POST", "/carillon")


@pytest.mark.parametrize("status", [500, 302, 410, 429])
def test_what_was_not_taken_is_sent_again_as_the_same_message(ledger: Ledger, status: int) -> None:
    answers = iter([Reply(status, {}, {"Location": "/elsewhere"}), Reply(status), Reply(204, "")])
    add_alarm(ledger)
    with StandIn(lambda _: next(answers)) as server, telling(ledger, signed(server)) as notifier:
        with structlog.testing.capture_logs() as told:
            for _ in range(5):
                beat(notifier, ledger)
        assert [seen.path for seen in server.seen] == ["/carillon"] * 3
        assert len({seen.headers["webhook-id"] for seen in server.seen}) == 1
        assert [[it["id"] for it in verified(seen)["alarms"]] for seen in server.seen] == [["1"]] * 3
    assert [(it["log_level"], it["event"]) for it in told] == [
        ("error", f"alarms do not reach alarm URL 1 (signed://): answered {status}; tried again for a day"),
        ("info", "alarms reach alarm URL 1 (signed://) again"),
    ]


def test_a_receiver_that_is_not_up_yet_gets_it_later(ledger: Ledger) -> None:
    add_alarm(ledger)
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with telling(ledger, f"signed://{SECRET}@127.0.0.1:{port}") as notifier:
            with structlog.testing.capture_logs() as told:
                beat(notifier, ledger)
            assert "cannot be reached" in told[0]["event"]
            reserved.listen()
            notifier.run()
            reserved.settimeout(60)
            connection, _ = reserved.accept()
            with connection:
                connection.settimeout(60)
                assert connection.recv(65_536).startswith(b"POST / HTTP/1.1\r\n")
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            until(lambda: [row.sent_at is None for row in noted(ledger)] == [False])


def test_many_alarms_are_one_message_to_a_chat(ledger: Ledger) -> None:
    add_alarms(ledger, [f"held:{number}" for number in range(9)], "broadcast is held")
    add_alarms(ledger, [f"failed:{number}" for number in range(15)], cleared_after=0)
    with StandIn(accept) as server, telling(ledger, f"json://127.0.0.1:{server.port}/hook") as notifier:
        beat(notifier, ledger)
        beat(notifier, ledger)
        (seen,) = server.seen
    assert seen.json()["title"] == "Carillon: 24 alarms: 15 failed, 9 held"
    assert seen.json()["message"].count("broadcast is held") == 9
    assert "\nand 4 more: carillon broadcasts --needs-person\n" in seen.json()["message"]


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    server = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=60)
    server.start()
    try:
        yield mailbox, f"mailto://127.0.0.1:{port}?from=carillon@example.com&to=ops@example.com"
    finally:
        server.stop()


def test_an_alarm_arrives_once_by_mail(ledger: Ledger) -> None:
    add_alarm(ledger, "stopped:1", "creator luna is stopped: <401>")
    with mail_server() as (mailbox, url), telling(ledger, url) as notifier:
        beat(notifier, ledger)
        beat(notifier, ledger)
    (mail,) = mailbox.mails
    text = mail.get_body(("plain", "html"))
    assert (mail["To"], mail["Subject"]) == ("ops@example.com", "Carillon: stopped")
    assert text is not None
    assert "creator luna is stopped: " in text.get_content()


def test_a_channel_that_hangs_holds_up_no_other(ledger: Ledger) -> None:
    def hang(wire: Wire, connection: socket.socket) -> None:
        wire.hear(connection)
        wire.closing.wait(60)

    add_alarm(ledger, "held:1")
    with (
        Wire(hang) as wire,
        StandIn(accept) as server,
        telling(ledger, wire.url.replace("http:", "json:"), signed(server)) as notifier,
    ):
        notifier.run()
        until(lambda: wire.requests and any(row.sent_at for row in noted(ledger)), 30)
        add_alarm(ledger, "held:2")
        notifier.run()
        server.wait_for(2, 30)
        let_pass(ledger, minutes=5)  # its lease is over, but this process knows that it is at it
        notifier.run()
        assert wire.connections == 1
        wire.closing.set()


def test_one_channel_that_fails_is_repeated_alone(ledger: Ledger) -> None:
    answers = iter([Reply(500), Reply(204, "")])
    add_alarm(ledger)
    with StandIn(lambda _: next(answers)) as failing, StandIn(accept) as server:
        with telling(ledger, signed(failing), signed(server)) as notifier:
            for _ in range(4):
                beat(notifier, ledger)
        assert (len(failing.seen), len(server.seen)) == (2, 1)


def test_several_processes_tell_each_alarm_once(ledger: Ledger) -> None:
    url = ledger.url.render_as_string(hide_password=False)
    stopping = threading.Event()

    def all_told(count: int) -> bool:
        rows = noted(ledger)
        return len(rows) == count and all(row.sent_at for row in rows)

    def process(urls: list[str]) -> None:
        with closing(Ledger(url)) as mine, telling(mine, *urls) as notifier:
            while not stopping.wait(0.01):
                notifier.run()

    with StandIn(accept) as chat, StandIn(accept) as webhook:
        urls = [f"json://127.0.0.1:{chat.port}", signed(webhook)]
        threads = [threading.Thread(target=process, args=(urls,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(6):
            add_alarms(ledger, [f"held:{number}", f"failed:{number}"])
            until(partial(all_told, 4 * (number + 1)), 60)
        stopping.set()
        for thread in threads:
            thread.join(60)
        told = [it["id"] for seen in webhook.seen for it in seen.json()["alarms"]]
        lines = [line for seen in chat.seen for line in seen.json()["message"].splitlines() if "look at it" in line]
    assert len(told) == len(set(told)) == 12
    assert len(lines) == 12


def test_what_was_delivered_while_the_ledger_was_away_is_recorded_when_it_is_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    away = iter([True, False])
    write = ledger.write

    def broken(done: object) -> Any:
        if next(away):
            raise OperationalError("UPDATE", {}, Exception("gone"))
        return write()

    def answer(_: Seen) -> Reply:
        monkeypatch.setattr(ledger, "write", lambda: broken(None))
        return Reply(204, "")

    add_alarm(ledger)
    with StandIn(answer) as server, telling(ledger, signed(server)) as notifier:
        notifier.run()
        server.wait_for(1, 30)
        until(lambda: all(row.sent_at for row in noted(ledger)))
        assert len(server.seen) == 1


def test_close_waits_for_what_is_on_its_way(ledger: Ledger) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def answer(_: Seen) -> Reply:
        arrived.set()
        go_on.wait(60)
        return Reply(204, "")

    add_alarm(ledger)
    with StandIn(answer) as server, telling(ledger, signed(server)) as notifier:
        notifier.run()
        assert arrived.wait(60)
        threading.Timer(0.1, go_on.set).start()
        notifier.close(60)
        assert all(row.sent_at for row in noted(ledger))


def test_loopback_is_never_asked_through_a_proxy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.com")
    add_alarm(ledger)
    with StandIn(accept) as proxy, StandIn(accept) as server:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with telling(ledger, signed(server), f"json://127.0.0.1:{server.port}") as notifier:
            beat(notifier, ledger)
        assert (len(server.seen), len(proxy.seen)) == (2, 0)


WRONG = [
    (f"{PLANTED}", "alarm URL 1: "),
    (f"https://example.com/{PLANTED}", "alarm URL 1 (https://): "),
    (f"slakc://{PLANTED}/{PLANTED}", "alarm URL 1 (slakc://): "),
    (f"mailto://{PLANTED}", "alarm URL 1 (mailto://): "),
    (f"slack://{PLANTED}", "alarm URL 1 (slack://): "),
    (f"signed://{PLANTED}", "alarm URL 1 (signed://): write it as signed://SECRET@HOST/PATH"),
    (f"signed://{PLANTED}:{PLANTED}@localhost", "alarm URL 1 (signed://): needs a secret"),
    (f"signed://@localhost/{PLANTED}", "alarm URL 1 (signed://): needs a secret"),
    (f"signeds://{PLANTED}@localhost:{PLANTED}", "alarm URL 1 (signeds://): is not an address"),
    (f"signeds://{PLANTED}@[{PLANTED}", "alarm URL 1 (signeds://): is not an address"),
    (f"signeds://{PLANTED}@/{PLANTED}", "alarm URL 1 (signeds://): has no host"),
    (f"signeds://whsec_{PLANTED}!@localhost", "alarm URL 1 (signeds://): what follows whsec_"),
    ("signeds://whsec_@localhost", "alarm URL 1 (signeds://): what follows whsec_"),
]


@pytest.mark.parametrize(("url", "words"), WRONG)
def test_a_wrong_url_is_named_by_its_place(
    url: str, words: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (fault,) = check_urls([url, f"signed://{PLANTED}@localhost"])
    assert fault.startswith(words)
    assert PLANTED not in fault.lower() + caplog.text + "".join(capfd.readouterr())


def test_right_urls_have_no_faults() -> None:
    assert check_urls([]) == []
    assert (
        check_urls([f"signeds://{SECRET}@hooks.example:8443/in?a=b", "json://localhost", "SIGNED://a@[::1]:80"]) == []
    )


def test_a_wrong_url_leaves_the_others_in_use(ledger: Ledger) -> None:
    add_alarm(ledger)
    with StandIn(accept) as server, structlog.testing.capture_logs() as told:
        with telling(ledger, "slakc://x", signed(server), signed(server)) as notifier:
            beat(notifier, ledger)
        assert len(server.seen) == 1
    assert [it["event"].partition(":")[0] for it in told] == ["alarm URL 1 (slakc"]


@pytest.mark.parametrize(
    "address",
    [
        lambda port: f"signed://{PLANTED}@127.0.0.1:{port}/{PLANTED}?key={PLANTED}",
        lambda port: f"json://{PLANTED}:{PLANTED}@127.0.0.1:{port}/{PLANTED}?+X-Key={PLANTED}",
        lambda port: f"mailto://{PLANTED}:{PLANTED}@127.0.0.1:{port}?from=a@example.com&to=b@example.com",
    ],
    ids=["signed", "json", "mailto"],
)
@pytest.mark.parametrize("trouble", ["refuses", "hangs up", "is another"])
def test_no_address_is_told_anywhere(
    address: Callable[[int], str],
    trouble: str,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def answer(wire: Wire, connection: socket.socket) -> None:
        if trouble == "is another":
            connection.sendall(b"HTTP/1.1 500 " + PLANTED.encode() + b"\r\nbroken header\r\n\r\n")

    add_alarm(ledger)
    for logger in ("", "apprise", "urllib3"):
        caplog.set_level(logging.DEBUG, logger)
    with Wire(answer) as wire, structlog.testing.capture_logs() as told:
        port = 1 if trouble == "refuses" else int(wire.url.rpartition(":")[2])
        with telling(ledger, address(port)) as notifier:
            beat(notifier, ledger)
    with ledger.read() as session:
        kept = [tuple(row) for table in (alarms, notices) for row in session.execute(select(table))]
    assert ["alarms do not reach" in it["event"] for it in told] == [True]
    said = json.dumps([told, kept], default=str) + caplog.text + "".join(capfd.readouterr())
    assert PLANTED not in said
    assert base64.b64encode(PLANTED.encode()).decode().rstrip("=") not in said
