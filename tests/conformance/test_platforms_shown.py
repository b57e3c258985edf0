"""Looking at what a platform has taken: the exact reads, to the end or an error, and what their answers show."""

import operator
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carillon import clock
from carillon.platforms.agreement import agrees
from carillon.platforms.attempt import Guard
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Content, ListRef, Shown
from carillon.platforms.errors import MaybeSent, PlatformError, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.send import send
from console.sandbox import Fault, Sandbox
from standins import Reply, Seen, StandIn

SECRET = "sk_live_5ecret"
ASKED = ["fanvue", "ofauth", "onlyfansapi"]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


def account(platform: StandIn, id_: str | None = "a/1") -> Account:
    return Account(platform.url, id_, SECRET)


def shown(client: Client, name: str, platform: StandIn, since: datetime = NOON) -> tuple[Shown, ...]:
    return PLATFORMS[name].shown(client, account(platform), since)


def at(seconds: float) -> str:
    return clock.rfc3339(NOON + timedelta(seconds=seconds))


def asked(seen: Seen) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(seen.path).query).items()}


def answering(**replies: Reply) -> Callable[[Seen], Reply]:
    """By the path's last part: `sent` is OFAuth's statistics, `queue` its queue, `other` anything else."""

    def answer(seen: Seen) -> Reply:
        path = urlsplit(seen.path).path
        name = "sent" if path.endswith("/analytics/mass-messages/sent") else "other"
        return replies.get("queue" if path == "/v2/access/mass-messages" else name, Reply(404, {"error": "no route"}))

    return answer


EMPTY: dict[str, Any] = {
    "fanvue": {"data": [], "pagination": {"page": 1, "size": 0, "hasMore": False}},
    "ofauth": {"list": [], "hasMore": False},
    "onlyfansapi": {"data": [], "_meta": {}},
}
READS = {
    "fanvue": ["/creators/a%2F1/chats/mass-messages?page=1&size=50&includeDeleted=true"],
    "ofauth": [
        "/v2/access/mass-messages?limit=20&offset=0&type=scheduled",
        "/v2/access/mass-messages?limit=20&offset=0&type=sent",
        "/v2/access/mass-messages?limit=20&offset=0&type=unsent",
        "/v2/access/analytics/mass-messages/sent?limit=10",
    ],
    "onlyfansapi": ["/api/a%2F1/mass-messaging"],
}
KEYS = {
    "fanvue": {"authorization": f"Bearer {SECRET}", "x-fanvue-api-version": "2025-06-26"},
    "ofauth": {"apikey": SECRET, "x-connection-id": "a/1"},
    "onlyfansapi": {"authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_read(client: Client, name: str) -> None:
    with StandIn(lambda _: Reply(200, EMPTY[name])) as platform:
        assert shown(client, name, platform) == ()
    assert [seen.path for seen in platform.seen] == READS[name]
    assert {seen.method for seen in platform.seen} == {"GET"}
    assert platform.faults == []
    for seen in platform.seen:
        assert {key: value for key, value in seen.headers.items() if key in KEYS[name]} == KEYS[name]


def test_an_own_account_on_fanvue(client: Client) -> None:
    with StandIn(lambda _: Reply(200, EMPTY["fanvue"])) as platform:
        PLATFORMS["fanvue"].shown(client, account(platform, None), NOON)
    assert platform.seen[0].path == "/chats/mass-messages?page=1&size=50&includeDeleted=true"


def test_a_single_message_on_onlyfansapi(client: Client) -> None:
    with StandIn(lambda _: Reply(200, {"data": {"queue": {"id": 7, "text": "<p>Hi</p>"}}})) as platform:
        found = PLATFORMS["onlyfansapi"].whole(client, account(platform), Shown("7", NOON, recipient_count=3))
    assert found == Shown("7", NOON, text="<p>Hi</p>", recipient_count=3)
    (seen,) = platform.seen
    assert (seen.method, seen.path, platform.faults) == ("GET", "/api/a%2F1/mass-messaging/7", [])
    assert seen.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("name", ["fanvue", "frontrow", "ofauth"])
def test_the_others_have_no_more_to_show(client: Client, name: str) -> None:
    with StandIn() as platform:
        assert PLATFORMS[name].whole(client, account(platform), Shown("7")) == Shown("7")
    assert platform.seen == []


def test_frontrow_shows_nothing(client: Client) -> None:
    with StandIn() as platform, pytest.raises(Unreadable):
        shown(client, "frontrow", platform)
    assert platform.seen == []


SAVED = Content(text="x", save_for_later=True)
SHOWS = [
    ("fanvue", Content(text="x"), timedelta(days=30), "all"),
    ("frontrow", Content(text="x"), timedelta(), "nothing"),
    ("ofauth", Content(text="x"), timedelta(), "some"),
    ("onlyfansapi", Content(text="x"), timedelta(minutes=15), "all"),
    ("onlyfansapi", Content(text="x"), timedelta(minutes=15, seconds=1), "some"),
    ("onlyfansapi", SAVED, timedelta(), "some"),
]


@pytest.mark.parametrize(("name", "content", "age", "what"), SHOWS)
def test_whether_absence_is_proof(name: str, content: Content, age: timedelta, what: str) -> None:
    assert PLATFORMS[name].shows(content, age) == what


FANVUE_ITEM = {
    "uuid": "5c0f7d52-1111-4222-8333-444455556666",
    "text": "Hey everyone!",
    "mediaUuids": ["m1", "m2"],
    "price": 999,
    "status": "SENT",
    "createdAt": "2026-01-05T12:00:03.000Z",
    "scheduledAt": None,
    "publishedAt": "2026-01-05T12:00:09.000Z",
    "recipientCount": 847,
    "viewCount": 12,
    "purchaseCount": 1,
    "totalRevenue": 999,
}
FANVUE_SHOWN = Shown(
    "5c0f7d52-1111-4222-8333-444455556666",
    NOON + timedelta(seconds=3),
    text="Hey everyone!",
    media=frozenset({"m1", "m2"}),
    price_cents=999,
    recipient_count=847,
    delivery="done",
    purchases=1,
)


def fanvue(client: Client, change: dict[str, Any]) -> Shown:
    item = {key: value for key, value in (FANVUE_ITEM | change).items() if value != "left out"}
    with StandIn(lambda _: Reply(200, {"data": [item], "pagination": {"hasMore": False}})) as platform:
        (found,) = shown(client, "fanvue", platform)
    return found


def test_a_message_on_fanvue(client: Client) -> None:
    assert fanvue(client, {"new": {"field": 1}}) == FANVUE_SHOWN
    less = {key: "left out" for key in FANVUE_ITEM if key != "uuid"}
    assert fanvue(client, less) == Shown(FANVUE_ITEM["uuid"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"uuid": "left out", "id": "mm-1"}, "id", "mm-1"),
        ({"uuid": "left out", "id": 12345}, "id", "12345"),
        ({"text": None}, "text", ""),
        ({"text": 7}, "text", None),
        ({"mediaUuids": []}, "media", frozenset()),
        ({"mediaUuids": None}, "media", frozenset()),
        ({"mediaUuids": "m1"}, "media", None),
        ({"mediaUuids": ["m1", None]}, "media", None),
        ({"price": None}, "price_cents", 0),
        ({"price": 999.0}, "price_cents", 999),
        ({"price": 9.99}, "price_cents", None),
        ({"price": "999"}, "price_cents", None),
        ({"createdAt": None}, "created_at", NOON + timedelta(seconds=9)),
        ({"createdAt": None, "publishedAt": None, "scheduledAt": at(60)}, "created_at", None),
        ({"createdAt": 1_767_614_460}, "created_at", NOON + timedelta(minutes=1)),
        ({"createdAt": "soon", "publishedAt": None}, "created_at", None),
        ({"recipientCount": -1}, "recipient_count", None),
        ({"status": "sending"}, "delivery", "delivering"),
        ({"status": "SCHEDULED"}, "delivery", "accepted"),
        ({"status": "UNSENT"}, "delivery", "cancelled"),
        ({"status": "FAILED"}, "delivery", "error"),
        ({"status": "MODERATED"}, "delivery", "error"),
        ({"status": "NEW_WORD"}, "delivery", "accepted"),
        ({"status": ["SENT"]}, "delivery", "accepted"),
        ({"status": "UNSENT", "text": None}, "text", None),
        ({"status": "UNSENT", "mediaUuids": []}, "media", None),
        ({"status": "UNSENT", "price": None}, "price_cents", None),
        ({"status": "UNSENT"}, "text", "Hey everyone!"),
    ],
)
def test_each_field_on_fanvue(client: Client, change: dict[str, Any], field: str, value: object) -> None:
    assert getattr(fanvue(client, change), field) == value


QUEUED = {
    "id": 123,
    "date": "2026-01-05T12:01:01+00:00",
    "isReady": True,
    "isDone": False,
    "total": -1,
    "pending": 0,
    "canUnsend": True,
    "unsendSeconds": 1_000_000,
    "hasError": False,
    "isCanceled": False,
    "isCouplePeopleMedia": False,
}
SINGLE = {
    "id": 123,
    "date": "2026-01-05T12:01:01+00:00",
    "text": "My message",
    "giphyId": None,
    "textCropped": "My message",
    "isFree": True,
    "sentCount": 2,
    "viewedCount": 0,
    "canUnsend": True,
    "unsendSeconds": 0,
    "isCanceled": False,
    "mediaTypes": None,
    "hasError": False,
    "releaseForms": [],
}


def test_the_queue_and_a_message_on_onlyfansapi(client: Client) -> None:
    """As its reference shows them."""

    def answer(seen: Seen) -> Reply:
        found: Any = [QUEUED] if seen.path.endswith("/mass-messaging") else {"success": True, "queue": SINGLE}
        return Reply(200, {"data": found, "_meta": {"_cache": {"is_cached": False}}})

    with StandIn(answer) as platform:
        (found,) = shown(client, "onlyfansapi", platform)
        whole = PLATFORMS["onlyfansapi"].whole(client, account(platform), found)
    made = NOON + timedelta(seconds=61)
    assert found == Shown("123", made, can_unsend=True, unsend_seconds=1_000_000)
    assert whole == Shown(
        "123", made, text="My message", media_count=0, price_cents=0, can_unsend=True, unsend_seconds=0
    )


@pytest.mark.parametrize(
    "body",
    [
        {"data": SINGLE},
        SINGLE,
        {"data": {"queue": SINGLE | {"id": "123"}}},
    ],
)
def test_every_envelope_of_a_message(client: Client, body: Any) -> None:
    with StandIn(lambda _: Reply(200, body)) as platform:
        assert PLATFORMS["onlyfansapi"].whole(client, account(platform), Shown("123")).text == "My message"


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"queue": SINGLE | {"id": 124}}},
        {"data": {"success": False}},
        {"data": {"queue": None}},
        {"data": []},
        [],
        "{",
    ],
)
def test_another_message_or_none(client: Client, body: Any) -> None:
    headers = {"Content-Type": "application/json"}
    with StandIn(lambda _: Reply(200, body, headers)) as platform, pytest.raises(Unreadable):
        PLATFORMS["onlyfansapi"].whole(client, account(platform), Shown("123"))


@pytest.mark.parametrize(
    "more",
    [
        {"_pagination": {"next_page": "https://app.onlyfansapi.com/api/a/mass-messaging?page=2"}},
        {"_meta": {"_pagination": {"next_page": "https://app.onlyfansapi.com/x"}}},
        {"hasMore": True},
        {"_meta": {"_cache": {"is_cached": True}}},
    ],
)
def test_a_queue_that_is_not_all_or_not_new(client: Client, more: dict[str, Any]) -> None:
    with StandIn(lambda _: Reply(200, {"data": [QUEUED]} | more)) as platform, pytest.raises(Unreadable):
        shown(client, "onlyfansapi", platform)


def test_a_queue_that_says_that_it_is_all(client: Client) -> None:
    more = {"_pagination": {"next_page": None}, "_meta": {"_cache": {"is_cached": False}}, "hasMore": False}
    with StandIn(lambda _: Reply(200, {"data": [QUEUED]} | more)) as platform:
        assert len(shown(client, "onlyfansapi", platform)) == 1


GUIDE_ITEM = {
    "id": 12345,
    "text": "Hey everyone!",
    "sentCount": 150,
    "purchasedCount": 23,
    "totalAmount": 344.77,
    "createdAt": "2026-01-05T12:00:00Z",
}
TYPED_ITEM = {
    "id": 12346,
    "date": "2026-01-05T12:00:00+00:00",
    "text": "<p>Hey</p>",
    "mediaCount": 2,
    "price": "14.99",
    "isFree": False,
    "isCanceled": True,
}


@pytest.mark.parametrize("key", ["list", "items", "data"])
@pytest.mark.parametrize("status", [403, 404])
def test_statistics_alone_where_ofauth_serves_no_queue(client: Client, key: str, status: int) -> None:
    """The guide's shape, and that of the SDKs."""
    sent = Reply(200, {key: [GUIDE_ITEM, TYPED_ITEM], "hasMore": False})
    queue = Reply(status, {"error": "x", "type": "ROUTE_NOT_FOUND"})
    with StandIn(answering(sent=sent, queue=queue)) as platform:
        assert shown(client, "ofauth", platform) == (
            Shown("12345", NOON, text="Hey everyone!", purchases=23),
            Shown("12346", NOON, text="<p>Hey</p>", media_count=2, price_cents=1_499, delivery="cancelled"),
        )
    assert len([seen for seen in platform.seen if "type=" in seen.path]) == 3


def ofauth(client: Client, sent: list[Any], queue: list[Any], unsent: tuple[Any, ...] = ()) -> tuple[Shown, ...]:
    def answer(seen: Seen) -> Reply:
        rows = {"scheduled": [], "sent": queue, "unsent": list(unsent)}.get(asked(seen).get("type", ""), sent)
        return Reply(200, {"list": rows, "hasMore": False})

    with StandIn(answer) as platform:
        return shown(client, "ofauth", platform)


def item(id_: int, text: str | None, seconds: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": id_, "text": text, "createdAt": at(seconds), **more}


UNITED: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "one id, one message": ([item(1, "A")], [item(1, "A")], ["1"]),
    "two ids, one message": ([item(91, "<p>A b</p>", 3)], [item(1, "**A** b")], ["1"]),
    "twins stay two": ([item(91, "A"), item(92, "A")], [item(1, "A"), item(2, "A")], ["1", "2"]),
    "a twin that the queue does not show": ([item(91, "A"), item(92, "A")], [item(1, "A")], ["1", "92"]),
    "a twin that the statistics do not show": ([item(91, "A")], [item(1, "A"), item(2, "A")], ["1", "2"]),
    "the same id comes first": ([item(2, "A"), item(91, "A")], [item(1, "A"), item(2, "A")], ["1", "2"]),
    "other words": ([item(91, "B")], [item(1, "A")], ["1", "91"]),
    "another time": ([item(91, "A", 61)], [item(1, "A")], ["1", "91"]),
    "a time that is not known": ([item(91, "A") | {"createdAt": None}], [item(1, "A")], ["1", "91"]),
    "words that are not known": ([{"id": 91, "createdAt": at(0)}], [item(1, "A")], ["1", "91"]),
}


@pytest.mark.parametrize(("sent", "queue", "ids"), UNITED.values(), ids=UNITED)
def test_queue_and_statistics_are_one_list(client: Client, sent: list[Any], queue: list[Any], ids: list[str]) -> None:
    assert [one.id for one in ofauth(client, sent, queue)] == ids


def test_what_both_say_of_a_message_is_kept(client: Client) -> None:
    (found,) = ofauth(client, [item(91, "<p>A</p>", 1, price="5.00", mediaCount=1)], [item(1, "A", total=3)])
    assert found == Shown("1", NOON, text="A", media_count=1, price_cents=500, recipient_count=3)
    (found,) = ofauth(client, [item(1, "A", 90)], [{"id": 1, "total": 3}])
    assert found == Shown("1", NOON + timedelta(seconds=90), text="A", recipient_count=3)


def test_withdrawn_ones_on_ofauth(client: Client) -> None:
    sent, unsent = ofauth(client, [], [item(1, "A")], (item(2, "B", isFree=True), item(3, None))[:1])
    assert (sent.delivery, unsent.delivery, unsent.text, unsent.price_cents) == ("accepted", "cancelled", "B", None)


def test_a_queue_that_breaks_off_is_not_one_that_is_not_served(client: Client) -> None:
    def answer(seen: Seen) -> Reply:
        if asked(seen).get("offset") == "0":
            return Reply(200, {"list": [item(1, "A")], "hasMore": True})
        return Reply(404, {"error": "none"}) if "offset" in asked(seen) else Reply(200, EMPTY["ofauth"])

    with StandIn(answer) as platform, pytest.raises(Unreadable):
        shown(client, "ofauth", platform)


@pytest.mark.parametrize("name", ASKED)
def test_since_cuts_off_what_is_older_in_whole_seconds_but_the_newest(client: Client, name: str) -> None:
    key = "createdAt" if name != "onlyfansapi" else "date"
    items = [
        {"id": 1, key: at(3_600)},
        {"id": 2, key: at(0)},
        {"id": 3, key: at(-0.001)},
        {"id": 4, key: at(-1)},
        {"id": 5},
        {"id": 2, key: at(0)},
    ]
    reply = Reply(200, {"data": items, "hasMore": False})
    with StandIn(answering(sent=reply, other=reply)) as platform:
        assert [one.id for one in shown(client, name, platform, NOON + timedelta(seconds=0.9))] == ["1", "2", "3", "5"]


def paged(client: Client, name: str, pages: Callable[[Seen], Any], since: datetime = NOON) -> tuple[list[str], int]:
    """The ids that were read, and in how many reads."""

    def answer(seen: Seen) -> Reply:
        if asked(seen).get("type") in ("scheduled", "unsent") or (name == "ofauth" and "/analytics/" in seen.path):
            return Reply(200, EMPTY["ofauth"])
        return Reply(200, pages(seen))

    with StandIn(answer) as platform:
        found = [one.id for one in shown(client, name, platform, since)]
        return found, len(platform.seen) - (3 if name == "ofauth" else 0)


def slices(items: list[Any], size: int, says: bool = True) -> Callable[[Seen], Any]:
    def page(seen: Seen) -> Any:
        start = int(asked(seen).get("offset", (int(asked(seen).get("page", 1)) - 1) * size))
        rows = items[start : start + size]
        return {"list": rows, "hasMore": start + size < len(items)} if says else {"list": rows}

    return page


PAGED = ["fanvue", "ofauth"]
NEWEST_FIRST = [{"id": number, "createdAt": at(-number)} for number in range(1, 8)]


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize(("says", "reads"), [(True, 4), (False, 5)])
def test_pages_to_the_end(client: Client, name: str, says: bool, reads: int) -> None:
    """Where nothing says that it is the end, only an empty page is: a short one may be a whim of the platform."""
    found = paged(client, name, slices(NEWEST_FIRST, 2, says), NOON - HOUR)
    assert found == (["1", "2", "3", "4", "5", "6", "7"], reads)


@pytest.mark.parametrize("name", PAGED)
def test_newest_first_it_ends_behind_since(client: Client, name: str) -> None:
    """Of what is older it shows the newest: by a clock that is behind, that may have been made just now."""
    assert paged(client, name, slices(NEWEST_FIRST, 2), NOON - timedelta(seconds=3)) == (["1", "2", "3", "4"], 2)
    assert paged(client, name, slices(NEWEST_FIRST, 2), NOON - timedelta(seconds=4)) == (["1", "2", "3", "4", "5"], 3)
    assert paged(client, name, slices(NEWEST_FIRST, 2), NOON + HOUR) == (["1"], 1)


ORDERS: dict[str, list[dict[str, Any]]] = {
    "oldest first": NEWEST_FIRST[::-1],
    "all of one second": [*({"id": number, "createdAt": at(-90)} for number in range(2, 8)), NEWEST_FIRST[0]],
    "one to a page": [NEWEST_FIRST[5], NEWEST_FIRST[0]],
    "in disorder": [NEWEST_FIRST[at] for at in (2, 1, 3, 6, 5, 4, 0)],
    "without times": [*({"id": number} for number in range(2, 8)), NEWEST_FIRST[0]],
}


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("items", ORDERS.values(), ids=ORDERS)
def test_in_any_other_order_it_goes_on_to_the_end(client: Client, name: str, items: list[dict[str, Any]]) -> None:
    size = 1 if len(items) == 2 else 2
    found, reads = paged(client, name, slices(items, size), NOON - timedelta(seconds=1.5))
    assert "1" in found
    assert reads == -(-len(items) // size)


@pytest.mark.parametrize("name", PAGED)
def test_ones_without_a_time_do_not_hide_the_order(client: Client, name: str) -> None:
    items = [{"id": 99}, *NEWEST_FIRST]
    assert paged(client, name, slices(items, 2), NOON - timedelta(seconds=2)) == (["99", "1", "2", "3"], 2)


@pytest.mark.parametrize("name", PAGED)
def test_what_newer_messages_push_to_the_next_page_counts_once(client: Client, name: str) -> None:
    def page(seen: Seen) -> Any:
        first = asked(seen).get("page", asked(seen).get("offset")) in ("1", "0")
        return {"list": NEWEST_FIRST[:3] if first else NEWEST_FIRST[2:4], "hasMore": first}

    assert paged(client, name, page, NOON - HOUR) == (["1", "2", "3", "4"], 2)


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("says", [True, False])
def test_a_repeated_page_is_no_answer(client: Client, name: str, says: bool) -> None:
    same = {"list": NEWEST_FIRST[:2]} | ({"hasMore": True} if says else {})
    with pytest.raises(Unreadable, match="repeats itself"):
        paged(client, name, lambda _: same, NOON - HOUR)


@pytest.mark.parametrize("name", PAGED)
def test_an_empty_page_that_says_more_is_no_answer(client: Client, name: str) -> None:
    with pytest.raises(Unreadable, match="repeats itself"):
        paged(client, name, lambda _: {"list": [], "hasMore": True})


@pytest.mark.parametrize("name", PAGED)
def test_pages_without_end_are_no_answer(client: Client, name: str) -> None:
    def page(seen: Seen) -> Any:
        return {"list": [{"id": f"n{asked(seen).get('page') or asked(seen)['offset']}"}], "hasMore": True}

    with pytest.raises(Unreadable, match="does not end"):
        paged(client, name, page)


BROKEN: dict[str, Any] = {
    "one without an id": [{"id": 1}, {"text": "Hi"}],
    "one with an empty id": [{"uuid": ""}],
    "one that is none": [None],
    "one that is text": [{"id": 1}, "noise"],
    "no list": {"data": "x"},
    "nothing": {},
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_page_that_may_hide_one_is_no_answer(client: Client, name: str, body: Any) -> None:
    with StandIn(answering(sent=Reply(200, body), other=Reply(200, body))) as platform, pytest.raises(Unreadable):
        shown(client, name, platform)


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_nor_is_one_further_on(client: Client, name: str, body: Any) -> None:
    def page(seen: Seen) -> Any:
        first = asked(seen).get("page", asked(seen).get("offset")) in ("1", "0")
        return {"list": NEWEST_FIRST[:2], "hasMore": True} if first else body

    with pytest.raises(Unreadable):
        paged(client, name, page, NOON - HOUR)


def statistics(client: Client, items: list[dict[str, Any]], exclusive: bool, since: datetime) -> tuple[list[str], int]:
    """A platform whose statistics end before, or at, an `endDate`."""
    ends: list[str | None] = []

    def answer(seen: Seen) -> Reply:
        if "type" in asked(seen):
            return Reply(404, {"error": "no route"})
        end = asked(seen).get("endDate")
        ends.append(end)
        before = operator.lt if exclusive else operator.le
        rows = [one for one in items if end is None or before(one["createdAt"], end)]
        return Reply(200, {"list": rows[:10], "hasMore": len(rows) > 10})

    with StandIn(answer) as platform:
        found = [one.id for one in shown(client, "ofauth", platform, since)]
    assert ends[0] is None
    return found, len(ends)


@pytest.mark.parametrize(("exclusive", "reads"), [(True, 3), (False, 4)])
def test_statistics_go_on_by_an_earlier_end(client: Client, exclusive: bool, reads: int) -> None:
    items = [{"id": number, "text": "A", "createdAt": at(-(number // 2))} for number in range(25)]
    everything = [str(number) for number in range(25)]
    assert statistics(client, items, exclusive, NOON - HOUR) == (everything, reads)
    assert statistics(client, items, exclusive, NOON - timedelta(seconds=2)) == (everything[:8], 1)


def test_the_end_is_a_second_after_the_oldest(client: Client) -> None:
    items = [{"id": number, "createdAt": at(-number)} for number in range(10)]

    def answer(seen: Seen) -> Reply:
        return Reply(404, {}) if "type" in asked(seen) else Reply(200, {"list": items, "hasMore": True})

    with StandIn(answer) as platform, pytest.raises(Unreadable, match="repeats itself"):
        shown(client, "ofauth", platform, NOON - HOUR)
    path = "/v2/access/analytics/mass-messages/sent?limit=10"
    assert [seen.path for seen in platform.seen][3:] == [path, f"{path}&endDate=2026-01-05T11:59:52Z"]


@pytest.mark.parametrize("items", [NEWEST_FIRST[::-1], [{"id": 1}, {"id": 2}]])
def test_statistics_that_are_not_newest_first_cannot_be_read_on(client: Client, items: list[dict[str, Any]]) -> None:
    sent = Reply(200, {"list": items, "hasMore": True})
    with StandIn(answering(sent=sent)) as platform, pytest.raises(Unreadable, match="newest first"):
        shown(client, "ofauth", platform, NOON - HOUR)


FAILED: dict[str, tuple[Reply, type[PlatformError]]] = {
    "401": (Reply(401, {"error": f"bad key {SECRET}"}), Unauthorized),
    "429": (Reply(429, "slow", {"Retry-After": "7"}), Throttled),
    "403": (Reply(403, {"message": "scope"}), Unreadable),
    "404": (Reply(404, {"message": "none"}), Unreadable),
    "410": (Reply(410, {"message": "gone"}), Unreadable),
    "302": (Reply(302, {}, {"Location": "http://127.0.0.1:1/"}), Unreadable),
    "408": (Reply(408, {}), Unreachable),
    "500": (Reply(500, {"message": "Server Error"}), Unreachable),
    "503": (Reply(503, "<h1>", {"Content-Type": "text/html"}), Unreachable),
    "html": (Reply(200, "<h1>", {"Content-Type": "text/html"}), Unreadable),
    "no json": (Reply(200, "{", {"Content-Type": "application/json"}), Unreadable),
    "null": (Reply(200, "null", {"Content-Type": "application/json"}), Unreadable),
    "wrapped 401": (Reply(500, {"onlyfans_response": {"status": 401}}), Unauthorized),
    "wrapped 500": (Reply(404, {"onlyfans_response": {"status": 500}}), Unreachable),
    "wrapped 404": (Reply(500, {"onlyfans_response": {"status": 404}}), Unreadable),
}


def failing(client: Client, name: str, reply: Reply, which: str) -> PlatformError:
    def read(platform: StandIn) -> object:
        if which == "list":
            return shown(client, name, platform)
        return PLATFORMS[name].whole(client, account(platform), Shown("7"))

    with StandIn(lambda _: reply) as platform, pytest.raises(PlatformError) as error:
        read(platform)
    assert SECRET not in f"{error.value} {error.value!r}"
    return error.value


@pytest.mark.parametrize(("name", "which"), [*((name, "list") for name in ASKED), ("onlyfansapi", "single")])
@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_reads_that_fail(client: Client, name: str, which: str, case: tuple[Reply, type[PlatformError]]) -> None:
    reply, kind = case
    error = failing(client, name, reply, which)
    assert type(error) is kind
    if isinstance(error, Throttled):
        assert error.retry_after == 7


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (429, Throttled), (500, Unreachable)])
def test_a_queue_that_fails_is_not_one_that_is_not_served(
    client: Client, status: int, kind: type[PlatformError]
) -> None:
    sent = Reply(200, {"list": [GUIDE_ITEM], "hasMore": False})
    with StandIn(answering(sent=sent, queue=Reply(status, {}))) as platform, pytest.raises(kind):
        shown(client, "ofauth", platform)


def test_no_connection(client: Client) -> None:
    with StandIn() as platform:
        gone = Account(platform.url, "a", SECRET)
    for name in ASKED:
        with pytest.raises(Unreachable):
            PLATFORMS[name].shown(client, gone, NOON)


# Against the sandbox: what it took without an answer is found again.

TEXT = "🎉 **Special Offer!**\n\nTom & Jerry's <3, 20% off for _VIP20_ ❤️"
MEDIA = {
    "fanvue": ("3ed1a000-0000-4000-8000-00000000000a", "3ed1a000-0000-4000-8000-00000000000b"),
    "ofauth": ("12345", "12346"),
    "onlyfansapi": ("12345", "1234567890"),
}
LISTS = {"fanvue": "subscribers", "ofauth": "fans", "onlyfansapi": "fans"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        for platform in ASKED:
            running.limit(platform, 1_000, 1)
        yield running


def content(name: str, paid: bool = False, **more: Any) -> Content:
    include = (ListRef(kind="smart", value=LISTS[name]),)
    fields: dict[str, Any] = {"text": TEXT, "include": include}
    return Content(**fields | ({"media": MEDIA[name], "price_cents": 1_499} if paid else {}) | more)


def of(sandbox: Sandbox, name: str) -> Account:
    return Account(sandbox.urls[name], None if name == "fanvue" else sandbox.accounts[name], sandbox.keys[name])


def drop(client: Client, sandbox: Sandbox, name: str, said: Content) -> None:
    sandbox.faults.add(name, Fault.accept_and_drop())
    request = PLATFORMS[name].request(of(sandbox, name), said)
    with pytest.raises(MaybeSent):
        send(PLATFORMS[name], client, request, sandbox.keys[name], Guard(clock.ticks() + 30))


def seen(client: Client, sandbox: Sandbox, name: str) -> list[Shown]:
    platform, account = PLATFORMS[name], of(sandbox, name)
    found = platform.shown(client, account, clock.now() - timedelta(minutes=1))
    return [platform.whole(client, account, one) if one.text is None else one for one in found]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("paid", [False, True])
def test_what_was_taken_without_an_answer_is_found(client: Client, sandbox: Sandbox, name: str, paid: bool) -> None:
    before = clock.now().replace(microsecond=0)
    assert seen(client, sandbox, name) == []
    drop(client, sandbox, name, content(name, paid))
    (found,) = seen(client, sandbox, name)
    (delivery,) = sandbox.deliveries()
    assert found.id == delivery.message_id
    assert found.created_at is not None
    assert before <= found.created_at <= clock.now()
    assert found.created_at.microsecond == 0
    assert agrees(content(name, paid), found) == "whole"
    assert agrees(content(name, paid, text="Good night"), found) == "no"
    other = content(name, paid=True, price_cents=500, media=MEDIA[name][:1])
    assert agrees(other, found) == "part"


@pytest.mark.parametrize("name", ["fanvue", "ofauth"])
def test_media_alone(client: Client, sandbox: Sandbox, name: str) -> None:
    """By ids they are found; by their number alone a person must look."""
    drop(client, sandbox, name, content(name, paid=True, text=None))
    (found,) = seen(client, sandbox, name)
    assert agrees(content(name, paid=True, text=None), found) == ("whole" if name == "fanvue" else "part")


def test_markdown_that_is_none_on_ofauth(client: Client, sandbox: Sandbox) -> None:
    drop(client, sandbox, "ofauth", content("ofauth", markdown=False))
    (found,) = seen(client, sandbox, "ofauth")
    assert found.text == TEXT
    assert agrees(content("ofauth", markdown=False), found) == "whole"


@pytest.mark.parametrize("name", ASKED)
def test_twins_are_two(client: Client, sandbox: Sandbox, name: str) -> None:
    for _ in "12":
        drop(client, sandbox, name, content(name))
    assert [agrees(content(name), one) for one in seen(client, sandbox, name)] == ["whole", "whole"]


@pytest.mark.parametrize("name", ASKED)
def test_a_withdrawn_one_is_found_too(client: Client, sandbox: Sandbox, name: str) -> None:
    drop(client, sandbox, name, content(name))
    sandbox.withdraw(sandbox.deliveries()[0].message_id)
    (found,) = seen(client, sandbox, name)
    assert (found.delivery, agrees(content(name), found)) == ("cancelled", "whole")


@pytest.mark.parametrize(("name", "count"), [("fanvue", 120), ("ofauth", 25), ("onlyfansapi", 25)])
def test_many_pages_of_the_sandbox(client: Client, sandbox: Sandbox, name: str, count: int) -> None:
    platform, account = PLATFORMS[name], of(sandbox, name)
    request = platform.request(account, content(name))
    for _ in range(count):
        client.post(request, Guard(clock.ticks() + 30))
    taken = sandbox.account(name).taken
    for number, delivery in enumerate(taken):
        delivery.arrived_at -= count - number
    since = datetime.fromtimestamp(taken[3].arrived_at, UTC)
    found = [one.id for one in platform.shown(client, account, since)]
    assert found == [delivery.message_id for delivery in taken[:1:-1]]
