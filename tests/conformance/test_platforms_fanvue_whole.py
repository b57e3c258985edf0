"""The whole way of Fanvue and FrontRow against the sandbox: lists, uploads, the scheduler, recalls, sales, webhooks."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

import pytest

from carillon import clock
from carillon.platforms import answers
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Content, ListRef, Platform, Request
from carillon.platforms.parts import Hint, Sent
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.writing import written
from console.sandbox import Appetite, Sandbox
from console.sandbox.hooks import Variant
from standins import Reply, StandIn
from upload_progress import Kept, source

NAMES = ("fanvue", "frontrow")
FANVUE = PLATFORMS["fanvue"]
FANS = (ListRef(kind="smart", value="subscribers"),)
PHOTO = {"fanvue": "3ed1a000-0000-4000-8000-00000000000a", "frontrow": "med_a1b2c3"}
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


def account(sandbox: Sandbox, name: str = "fanvue") -> Account:
    return Account(sandbox.urls[name], None, sandbox.keys[name])


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


def test_a_scheduled_one_from_its_placing_to_its_end(client: Client, sandbox: Sandbox) -> None:
    calendar, recall, to = FANVUE.calendar, FANVUE.recall, account(sandbox)
    assert calendar is not None
    assert recall is not None
    began, at = clock.now(), (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    content = Content(text="Tonight", include=FANS, media=(PHOTO["fanvue"],), price_cents=999)
    barred = content.model_copy(update={"exclude": (ListRef(kind="smart", value="muted"),)})
    message = sent(client, FANVUE, to, calendar.place(to, barred, at))
    placed = calendar.look(client, to, message, began)
    assert placed is not None
    assert (placed.scheduled_at, placed.price_cents, placed.delivery) == (at, 999, "accepted")
    later = at + timedelta(minutes=5)
    done(client, calendar.replace(to, message, Content(text="Tomorrow", include=FANS), later), to.secret)
    changed = calendar.look(client, to, message, began)
    assert changed is not None
    assert (changed.scheduled_at, changed.price_cents, changed.text, changed.media) == (
        later,
        0,
        "Tomorrow",
        frozenset(),
    )
    assert set(sandbox.scheduled()[0].body) - {"scheduledAt"} == {
        "text",
        "includedLists",
    }  # price, media and exclusions are gone
    done(client, recall.withdraw(to, message), to.secret)
    gone = calendar.look(client, to, message, began)
    assert gone is not None
    assert (gone.delivery, gone.scheduled_at) == ("cancelled", None)
    assert calendar.look(client, to, "nobody knows it", began) is None


def test_what_was_sent_is_taken_back(client: Client, sandbox: Sandbox) -> None:
    calendar, recall, to = FANVUE.calendar, FANVUE.recall, account(sandbox)
    assert calendar is not None
    assert recall is not None
    message = sent(client, FANVUE, to, FANVUE.request(to, Content(text="Oops", include=FANS)))
    done(client, recall.withdraw(to, message), to.secret)
    back = calendar.look(client, to, message, clock.now())
    assert back is not None
    assert recall.recallable(back, clock.now(), clock.now()) == "it was withdrawn already"


@pytest.mark.parametrize("part_bytes", [None, 100])
def test_an_upload_can_be_sent_again_and_again(client: Client, sandbox: Sandbox, part_bytes: int | None) -> None:
    to, library, kept = account(sandbox), FANVUE.library, Kept()
    sandbox.world.backstage.part_size, sandbox.world.backstage.processing_seconds = part_bytes, 0.05
    found = library.upload(client, to, source(bytes(250)), kept)
    ready = until(lambda: library.uploaded(client, to, found, kept), lambda one: one.state == "ready")
    for _ in "12":
        content = Content(text="Look", include=FANS, media=(ready.id,), price_cents=500)
        sent(client, FANVUE, to, FANVUE.request(to, content))
    assert ready.id in {medium.id for medium in library.media(client, to)}
    assert [upload["size"] for upload in sandbox.uploads()] == [250]


def test_lists_are_made_filled_and_read(client: Client, sandbox: Sandbox) -> None:
    to, audience = account(sandbox), FANVUE.audience
    fans = [member.id for member in audience.members(client, to, FANS[0])]
    made = audience.created(done(client, audience.create(to, "New"), to.secret))
    done(client, audience.add(to, made.id, fans[:3]), to.secret)
    found = audience.members(client, to, ListRef(kind="custom", value=made.id))
    assert sorted(member.id for member in found) == sorted(fans[:3])
    assert made.id in {one.id for one in FANVUE.lists(client, to)}


def test_sums_agree_to_the_cent_with_what_was_sold(client: Client, sandbox: Sandbox) -> None:
    to, asked = account(sandbox), []
    for at, cents in enumerate((1_499, 697, None)):
        content = Content(text=f"Drop {at}", include=FANS, media=(PHOTO["fanvue"],), price_cents=cents)
        message = sent(client, FANVUE, to, FANVUE.request(to, content))
        asked.append(Sent(message, clock.now(), content.text, cents))
    sleep(0.4)  # until the last fan has bought: the appetite is over after 0.2 s
    sold = {one.message_id: 0 for one in asked}
    for sale in sandbox.sales():
        sold[sale.message_id] += sale.amount_cents if sale.kind == "purchase" else 0
    told = list(FANVUE.results.told(client, to, asked))
    by_source = {(one.message_id, one.source): one.revenue_cents for one in told}
    assert {id_: by_source[id_, "mass_messages"] for id_ in sold} == sold
    assert all(cents == sold[id_] for (id_, _), cents in by_source.items())


def heard(receiver: StandIn, name: str) -> list[Hint]:
    webhooks = PLATFORMS[name].webhooks
    found: list[Hint] = []
    for seen in receiver.seen:
        webhooks.verify(list(seen.headers.items()), seen.body, HOOK_SECRET, clock.now())
        found += webhooks.hints(seen.json())
    return found


@pytest.mark.parametrize(
    ("name", "variant", "progress"), [("fanvue", "current", 1), ("fanvue", "legacy", 0), ("frontrow", "current", 0)]
)
def test_signed_webhooks_tell_each_sale(
    client: Client, sandbox: Sandbox, name: str, variant: Variant, progress: int
) -> None:
    platform, to = PLATFORMS[name], account(sandbox, name)
    with StandIn(lambda _: Reply(200, {})) as receiver:
        hook = f"{receiver.url}/hook"
        sandbox.hooks.subscribe(name, sandbox.account(name).id, hook, HOOK_SECRET, variant=variant)
        content = Content(text="Drop", include=FANS, media=(PHOTO[name],), price_cents=1_499)
        message = sent(client, platform, to, platform.request(to, content))
        sleep(0.4)  # until the last fan has bought and tipped
        sold = sandbox.sales()
        until(lambda: heard(receiver, name), lambda hints: len(hints) == len(sold) + progress)
        hints = heard(receiver, name)
    for kind in ("purchase", "tip"):
        amounts = sorted(one.amount_cents or 0 for one in hints if one.kind == kind)
        assert amounts == sorted(sale.amount_cents for sale in sold if sale.kind == kind) != []
        assert {one.fan for one in hints if one.kind == kind} == {sale.fan for sale in sold if sale.kind == kind}
    about = [one.message_id for one in hints if one.kind in ("purchase", "progress")]
    assert set(about) == {message}
