"""What a platform's rules are made of. Each platform's file ends with its `RULES`.

They are written from the platforms' documents alone and share nothing with Carillon's adapters, so that a
mistake in one of the two shows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from console.sandbox.lists import FanList
from console.sandbox.records import Delivery
from console.sandbox.world import Account, World

Body = TypeVar("Body", bound=BaseModel)


class Strict(BaseModel):
    """A body in which every field is known and of exactly its type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Camel(Strict):
    """The same with fields that are `likeThis` on the wire."""

    model_config = ConfigDict(alias_generator=to_camel)


Text = Annotated[str, Field(min_length=1)]
Ids = Annotated[tuple[Text, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Call:
    """One request as it was read; `arrived_at` (seconds since 1970) is when its last byte was there."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    arrived_at: float

    def bearer(self) -> str:
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key if scheme == "Bearer" else ""

    def whole(self, name: str, default: int, low: int, high: int | None = None) -> int:
        text = self.query.get(name, str(default))
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise Refused(f"{name} must be a whole number from {low} to {high or 'any'}", about=name)
        return int(text)


@dataclass(frozen=True)
class Answer:
    """What goes back: a JSON value, bytes as `Content-Type` says (else HTML), or nothing at all with a 204."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the sandbox
    """A no, in words; each platform's `refuse` gives it its shape. Status 0: what it says to bad bodies."""

    def __init__(self, words: str, status: int = 0, about: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.status = status
        self.about = about  # the field, or the platform's word for this kind of error
        self.headers = headers or {}


@dataclass(frozen=True)
class Order:
    """A broadcast that may be taken: who gets it when it goes out, which media ids work only once.

    `at` (seconds since 1970) is when the platform's own scheduler is to send it.
    """

    who: Callable[[], tuple[str, ...]]
    uploads: tuple[str, ...] = ()
    at: float | None = None


Enter = Callable[[World, Call, re.Match[str]], Account]
Act = Callable[[Account, Call, re.Match[str]], object]


@dataclass(frozen=True)
class Read:
    """A GET: where, and what it answers (an `Answer` where that is not a plain 200).

    `enter` replaces that of the rules; without it the platform's request rate counts the call.
    """

    path: re.Pattern[str]
    answer: Act
    enter: Enter | None = None


@dataclass(frozen=True)
class Write:
    """Any other method but the POST that sends a broadcast."""

    method: str
    path: re.Pattern[str]
    answer: Act
    enter: Enter | None = None


@dataclass(frozen=True)
class Rules:
    """One platform, as a table."""

    name: str
    send: re.Pattern[str]  # the path that takes a POST
    reads: Sequence[Read]
    enter: Enter  # whose account it is; raises Refused
    order: Callable[[Account, bytes], Order]  # raises Refused
    new_id: Callable[[int], str]
    receipt: Callable[[Account, Delivery, int], Answer]  # the number of fans that it reaches by now
    refuse: Callable[[Refused], Answer]
    writes: Sequence[Write] = ()
    headers: Callable[[Account], Mapping[str, str]] = lambda _: {}  # of every reply that is no refusal


def parsed(model: type[Body], body: bytes) -> Body:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{where}: {first['msg']}" if where else first["msg"], about=where or "body") from None


def require_json(call: Call) -> None:
    found = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    require(found == "application/json", "Content-Type must be application/json", "body")


def require_lists(account: Account, kind: str | None, ids: Sequence[str]) -> None:
    for list_id in ids:
        known: FanList | None = account.lists.get(list_id)
        if known is None or kind not in (None, known.kind):
            raise Refused(f"{kind or 'user'} list not found: {list_id}".capitalize(), about="lists")


def require_fans(account: Account, ids: Sequence[str]) -> None:
    strangers = set(ids) - {fan.id for fan in account.fans}
    require(not strangers, f"Users not found: {sorted(strangers)}", "userIds")


def require_media(account: Account, ids: Sequence[str], consumed: Sequence[str] = ()) -> None:
    """`consumed`: single-use ids that the message which is being changed has used up itself."""
    for media_id in ids:
        if media_id not in consumed and account.media.get(media_id) != "ready":
            raise Refused(f"Media {media_id} is {account.media.get(media_id, 'not found')}", about="media")


def future(at: datetime | None, about: str) -> float | None:
    """Seconds since 1970. No platform says what it does with a past instant: all refuse it here."""
    if at is None:
        return None
    require(at > datetime.now(UTC), f"{about} must be in the future", about)
    return at.timestamp()


def require(condition: bool, words: str, about: str) -> None:
    if not condition:
        raise Refused(words, about=about)
