"""The whole way of OFAuth and OnlyFansAPI against the sandbox: place, change, withdraw, upload, sell, tell, sign."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from time import monotonic, sleep, time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carillon import clock
from carillon.platforms import answers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Content, ListRef, Platform, Request
from carillon.platforms.errors import Refused
from carillon.platforms.parts import Hint, Reference, Sent, Told
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.writing import written
from console.sandbox import Appetite, Sandbox
from console.sandbox.hooks import Variant
from routes import routed
from standins import StandIn
from upload_progress import Kept, source

NAMES = ("ofauth", "onlyfansapi")
FANS = (ListRef(kind="smart", value="fans"),)
HOOK_SECRET = "whsec_c2VjcmV0IG9mIG91cnM="


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        for name in NAMES:
            running.limit(name, 1_000, 1)
        running.world.backstage.appetite = Appetite(opens=1, buys=0.5, tips=0.5, seconds=0.2)
        yield running


def account(sandbox: Sandbox, name: str) -> Account:
    return Account(sandbox.urls[name], sandbox.accounts[name], sandbox.keys[name])


def done(client: Client, request: Request | None, secret: str) -> Any:
    assert request is not None
    return written(client.write(request), secret)


def sent(client: Client, platform: Platform, to: Account, request: Request) -> str:
    found = platform.receipt(answers.accepted(client.write(request), to.secret)).message_id
    assert found is not None
    return found


def until(read: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    end = monotonic() + 10
    while not wanted(found := read()):
        assert monotonic() < end, found
        sleep(0.02)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_scheduled_one_from_its_placing_to_its_end(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    calendar, recall = platform.calendar, platform.recall
    assert calendar is not None
    assert recall is not None
    began, at = clock.now(), (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    content = Content(text="Tonight", include=FANS, media=("12345",), price_cents=999)
    message = sent(client, platform, to, calendar.place(to, content, at))
    placed = calendar.look(client, to, message, began)
    assert placed is not None
    assert (placed.scheduled_at, placed.price_cents, placed.delivery) == (at, 999, "accepted")
    assert message in {shown.id for shown in platform.shown(client, to, began)}
    later = at + timedelta(minutes=5)
    done(client, calendar.replace(to, message, Content(text="Tomorrow", include=FANS), later), to.secret)
    changed = calendar.look(client, to, message, began)
    assert changed is not None
    assert (changed.scheduled_at, changed.price_cents, "Tomorrow" in (changed.text or "")) == (later, 0, True)
    done(client, recall.withdraw(to, message), to.secret)
    assert calendar.look(client, to, message, began) is None
    with pytest.raises(Refused) as error:
        done(client, recall.withdraw(to, message), to.secret)
    assert error.value.status == 404


@pytest.mark.parametrize("name", NAMES)
def test_what_was_sent_is_taken_back(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    calendar, recall = platform.calendar, platform.recall
    assert calendar is not None
    assert recall is not None
    began = clock.now() - timedelta(seconds=1)
    message = sent(client, platform, to, platform.request(to, Content(text="Oops", include=FANS)))
    out = calendar.look(client, to, message, began)
    assert out is not None
    assert recall.recallable(out, clock.now(), clock.now()) is None
    done(client, recall.withdraw(to, message), to.secret)
    back = calendar.look(client, to, message, began)
    assert back is not None
    assert (back.delivery, recall.recallable(back, clock.now(), clock.now())) == (
        "cancelled",
        "it was withdrawn already",
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part_bytes", [None, 100])
def test_an_upload_can_be_sent(client: Client, sandbox: Sandbox, name: str, part_bytes: int | None) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    sandbox.world.backstage.part_size, sandbox.world.backstage.processing_seconds = part_bytes, 0.05
    found, kept = platform.library.upload(client, to, source(bytes(250)), Kept()), Kept()
    ready = until(lambda: platform.library.uploaded(client, to, found, kept), lambda one: one.state == "ready")
    assert not ready.single_use
    for _ in "12":
        content = Content(text="Look", include=FANS, media=(ready.id,), price_cents=500)
        sent(client, platform, to, platform.request(to, content))
    assert ready.id in {medium.id for medium in platform.library.media(client, to)}
    assert [upload["size"] for upload in sandbox.uploads()] == [250]


def test_a_url_and_a_large_file_in_the_background(client: Client, sandbox: Sandbox) -> None:
    platform, to = PLATFORMS["onlyfansapi"], account(sandbox, "onlyfansapi")
    sandbox.world.backstage.processing_seconds = 0.05
    library = platform.library

    def url(kept: Kept) -> Reference | None:
        return library.upload_url(client, to, "https://cdn.example/a.mp4", kept)

    def file(kept: Kept) -> Reference | None:
        return library.upload(client, to, source(bytes(10_000_001)), kept)

    for start in (url, file):
        kept = Kept()
        assert start(kept) == Reference(str(kept.kept["upload"]), "processing", single_use=True)
        ready = until(partial(start, kept), lambda one: one.state == "ready")
        assert (ready.id.isdecimal(), ready.single_use) == (True, False)


@pytest.mark.parametrize("name", NAMES)
def test_lists_are_made_filled_and_read(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    everybody = [member.id for member in platform.audience.members(client, to, FANS[0])]
    assert sorted(everybody) == sorted(fans_of(sandbox, name))
    made = platform.audience.created(done(client, platform.audience.create(to, "New"), to.secret))
    for at in range(0, 3, platform.audience.fans_at_once):
        chunk = everybody[:3][at : at + platform.audience.fans_at_once]
        done(client, platform.audience.add(to, made.id, chunk), to.secret)
    found = platform.audience.members(client, to, ListRef(kind="custom", value=made.id))
    assert sorted(member.id for member in found) == sorted(everybody[:3])
    assert made.id in {one.id for one in platform.lists(client, to)}


class TenThousand:
    """A list that long, made as it is asked for, so that only what is kept of it counts as memory."""

    def __init__(self) -> None:
        self.reads = 0

    def get(self, request: Request) -> answers.Answer:
        self.reads += 1
        asked = {key: int(value[0]) for key, value in parse_qs(urlsplit(request.url).query).items()}
        end = asked["offset"] + asked["limit"]
        rows = [{"id": fan, "username": f"u{fan}", "name": "Fan"} for fan in range(asked["offset"], end)]
        body = json.dumps({"data": {"list": rows, "hasMore": end < 10_000, "nextOffset": end}}).encode()
        return answers.Answer(200, answers.Headers({"Content-Type": "application/json"}), body, complete=True)

    def write(self, request: Request, seconds: float | None = None) -> answers.Answer:
        raise AssertionError(request, seconds)


@pytest.mark.parametrize(("name", "reads"), [("ofauth", 100), ("onlyfansapi", 200)])
def test_ten_thousand_members_in_little_memory(name: str, reads: int) -> None:
    caller, to = TenThousand(), Account("https://platform.test", "a", "sk_live")
    tracemalloc.start()
    try:
        count = sum(1 for _ in PLATFORMS[name].audience.members(caller, to, FANS[0]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, caller.reads) == (10_000, reads)
    assert peak < 1_000_000


def revenues(told: list[Told]) -> dict[str, int]:
    """By message: the exact one, if any source has it, else the estimate."""
    known = [one for one in told if one.revenue_cents is not None]
    in_order = sorted(known, key=lambda one: not one.estimated)
    return {one.message_id: one.revenue_cents or 0 for one in in_order}


def is_over(sandbox: Sandbox) -> bool:
    """Whether every fan has done what it will do."""
    now, stories = time(), sandbox.world.backstage.all_reactions()
    return all((one.views(now), len(one.told(now))) == (len(one.opened_at), len(one.sales)) for one in stories)


def fans_of(sandbox: Sandbox, name: str) -> list[str]:
    return list(sandbox.account(name).lists["fans"].members)


@pytest.mark.parametrize("name", NAMES)
def test_sums_agree_to_the_cent_with_what_was_sold(client: Client, sandbox: Sandbox, name: str) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    asked = []
    for at, cents in enumerate((1_499, 697, None)):
        content = Content(text=f"Drop {at}", include=FANS, media=("12345",), price_cents=cents)
        message = sent(client, platform, to, platform.request(to, content))
        asked.append(Sent(message, clock.now(), content.text, cents))
    until(lambda: is_over(sandbox), bool)
    sold = {one.message_id: 0 for one in asked}
    for sale in sandbox.sales():
        sold[sale.message_id] += sale.amount_cents if sale.kind == "purchase" else 0
    told = list(platform.results.told(client, to, asked))
    fans = len(fans_of(sandbox, name))
    assert revenues(told) == sold
    assert any(one.revenue_cents and not one.estimated for one in told)
    assert {one.recipients for one in told if one.recipients is not None} == {fans}
    assert {one.views for one in told if one.views is not None} == {fans}
    buyers = {
        sale.fan for sale in sandbox.sales() if sale.message_id == asked[0].message_id and sale.kind == "purchase"
    }
    assert {buyer.fan for buyer in platform.results.buyers(client, to, asked[0])} == buyers != set()


def test_credits_of_every_answer(client: Client, sandbox: Sandbox) -> None:
    to = account(sandbox, "onlyfansapi")
    answer = client.write(PLATFORMS["onlyfansapi"].request(to, Content(text="Hi", include=FANS)))
    found = PLATFORMS["onlyfansapi"].results.credits(answer)
    assert found is not None
    assert (found.used, found.balance) == (1, sandbox.world.backstage.credits[to.secret])


def heard(receiver: StandIn, name: str) -> list[Hint]:
    webhooks = PLATFORMS[name].webhooks
    found: list[Hint] = []
    for seen in receiver.seen:
        webhooks.verify(list(seen.headers.items()), seen.body, HOOK_SECRET, clock.now())
        found += webhooks.hints(seen.json())
    return found


def test_signed_webhooks_tell_each_sale_once(client: Client, sandbox: Sandbox) -> None:
    platform, to = PLATFORMS["onlyfansapi"], account(sandbox, "onlyfansapi")
    with routed({"POST /hook": {}}) as receiver:
        sandbox.hooks.subscribe("onlyfansapi", to.id or "", f"{receiver.url}/hook", HOOK_SECRET)
        content = Content(text="Drop", include=FANS, media=("12345",), price_cents=1_499)
        message = sent(client, platform, to, platform.request(to, content))
        fans = len(fans_of(sandbox, "onlyfansapi"))
        finished = Hint("progress", "chat_queue.finished", message, delivery="done", recipients=fans)
        until(lambda: heard(receiver, "onlyfansapi"), lambda hints: finished in hints)
        until(lambda: is_over(sandbox), bool)
        until(lambda: len(receiver.seen), lambda count: count == len(sandbox.sales()) * 2 + len(("begun", "done")))
        hints = heard(receiver, "onlyfansapi")
    for kind in ("purchase", "tip"):
        of_kind = [hint for hint in hints if hint.kind == kind]
        sold = [sale for sale in sandbox.sales() if sale.kind == kind]
        assert len({hint.sale for hint in of_kind}) == len(of_kind) == len(sold) > 0
        assert sum(hint.amount_cents or 0 for hint in of_kind) == sum(sale.amount_cents for sale in sold)
        assert {hint.fan for hint in of_kind} == {sale.fan for sale in sold}
    assert {hint.message_id for hint in hints if hint.kind == "purchase"} == {message}


@pytest.mark.parametrize("variant", ["current", "svix", "oldest"])
def test_a_lost_connection_is_heard_in_each_version(sandbox: Sandbox, variant: Variant) -> None:
    with routed({"POST /hook": {}}) as receiver:
        connection = sandbox.accounts["ofauth"]
        sandbox.hooks.subscribe("ofauth", connection, f"{receiver.url}/hook", HOOK_SECRET, variant=variant)
        sandbox.link("ofauth", connection, linked=False)
        receiver.wait_for(1)
        (hint,) = heard(receiver, "ofauth")
    assert (hint.kind, hint.event) == ("account", "connection.expired")
    assert PLATFORMS["ofauth"].webhooks.account(receiver.seen[0].json()) == connection
