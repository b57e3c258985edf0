"""Bad webhooks, over real HTTP, signed as each platform signs: none of them leaves a row, none is a 500."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import broadcasts, events
from carillon.ledger.tables_media import hooks
from carillon.ledger.tables_results import sales
from carillon.platforms.roster import PLATFORMS
from console import web_server
from console.dashboard import app
from console.receiver import body
from console.receiver.endpoint import Receiver
from console.web_server import WebServer
from ledger_rows import add_creator
from signing import SCHEMES, SECRET, Scheme

ACCOUNTS = {"ofauth": "conn_1", "onlyfansapi": "acct_1"}
JSON = {"Content-Type": "application/json"}
LIMIT = 1024 * 1024

numbers = count(1)
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)


@dataclass
class House:
    """A receiver on a ledger, with one creator on each platform; nobody takes what is stored.

    `news` is how many webhooks a test means to have stored.
    """

    ledger: Ledger
    url: str
    news: int = 0
    rung: list[bool] = field(default_factory=list)
    client: httpx.Client = field(default_factory=httpx.Client)

    def rows(self) -> list[int]:
        """Of webhooks, and of all that one could have an effect on."""
        with self.ledger.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]

    def path(self, platform: str, creator: str | None = None) -> str:
        return f"{self.url}/webhooks/{platform}/{creator or platform}"

    def post(self, scheme: Scheme, raw: bytes, *, at: float | None = None, secret: str = SECRET, **more: Any) -> Any:
        headers = {**JSON, **scheme.sign(raw, time.time() if at is None else at, secret), **more.pop("headers", {})}
        return self.client.post(self.path(scheme.platform), content=raw, headers=headers, **more)


TABLES = (hooks, sales, events, broadcasts)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("receiver")
    shutil.copyfile(migrated_sqlite, folder / "carillon.db")
    with pytest.MonkeyPatch.context() as patch, closing(Ledger(f"sqlite:///{folder / 'carillon.db'}")) as ledger:
        patch.setenv("HOOK", SECRET)
        for name in PLATFORMS:
            add_creator(ledger, name, platform=name, account_id=ACCOUNTS.get(name), webhook_secret="env:HOOK")
        add_creator(ledger, "bare", platform="fanvue")
        add_creator(ledger, "unset", platform="fanvue", webhook_secret="env:NOT_SET_ANYWHERE")
        house = House(ledger, "")
        web = served(ledger, house)
        house.url = web.url
        yield house
        house.client.close()
        web.stop()


def served(ledger: Ledger, house: House) -> WebServer:
    receiver = Receiver(ledger, PLATFORMS, lambda: house.rung.append(True))
    web = WebServer(app(receiver, list), "127.0.0.1", 0)
    web.open()
    web.start()
    return web


@pytest.fixture(autouse=True)
def nothing_else_changes(house: House) -> Iterator[None]:
    before, rung, house.news = house.rows(), len(house.rung), 0
    yield
    assert house.rows() == [before[0] + house.news, *before[1:]]
    assert len(house.rung) == rung + house.news


def fresh(scheme: Scheme) -> bytes:
    """A body that no test has sent before."""
    return scheme.raw(number=next(numbers))


@each_scheme
def test_a_proven_webhook_is_stored_once_however_often_it_comes(house: House, scheme: Scheme) -> None:
    house.news = 1
    raw = fresh(scheme)
    assert [(answer.status_code, answer.text) for answer in (house.post(scheme, raw), house.post(scheme, raw))] == [
        (200, "stored\n"),
        (200, "known already\n"),
    ]
    with house.ledger.read() as session:
        row = session.execute(select(hooks).order_by(hooks.c.id.desc()).limit(1)).one()
    assert (row.body.encode(), row.platform, row.done_at) == (raw, scheme.platform, None)


@pytest.mark.parametrize("scheme", [SCHEMES[1], SCHEMES[5]], ids=lambda scheme: scheme.name)
def test_the_same_body_under_another_id_is_the_same_webhook(house: House, scheme: Scheme) -> None:
    """Their ids are not signed: whoever has seen one could send it again under a new one."""
    house.news = 1
    raw = fresh(scheme)
    for name in ("X-FrontRow-Delivery", "X-OFAPI-Idempotency-Key"):
        assert house.post(scheme, raw, headers={name: f"another {name}"}).status_code == 200


@each_scheme
def test_what_is_not_proven_is_turned_away(house: House, scheme: Scheme) -> None:
    raw = fresh(scheme)
    signed = scheme.sign(raw, time.time(), SECRET)
    good = signed[scheme.signature]
    spoiled = {
        "wrong secret": scheme.sign(raw, time.time(), "whsec_" + "A" * 24)[scheme.signature],
        "one digit": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "one digit too few": good[:-1],
        "far too long": good + "00" * 500,
        "empty": "",
        "no form of it": "sha256,t=;v0",
        "not ASCII": f"{good[:-2]}é√",
        "twice in one": f"{good},{good}",
    }
    answers = {
        name: house.client.post(
            house.path(scheme.platform), content=raw, headers=as_bytes({**JSON, **signed, scheme.signature: value})
        )
        for name, value in spoiled.items()
    }
    answers["none"] = house.client.post(house.path(scheme.platform), content=raw, headers=JSON)
    two = [*JSON.items(), *signed.items(), (scheme.signature, good)]
    answers["two headers"] = house.client.post(house.path(scheme.platform), content=raw, headers=two)
    answers["one byte changed"] = house.client.post(
        house.path(scheme.platform), content=raw.replace(b":", b"; "[:1], 1), headers={**JSON, **signed}
    )
    answers["written anew"] = house.client.post(
        house.path(scheme.platform), content=raw.replace(b": ", b":"), headers={**JSON, **signed}
    )
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert not [answer.text for answer in answers.values() if SECRET in answer.text or good in answer.text]


@pytest.mark.parametrize("scheme", [one for one in SCHEMES if one.timed], ids=lambda scheme: scheme.name)
def test_one_that_is_late_or_early_is_turned_away(house: House, scheme: Scheme) -> None:
    raw = fresh(scheme)
    for off in (-301, -1e6, 302, 1e6):
        assert house.post(scheme, raw, at=time.time() + off).status_code == 401, off
    for said in ("abc", "", "-5", "1e9", "99999999999999999999", "²"):
        headers = as_bytes({**JSON, **scheme.sign(raw, said, SECRET)})
        answer = house.client.post(house.path(scheme.platform), content=raw, headers=headers)
        assert answer.status_code == 401, said


def test_one_without_a_time_is_turned_away(house: House) -> None:
    raw = fresh(SCHEMES[0])
    signature = SCHEMES[0].sign(raw, "", SECRET)["X-Fanvue-Signature"].replace("t=,", "")
    headers = {**JSON, "X-Fanvue-Signature": signature}
    assert house.client.post(house.path("fanvue"), content=raw, headers=headers).status_code == 401


@pytest.mark.parametrize("off", [-295, 295])
def test_five_minutes_are_allowed(house: House, off: int) -> None:
    house.news = 1
    assert house.post(SCHEMES[0], fresh(SCHEMES[0]).replace(b"evt_1", b"%d" % off), at=time.time() + off).is_success


@pytest.mark.parametrize("creator", ["bare", "unset"])
def test_without_a_secret_nothing_is_believed(house: House, creator: str) -> None:
    raw = fresh(SCHEMES[0])
    headers = {**JSON, **SCHEMES[0].sign(raw, time.time(), "")}
    answer = house.client.post(house.path("fanvue", creator), content=raw, headers=headers)
    assert (answer.status_code, answer.text) == (401, "no webhook secret is set for this creator\n")


BODIES = {
    "a key twice": b'{"id": "a", "id": "b"}',
    "NaN": b'{"id": NaN}',
    "infinite": b'{"id": 1e999}',
    "deep": b'{"id": ' + b"[" * 60 + b"]" * 60 + b"}",
    "bottomless": b'{"id": ' + b"[" * 100_000,
    "a list": b"[1, 2]",
    "a word": b'"id"',
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"id": 1}',
    "a number of 5000 digits": b'{"id": ' + b"1" * 5000 + b"}",
    "cut": b'{"id": "a"',
    "nothing": b"",
}


@each_scheme
def test_what_is_no_json_object_is_refused_though_it_is_signed(house: House, scheme: Scheme) -> None:
    found = {name: house.post(scheme, raw).status_code for name, raw in BODIES.items()}
    untimed = scheme.name == "ofauth oldest"  # which takes nothing but an object, lest it be another version's text
    expected = {name: 401 if untimed and not raw.startswith(b"{") else 400 for name, raw in BODIES.items()}
    assert found == expected


OF_ANOTHER: dict[str, dict[str, Any]] = {
    "ofauth": {"data": {"connection": {"id": "conn_2", "status": "expired"}}},
    "onlyfansapi": {"account_id": "acct_2"},
}


@pytest.mark.parametrize("scheme", [SCHEMES[2], SCHEMES[5]], ids=lambda scheme: scheme.name)
def test_one_of_another_account_is_heard_and_ignored(house: House, scheme: Scheme) -> None:
    answer = house.post(scheme, scheme.raw(**OF_ANOTHER[scheme.platform]))
    assert (answer.status_code, answer.text) == (200, "ignored: it is about another account\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/webhooks/fanvue/nobody", 404),
        ("/webhooks/nothing/fanvue", 404),
        ("/webhooks/fanvue/ofauth", 404),
        ("/webhooks/fanvue/..", 404),
        ("/webhooks/fanvue/../fanvue/fanvue", 404),
        ("/webhooks/%2e%2e/fanvue", 404),
        ("/webhooks/fanvue/fanvue/", 404),
        ("/webhooks/fanvue/fan%00vue", 404),
        ("/webhooks/fanvue/%ff", 404),
        ("/webhooks/fanvue", 404),
        ("/webhooks", 404),
        ("/", 404),
    ],
)
def test_paths_that_lead_nowhere(house: House, path: str, status: int) -> None:
    raw = fresh(SCHEMES[0])
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
    signature = SCHEMES[0].sign(raw, time.time(), SECRET)["X-Fanvue-Signature"]
    said = exchanged(house, f"{head}X-Fanvue-Signature: {signature}\r\n\r\n".encode() + raw)
    assert said.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_methods_that_are_not_post(house: House, method: str) -> None:
    answer = house.client.request(method, house.path("fanvue"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "br, identity"}, 415),
    ],
)
def test_other_types_and_codings(house: House, headers: dict[str, str], status: int) -> None:
    assert house.post(SCHEMES[0], fresh(SCHEMES[0]), headers=headers).status_code == status


def test_a_type_with_parameters_is_the_same_type(house: House) -> None:
    house.news = 1
    types = {"Content-Type": "Application/JSON; charset=utf-8", "Content-Encoding": "identity"}
    assert house.post(SCHEMES[1], fresh(SCHEMES[1]), headers=types).status_code == 200


def test_a_body_that_says_it_is_too_large_is_not_even_read(house: House) -> None:
    head = f"Content-Type: application/json\r\nContent-Length: {20 * LIMIT}\r\n\r\n"
    assert exchanged(house, request_head(head)).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_end_is_cut(house: House) -> None:
    head = request_head("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    endless = (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 40
    assert exchanged(house, head + endless).startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_that_is_allowed(house: House) -> None:
    house.news = 1
    empty = len(SCHEMES[1].raw(filled=""))
    assert house.post(SCHEMES[1], SCHEMES[1].raw(filled="x" * (LIMIT - empty))).status_code == 200
    assert house.post(SCHEMES[1], SCHEMES[1].raw(filled="x" * (LIMIT - empty + 1))).status_code == 413


def test_a_slow_body_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MOST_SECONDS", 0.2)
    head = request_head("Content-Type: application/json\r\nContent-Length: 100\r\n\r\n")
    assert exchanged(house, head + b'{"id": ').startswith(b"HTTP/1.1 408 ")


def test_who_hangs_up_in_the_middle_is_forgotten(house: House) -> None:
    head = request_head("Content-Type: application/json\r\nContent-Length: 100\r\n\r\n")
    with connected(house) as line:
        line.sendall(head + b'{"id": ')
    assert house.client.get(f"{house.url}/healthz").json() == {"status": "ok", "wrong": []}


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("_HEAD_SECONDS", b"POST /webhooks/fanvue/fanvue HTTP/1.1\r\nHost: x\r\n"),
        ("_HEAD_SECONDS", b""),
        ("_REST_SECONDS", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"),
    ],
)
def test_nobody_holds_a_connection_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch, bound: str, said: bytes
) -> None:
    monkeypatch.setattr(web_server, bound, 0.2)
    with connected(house) as line:
        line.settimeout(3)  # less than uvicorn's own time-out of idle connections
        line.sendall(said)
        with suppress(ConnectionResetError):
            while line.recv(65_536):
                pass


@pytest.mark.parametrize("flood", ["X: y\r\n" * 20_000, "X: " + "y" * 100_000 + "\r\n"])
def test_a_flood_of_headers_is_refused(house: House, flood: str) -> None:
    assert exchanged(house, request_head(flood)).startswith(b"HTTP/1.1 400 ")


def test_a_ledger_that_is_away_is_no_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform sends it again; nothing says that it was stored."""

    def away(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    monkeypatch.setattr("carillon.ledger.hooks.store", away)
    answer = house.post(SCHEMES[0], fresh(SCHEMES[0]))
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (503, "not now\n", "5")


def test_a_database_that_is_away_is_no_404(house: House) -> None:
    with closing(Ledger("postgresql+psycopg://carillon@127.0.0.1:9/carillon")) as nowhere:
        away = House(nowhere, "")
        web = served(nowhere, away)
        away.url = web.url
        assert away.post(SCHEMES[0], fresh(SCHEMES[0])).status_code == 503
        assert away.client.post(away.path("fanvue", "fan%00vue")).status_code == 404, "no name is asked for as it comes"
        away.client.close()
        web.stop()


def test_a_port_that_is_taken_is_named(house: House) -> None:
    port = int(house.url.rpartition(":")[2])
    with pytest.raises(OSError, match=f"^127.0.0.1:{port} cannot be listened on: Address already in use$"):
        WebServer(Starlette(), "127.0.0.1", port).open()


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(OSError, match=r"^nowhere.invalid:80 cannot be listened on: .*(not known|resolution)$"):
        WebServer(Starlette(), "nowhere.invalid", 80).open()


def test_health_is_told_without_a_password(house: House) -> None:
    for path in ("/healthz", "/readyz"):
        answer = house.client.get(house.url + path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert "server" not in answer.headers


def as_bytes(headers: dict[str, str]) -> dict[bytes, bytes]:
    """What is not ASCII goes out as UTF-8."""
    return {name.encode(): value.encode() for name, value in headers.items()}


def request_head(rest: str) -> bytes:
    return f"POST /webhooks/fanvue/fanvue HTTP/1.1\r\nHost: x\r\n{rest}".encode()


def connected(house: House) -> socket.socket:
    host, port = house.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 10)


def exchanged(house: House, said: bytes) -> bytes:
    """What is answered to these very bytes, as far as anybody listens to them."""
    with connected(house) as line:
        with suppress(OSError):
            line.sendall(said)
        return line.recv(65_536)
