"""All four adapters against the sandbox, the same cases for each: what a platform offers works from end to end."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from carillon import clock
from carillon.platforms.attempt import Guard
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Content, ListRef, Platform, Receipt, Request
from carillon.platforms.errors import Refused, Unreadable
from carillon.platforms.oauth import issuer
from carillon.platforms.parts import BadSignatureError, Hint, Sent, Source, Told
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.send import send
from console.sandbox import Appetite, Sandbox
from console.sandbox.hooks import Attempt
from console.sandbox.oauth import CLIENT_ID, CLIENT_SECRET

FILE = Random(1).randbytes(10_240)
MEDIA = {"fanvue": "3ed1a000-0000-4000-8000-00000000000a", "frontrow": "med_a1b2c3", "ofauth": "12345"}
VIP = {"fanvue": "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11", "frontrow": "7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"}
SUBSCRIBERS = {"fanvue": "subscribers", "frontrow": "subscribers"}
LISTS_MADE = ("fanvue", "ofauth", "onlyfansapi")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.world.backstage.appetite = Appetite(opens=0.8, buys=0.5, tips=0.2, seconds=0.05)
        running.world.backstage.processing_seconds = 0.05
        running.world.backstage.part_size = 4_096
        yield running


def of(sandbox: Sandbox, name: str) -> Account:
    own = name in ("fanvue", "frontrow")
    return Account(sandbox.urls[name], None if own else sandbox.accounts[name], sandbox.keys[name])


def content(name: str, **more: Any) -> Content:
    include = (ListRef(kind="smart", value=SUBSCRIBERS.get(name, "fans")),)
    return Content(**{"text": "Hello", "include": include, **more})


def paid(name: str) -> Content:
    return content(name, media=(MEDIA.get(name, "12345"),), price_cents=1_499)


def sent(client: Client, sandbox: Sandbox, name: str, said: Content) -> Receipt:
    platform = PLATFORMS[name]
    request = platform.request(of(sandbox, name), said)
    return send(platform, client, request, sandbox.keys[name], Guard(clock.ticks() + 30))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


@pytest.mark.parametrize("name", PLATFORMS)
def test_members_are_those_of_the_list(client: Client, sandbox: Sandbox, name: str) -> None:
    custom = VIP.get(name, "2")
    found = list(PLATFORMS[name].audience.members(client, of(sandbox, name), ListRef(kind="custom", value=custom)))
    assert tuple(one.id for one in found) == sandbox.account(name).lists[custom].members != ()
    assert all(one.handle for one in found)
    smart = ListRef(kind="smart", value=SUBSCRIBERS.get(name, "fans"))
    if name == "frontrow":
        with pytest.raises(Unreadable):
            list(PLATFORMS[name].audience.members(client, of(sandbox, name), smart))
    else:
        members = PLATFORMS[name].audience.members(client, of(sandbox, name), smart)
        assert len(list(members)) == len(sandbox.account(name).lists[smart.value].members)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_list_is_made_and_filled_where_that_is_offered(client: Client, sandbox: Sandbox, name: str) -> None:
    audience, account = PLATFORMS[name].audience, of(sandbox, name)
    request = audience.create(account, "Spring")
    assert (request is not None) == (name in LISTS_MADE)
    if request is None:
        return
    body = client.write(request).json()
    assert isinstance(body, Mapping)
    made = audience.created(body)
    assert (made.name, made.kind) == ("Spring", "custom")
    fans = [fan.id for fan in sandbox.account(name).fans[:5]]
    for start in range(0, len(fans), audience.fans_at_once):
        added = audience.add(account, made.id, fans[start : start + audience.fans_at_once])
        assert added is not None
        assert client.write(added).status in (200, 201)
    assert sandbox.account(name).lists[made.id].members == tuple(fans)
    listed = {one.id: one.count for one in PLATFORMS[name].lists(client, account)}
    assert listed[made.id] == len(fans)


class Kept:
    def __init__(self) -> None:
        self.kept: Mapping[str, object] = {}

    def keep(self, **reached: object) -> None:
        self.kept = {**self.kept, **reached}


def source() -> Source:
    return Source("set.jpg", len(FILE), "image/jpeg", lambda start, length: iter([FILE[start : start + length]]))


@pytest.mark.parametrize("name", LISTS_MADE)
def test_a_file_is_brought_listed_and_sent_again_and_again(client: Client, sandbox: Sandbox, name: str) -> None:
    library, account, progress = PLATFORMS[name].library, of(sandbox, name), Kept()
    reference = library.upload(client, account, source(), progress)

    def ready() -> bool:
        nonlocal reference
        reference = library.uploaded(client, account, reference, progress)
        return reference.state == "ready"

    if reference.state != "ready":
        until(ready)
    (upload,) = sandbox.uploads()
    assert (upload["size"], upload["sha256"], upload["complete"]) == (len(FILE), sha256(FILE).hexdigest(), True)
    assert not reference.single_use
    for _ in "12":
        assert sent(client, sandbox, name, content(name, media=(reference.id,))).message_id
    assert reference.id in {medium.id for medium in islice(library.media(client, account), 50)}


@pytest.mark.parametrize("name", PLATFORMS)
def test_placed_looked_at_replaced_and_sent_at_its_time(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, account = PLATFORMS[name], of(sandbox, name)
    assert (platform.calendar is None) == (name == "frontrow")
    if platform.calendar is None:
        return
    message_id = placed(client, sandbox, name, 3_600)
    since, at = clock.now() - timedelta(minutes=1), whole_second(1_800)
    shown = platform.calendar.look(client, account, message_id, since)
    assert shown is not None
    assert shown.scheduled_at == datetime.fromtimestamp(sandbox.scheduled()[0].goes_at, UTC)
    request = platform.calendar.replace(account, message_id, content(name, text="Changed"), at)
    assert request is not None
    assert client.write(request).status in (200, 204)
    sandbox.world.backstage.clock.run(at.timestamp() - 1)
    assert sandbox.deliveries() == []
    sandbox.world.backstage.clock.run(at.timestamp())
    (delivery,) = sandbox.deliveries()
    assert (delivery.message_id, delivery.body["text"], delivery.goes_at) == (message_id, "Changed", at.timestamp())
    after = platform.calendar.look(client, account, message_id, since)
    assert after is not None
    assert after.scheduled_at is None
    assert after.delivery in ("accepted", "delivering", "done")


def whole_second(seconds: float) -> datetime:
    return (clock.now() + timedelta(seconds=seconds)).replace(microsecond=0)


def placed(client: Client, sandbox: Sandbox, name: str, seconds: float) -> str:
    platform, account = PLATFORMS[name], of(sandbox, name)
    assert platform.calendar is not None
    request = platform.calendar.place(account, content(name), whole_second(seconds))
    receipt = send(platform, client, request, sandbox.keys[name], Guard(clock.ticks() + 30))
    (waiting,) = sandbox.scheduled()
    assert (receipt.message_id, waiting.waits) == (waiting.message_id, True)
    return waiting.message_id


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("scheduled", [True, False])
def test_withdrawn_before_and_after(client: Client, sandbox: Sandbox, name: str, scheduled: bool) -> None:
    platform, account = PLATFORMS[name], of(sandbox, name)
    assert (platform.recall is None) == (name == "frontrow")
    if platform.recall is None:
        return
    if scheduled:
        message_id = placed(client, sandbox, name, 3_600)
    else:
        message_id = str(sent(client, sandbox, name, content(name)).message_id)
        (shown,) = found(client, platform, account)
        assert platform.recall.recallable(shown, clock.now(), clock.now()) is None
    withdrawal = platform.recall.withdraw(account, message_id)
    assert [client.write(withdrawal).status for _ in "12"] in ([204, 404], [200, 404])
    assert [one.withdrawn for one in (sandbox.scheduled() if scheduled else sandbox.deliveries())] == [True]
    assert all(one.delivery == "cancelled" for one in found(client, platform, account))


def found(client: Client, platform: Platform, account: Account) -> list[Any]:
    seen = platform.shown(client, account, clock.now() - timedelta(minutes=1))
    return [platform.whole(client, account, one) if one.text is None else one for one in seen]


@pytest.mark.parametrize("name", PLATFORMS)
def test_figures_agree_with_what_was_sold(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, account = PLATFORMS[name], of(sandbox, name)
    ids = [str(sent(client, sandbox, name, said).message_id) for said in (content(name), paid(name))]
    time.sleep(0.06)
    at = clock.now()
    asked = [Sent(ids[0], at, "Hello", None), Sent(ids[1], at, "Hello", 1_499)]
    told: dict[str, list[Told]] = {message_id: [] for message_id in ids}
    for one in platform.results.told(client, account, asked):
        told[one.message_id].append(one)
    if name == "frontrow":
        assert not any(told.values())
        return
    reactions = {one.delivery.message_id: one for one in sandbox.world.backstage.all_reactions()}
    now = time.time()
    for message_id in ids:
        expected = reactions[message_id]
        assert {one.views for one in told[message_id]} - {None} == {expected.views(now)}
        assert {one.recipients for one in told[message_id]} - {None} == {len(expected.delivery.recipients)}
    expected = reactions[ids[1]]
    assert {one.purchases for one in told[ids[1]]} - {None} == {len(expected.purchases(now))}
    assert {one.revenue_cents for one in told[ids[1]]} - {None} == {expected.revenue_cents(now)} != {0}
    buyers = [one.fan for one in platform.results.buyers(client, account, asked[1])]
    assert buyers in ([], [sale.fan for sale in expected.purchases(now)])
    assert bool(buyers) == (name != "fanvue")


def test_what_onlyfansapi_says_of_credits(client: Client, sandbox: Sandbox) -> None:
    platform, account = PLATFORMS["onlyfansapi"], of(sandbox, "onlyfansapi")
    sandbox.world.backstage.credits[account.secret] = 1_000
    url, headers = f"{account.url}/api/acct_demo/mass-messaging", {"Authorization": f"Bearer {account.secret}"}
    told = platform.results.credits(client.get(Request("GET", url, headers)))
    assert told is not None
    assert (told.used, told.balance) == (1, 999)


SECRET = "whsec_" + b64encode(b"a secret of ours").decode()
SIGNED = [("fanvue", "current"), ("fanvue", "legacy"), ("frontrow", "current"), ("onlyfansapi", "current")]


def delivered(sandbox: Sandbox, name: str, variant: Any = "current") -> Callable[[], list[Attempt]]:
    """The first attempts so far to deliver webhooks, where nobody listens."""
    sandbox.hooks.subscribe(name, sandbox.accounts[name], "http://127.0.0.1:9/", SECRET, variant=variant)
    return lambda: [one for one in sandbox.hooks.log() if one.attempt == 1]


@pytest.mark.parametrize(("name", "variant"), SIGNED)
def test_webhooks_are_proven_and_their_purchases_add_up(
    client: Client, sandbox: Sandbox, name: str, variant: str
) -> None:
    first, webhooks = delivered(sandbox, name, variant), PLATFORMS[name].webhooks
    message_id = sent(client, sandbox, name, paid(name)).message_id

    def purchases() -> list[Hint]:
        hints = []
        for one in first():
            webhooks.verify(list(one.headers.items()), one.body.encode(), SECRET, clock.now())
            body = json.loads(one.body)
            assert webhooks.account(body) in (None, sandbox.accounts[name])
            hints += [hint for hint in webhooks.hints(body) if hint.kind == "purchase"]
        return hints

    (told,) = sandbox.world.backstage.all_reactions()
    expected = {(sale.fan, sale.amount_cents) for sale in told.sales if sale.kind == "purchase"}
    until(lambda: {(hint.fan, hint.amount_cents) for hint in purchases()} == expected != set())
    assert {hint.message_id for hint in purchases()} == {message_id}
    tampered = first()[0].body.replace(" ", "  ", 1).encode()
    with pytest.raises(BadSignatureError):
        webhooks.verify(list(first()[0].headers.items()), tampered, SECRET, clock.now())


@pytest.mark.parametrize("variant", ["current", "svix", "oldest"])
def test_ofauth_proves_a_lost_login_in_each_of_its_ways(sandbox: Sandbox, variant: str) -> None:
    first, webhooks = delivered(sandbox, "ofauth", variant), PLATFORMS["ofauth"].webhooks
    sandbox.link("ofauth", "conn_demo", False)
    until(lambda: len(first()) == 1)
    (one,) = first()
    webhooks.verify(list(one.headers.items()), one.body.encode(), SECRET, clock.now())
    assert [hint.kind for hint in webhooks.hints(json.loads(one.body))] == ["account"]
    assert webhooks.account(json.loads(one.body)) == "conn_demo"


def test_fanvues_sign_in_and_a_refresh(client: Client, sandbox: Sandbox) -> None:
    server = issuer("fanvue", sandbox.auth_url, CLIENT_ID, CLIENT_SECRET)
    assert server is not None
    back = "http://127.0.0.1:8765/callback"
    asked = server.ask(back)
    answer = client.get(Request("GET", asked.url, {}))
    told = dict(parse_qsl(urlsplit(answer.headers.get("Location", "")).query))
    assert (answer.status, told["state"]) == (302, asked.state)
    pair = server.exchange(told["code"], asked, back)
    assert pair.refresh is not None
    newer = server.refresh(pair.refresh)
    account = Account(sandbox.urls["fanvue"], None, newer.access)
    assert {one.id for one in PLATFORMS["fanvue"].lists(client, account)} == set(sandbox.account("fanvue").lists)
    with pytest.raises(Refused):
        server.refresh(pair.refresh)
