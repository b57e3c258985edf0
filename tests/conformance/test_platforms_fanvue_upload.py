"""Uploads to Fanvue, over real HTTP: the five steps in each documented shape, cut at each of them, and carried on."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from carillon.platforms.answers import Answer
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Request
from carillon.platforms.errors import PlatformError, Refused, Throttled, Unauthorized, Unreachable, Unreadable
from carillon.platforms.fanvue.adapter import Fanvue
from carillon.platforms.parts import Reference, Source
from standins import Reply, Seen, StandIn
from upload_progress import Kept, source

SECRET = "sk_live_5ecret"
PART = 100
CLIP = bytes(range(250))  # two whole parts and a half
LIBRARY = Fanvue().library


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(timeout=5)
    yield client
    client.close()


class Storage:
    """Fanvue and the storage behind it. `shape` makes an address's body; `says` overrules what a step answers, once."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[int, bytes]] = {}
        self.opened: list[Any] = []
        self.completed: list[Any] = []
        self.extra: dict[str, Any] = {"partSize": PART}
        self.status = "processing"
        self.shape: Any = lambda url: Reply(200, url, {"Content-Type": "text/plain"})
        self.says: dict[str, Reply] = {}
        self.medium: Reply = Reply(404, {"message": "none"})
        self.etags = True
        self.standin = StandIn(self.answer)

    def answer(self, seen: Seen) -> Reply:
        step, found = self.step(seen)
        if (overruled := self.says.pop(f"{step} {found}".strip(), None)) is not None:
            return overruled
        reply: Reply = getattr(self, step)(seen, *found.split())
        return reply

    def step(self, seen: Seen) -> tuple[str, str]:
        for step, method, pattern in (
            ("open", "POST", r"(?:/creators/c)?/media/uploads"),
            ("address", "GET", r"(?:/creators/c)?/media/uploads/([^/]+)/parts/(\d+)/url"),
            ("put", "PUT", r"/bucket/([^/]+)/(\d+)\?X-Sig=.*"),
            ("complete", "PATCH", r"(?:/creators/c)?/media/uploads/([^/]+)"),
            ("look", "GET", r"(?:/creators/c)?/media/m-\d+"),
        ):
            if seen.method == method and (match := re.fullmatch(pattern, seen.path)):
                return step, " ".join(match.groups())
        raise AssertionError(f"{seen.method} {seen.path}")

    def open(self, seen: Seen) -> Reply:
        self.opened.append(seen.json())
        number = len(self.opened)
        self.parts[f"u-{number}"] = {}
        return Reply(200, {"mediaUuid": f"m-{number}", "uploadId": f"u-{number}", "new": 1, **self.extra})

    def address(self, seen: Seen, upload: str, number: str) -> Reply:
        assert seen.headers["x-fanvue-api-version"] == "2025-06-26"
        if upload not in self.parts:
            return Reply(404, {"message": "no such upload"})
        return self.shape(f"{self.standin.url}/bucket/{upload}/{number}?X-Sig=a%2Fb&c=%3D")  # type: ignore[no-any-return]

    def put(self, seen: Seen, upload: str, number: str) -> Reply:
        assert not {"authorization", "x-fanvue-api-version", "content-type", "transfer-encoding"} & seen.headers.keys()
        self.parts[upload][int(number)] = seen.body
        return Reply(200, None, {"ETag": etag(seen.body)} if self.etags else {})

    def complete(self, seen: Seen, upload: str) -> Reply:
        if upload not in self.parts:
            return Reply(404, {"message": "no such upload"})
        self.completed.append(seen.json())
        return Reply(200, {"status": self.status})

    def look(self, _: Seen) -> Reply:
        return self.medium

    def steps(self) -> list[str]:
        return [" ".join(self.step(seen)).strip() for seen in self.standin.seen]


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.fixture
def storage() -> Iterator[Storage]:
    storage = Storage()
    with storage.standin:
        yield storage


def bring(client: Client, storage: Storage, kept: Kept | None = None, of: Source | None = None) -> Reference:
    return LIBRARY.upload(client, Account(storage.standin.url, None, SECRET), of or source(CLIP), kept or Kept())


WHOLE = [
    "open",
    "address u-1 1",
    "put u-1 1",
    "address u-1 2",
    "put u-1 2",
    "address u-1 3",
    "put u-1 3",
    "complete u-1",
]


def test_the_five_steps(client: Client, storage: Storage) -> None:
    assert bring(client, storage) == Reference("m-1", "processing")
    assert storage.steps() == WHOLE
    assert storage.opened == [{"name": "clip.mp4", "filename": "clip.mp4", "mediaType": "video"}]
    assert storage.parts["u-1"] == {1: CLIP[:100], 2: CLIP[100:200], 3: CLIP[200:]}
    numbered = [{"PartNumber": number, "ETag": etag(body)} for number, body in storage.parts["u-1"].items()]
    assert storage.completed == [{"parts": numbered}]


def test_for_an_agencys_creator(client: Client, storage: Storage) -> None:
    LIBRARY.upload(client, Account(storage.standin.url, "c", SECRET), source(CLIP), Kept())
    paths = [seen.path for seen in storage.standin.seen if seen.method != "PUT"]
    assert all(path.startswith("/creators/c/media/uploads") for path in paths)


ADDRESSES = {
    "plain text": lambda url: Reply(200, url, {"Content-Type": "text/plain"}),
    "plain text with a line break": lambda url: Reply(200, f"{url}\n", {"Content-Type": "text/plain"}),
    "JSON text": lambda url: Reply(200, f'"{url}"', {"Content-Type": "application/json"}),
    "an object": lambda url: Reply(200, {"url": url, "expiresIn": 900}),
    "an object in data": lambda url: Reply(200, {"data": {"signedUrl": url}}),
    "text in data": lambda url: Reply(201, {"data": url}),
}


@pytest.mark.parametrize("shape", ADDRESSES.values(), ids=ADDRESSES)
def test_every_shape_of_an_address(client: Client, storage: Storage, shape: Any) -> None:
    storage.shape = shape
    bring(client, storage)
    assert b"".join(storage.parts["u-1"].values()) == CLIP


NO_ADDRESSES = [
    Reply(200, {"url": None}),
    Reply(200, {"url": "file:///etc/passwd"}),
    Reply(200, {"url": "ftp://x/y"}),
    Reply(200, {"url": ["http://x/"]}),
    Reply(200, "", {"Content-Type": "text/plain"}),
    Reply(200, "http://x/ y", {"Content-Type": "text/plain"}),
]


@pytest.mark.parametrize("reply", NO_ADDRESSES, ids=lambda reply: str(reply.body))
def test_what_is_no_address(client: Client, storage: Storage, reply: Reply) -> None:
    storage.says["address u-1 1"] = reply
    with pytest.raises(Unreadable, match="no address for part 1"):
        bring(client, storage)


@dataclass
class Moved:
    """Speaks to the stand-in as if it were https://fanvue.test."""

    client: Client
    url: str

    def get(self, request: Request) -> Answer:
        return self.client.get(replace(request, url=request.url.replace("https://fanvue.test", self.url)))

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        return self.client.write(replace(request, url=request.url.replace("https://fanvue.test", self.url)), seconds)


def test_media_never_leave_by_an_open_line(client: Client, storage: Storage) -> None:
    """Where Fanvue is spoken to by https, its storage is too."""
    caller = Moved(client, storage.standin.url)
    with pytest.raises(Unreadable, match="no address for part 1"):
        LIBRARY.upload(caller, Account("https://fanvue.test", None, SECRET), source(CLIP), Kept())
    assert storage.steps() == WHOLE[:2]


@pytest.mark.parametrize(
    ("extra", "size", "parts"),
    [
        ({}, 250, 1),
        ({"partSize": 8 << 20}, 250, 1),
        ({"partSize": 100, "maxParts": 3, "totalParts": None}, 250, 3),
        ({"partSize": 125}, 250, 2),
        ({"partSize": 0}, 250, 1),
        ({"partSize": "many"}, 250, 1),
        ({}, (8 << 20) + 1, 2),
    ],
)
def test_the_size_of_parts(client: Client, storage: Storage, extra: dict[str, Any], size: int, parts: int) -> None:
    storage.extra = extra
    content = (CLIP * (size // len(CLIP) + 1))[:size]

    def read(offset: int, length: int) -> Iterator[bytes]:
        yield content[offset : offset + length]

    bring(client, storage, of=Source("a.jpg", size, "image/jpeg", read))
    assert len(storage.parts["u-1"]) == parts
    assert b"".join(storage.parts["u-1"].values()) == content


@pytest.mark.parametrize(
    ("name", "mime", "kind"),
    [("a.jpg", "image/jpeg", "image"), ("a.mp3", "audio/mpeg", "audio"), ("a.pdf", "application/pdf", "document")],
)
def test_what_it_is_called(client: Client, storage: Storage, name: str, mime: str, kind: str) -> None:
    long = "x" * 300 + name
    bring(client, storage, of=source(CLIP, long, mime))
    (told,) = storage.opened
    assert (told["name"], told["mediaType"]) == (long[-255:], kind)


def test_too_many_parts(client: Client, storage: Storage) -> None:
    storage.extra = {"partSize": 100, "maxParts": 2}
    with pytest.raises(Refused, match="2 parts of 100 bytes"):
        bring(client, storage)
    assert storage.parts == {"u-1": {}}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("created", "processing"),
        ("processing", "processing"),
        ("ready", "ready"),
        ("FINALISED", "ready"),
        ("error", "broken"),
        ("new word", "processing"),
    ],
)
def test_what_it_is_when_all_is_there(client: Client, storage: Storage, status: str, state: str) -> None:
    storage.status = status
    assert bring(client, storage) == Reference("m-1", state)  # type: ignore[arg-type]


@pytest.mark.parametrize("reply", [Reply(204), Reply(200), Reply(200, {"data": {"status": "ready"}})], ids=str)
def test_an_answer_that_says_less_or_deeper(client: Client, storage: Storage, reply: Reply) -> None:
    storage.says["complete u-1"] = reply
    assert bring(client, storage) == Reference("m-1", "ready" if reply.body else "processing")


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_cut_at_each_step_it_goes_on_where_it_was(client: Client, storage: Storage, at: int) -> None:
    """Every part goes out once; the step that was cut is asked again."""
    kept = Kept()
    storage.says[WHOLE[at]] = Reply(503, "busy", {"Content-Type": "text/plain"})
    with pytest.raises(Unreachable):
        bring(client, storage, kept)
    assert bring(client, storage, kept) == Reference("m-1", "processing")
    redone = WHOLE[at - 1 : at] if WHOLE[at].startswith("put") else []  # its address may have run out
    assert storage.steps() == WHOLE[: at + 1] + redone + WHOLE[at:]
    assert storage.parts["u-1"] == {1: CLIP[:100], 2: CLIP[100:200], 3: CLIP[200:]}


@pytest.mark.parametrize("gone", ["address u-1 3", "put u-1 3", "complete u-1"])
def test_a_session_that_is_gone_is_begun_anew(client: Client, storage: Storage, gone: str) -> None:
    storage.says[gone] = Reply(404, {"message": "no such upload"})
    assert bring(client, storage) == Reference("m-2", "processing")
    assert b"".join(storage.parts["u-2"].values()) == CLIP


def test_sessions_that_are_gone_at_once(client: Client, storage: Storage) -> None:
    for upload in ("u-1", "u-2"):
        storage.says[f"address {upload} 1"] = Reply(404, {"message": "no such upload"})
    with pytest.raises(Unreachable, match="forgets"):
        bring(client, storage)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize("word", ["processing", "FINALISED"])
def test_a_yes_that_was_lost_is_found_again(client: Client, storage: Storage, status: int, word: str) -> None:
    """Asked once more to finish, Fanvue may say no: what became of the medium says that it was done."""
    storage.says["complete u-1"] = Reply(status, {"message": "already completed"})
    storage.medium = Reply(200, {"uuid": "m-1", "status": word})
    assert bring(client, storage) == Reference("m-1", "processing")
    assert len(storage.opened) == 1


def test_a_medium_that_was_only_created_was_not_finished(client: Client, storage: Storage) -> None:
    storage.says["complete u-1"] = Reply(400, {"errors": ["ETag of part 2 is wrong"]})
    storage.medium = Reply(200, {"uuid": "m-1", "status": "created"})
    kept = Kept()
    with pytest.raises(Refused, match="ETag of part 2"):
        bring(client, storage, kept)
    assert not any(kept.kept.values())
    assert bring(client, storage, kept).id == "m-2"


FAILED: dict[str, tuple[str, Reply, type[PlatformError]]] = {
    "401": ("open", Reply(401, {"error": f"bad key {SECRET}"}), Unauthorized),
    "403": ("open", Reply(403, {"error": "scope write:media is missing"}), Refused),
    "404": ("open", Reply(404, {"message": "not assigned"}), Refused),
    "413": ("open", Reply(413, {"message": "too large"}), Refused),
    "429": ("address u-1 2", Reply(429, {}, {"Retry-After": "7"}), Throttled),
    "no ids": ("open", Reply(200, {"mediaUuid": "m-1"}), Unreadable),
    "storage says 403": ("put u-1 2", Reply(403, "<Error>expired</Error>"), Unreachable),
    "storage says 400": ("put u-1 2", Reply(400, "<Error>EntityTooSmall</Error>"), Refused),
    "storage says 429": ("put u-1 2", Reply(429, {}), Unreachable),
    "finish says 429": ("complete u-1", Reply(429, {}, {"Retry-After": "7"}), Throttled),
    "finish says 422": ("complete u-1", Reply(422, {"message": "no"}), Refused),
}


@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_steps_that_fail(client: Client, storage: Storage, case: tuple[str, Reply, type[PlatformError]]) -> None:
    step, reply, kind = case
    storage.says[step] = reply
    with pytest.raises(PlatformError) as error:
        bring(client, storage)
    assert type(error.value) is kind
    assert SECRET not in f"{error.value} {error.value!r}"
    assert "X-Sig" not in f"{error.value}"


def test_a_storage_without_etags(client: Client, storage: Storage) -> None:
    storage.etags = False
    with pytest.raises(Unreadable, match="no ETag for part 1"):
        bring(client, storage)


@pytest.mark.parametrize(("status", "state"), [("ready", "ready"), ("processing", "processing"), ("error", "broken")])
def test_asked_once_more(client: Client, storage: Storage, status: str, state: str) -> None:
    storage.medium = Reply(200, {"uuid": "m-1", "status": status})
    account = Account(storage.standin.url, None, SECRET)
    found = LIBRARY.uploaded(client, account, Reference("m-1", "processing"), Kept())
    assert found == Reference("m-1", state)  # type: ignore[arg-type]


def test_urls_are_not_fetched_by_fanvue(client: Client) -> None:
    account = Account("http://x", None, SECRET)
    assert LIBRARY.upload_url(client, account, "https://cdn.example/clip.mp4", Kept()) is None
