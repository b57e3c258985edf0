"""What a platform offers beside sending, part by part. A part that is None is not offered there.

Reads raise the reading errors of `errors.py`, also Unauthorized and Throttled. A write is described as a `Request`;
None where the platform does not offer it. Money is in US cents; what a platform does not say is None, never zero.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from carillon.platforms.answers import Answer
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    Delivery,
    ListRef,
    MediaState,
    Request,
    Shown,
)


@dataclass(frozen=True)
class Rates:
    """The general rate: requests in any minute, `writes` None where they count with the reads. `by`: who shares it.

    `burst`: how many may go at once where a bucket is larger than what a minute refills.
    """

    reads: int
    writes: int | None = None
    burst: int | None = None
    by: Literal["account", "key"] = "account"


@dataclass(frozen=True)
class Member:
    """A fan on a list."""

    id: str
    handle: str | None = None
    name: str | None = None


class Audience(Protocol):
    """An account's lists, and who is on them. All of them are shown by `Platform.lists`."""

    fans_at_once: int
    """How many fans one request of `add` takes."""

    def members(self, client: Caller, account: Account, ref: ListRef) -> Iterator[Member]:
        """To the end, page by page and in bounded memory; `ref` is smart or custom.

        Raises Unreadable where the members of such a list cannot be had.
        """

    def create(self, account: Account, name: str) -> Request | None:
        """The request that makes a custom list."""

    def created(self, body: Mapping[str, object]) -> AudienceList:
        """Read the answer to `create`. Raises Unreadable if it names no list."""

    def add(self, account: Account, list_id: str, users: Sequence[str]) -> Request | None:
        """The request that adds at most `fans_at_once` users to a custom list; adding one twice harms nothing."""


@dataclass(frozen=True)
class Medium:
    """A medium that the platform has. `kind`: photo, image, video, audio, gif, document, as the platform says."""

    id: str
    kind: str | None = None
    name: str | None = None
    state: MediaState = "unknown"
    created_at: datetime | None = None


@dataclass(frozen=True)
class Source:
    """A file to be uploaded. `read(offset, length)` yields that stretch of it in small pieces, again and again."""

    name: str
    size: int
    mime: str
    read: Callable[[int, int], Iterator[bytes]]


class Progress(Protocol):
    """What an upload has reached, kept in the ledger, so that one that was cut goes on where it was."""

    kept: Mapping[str, object]

    def keep(self, **reached: object) -> None:
        """Add to `kept`, and store it before going on; JSON values."""


@dataclass(frozen=True)
class Reference:
    """How a broadcast names what was uploaded. `single_use`: one send consumes it."""

    id: str
    state: MediaState
    single_use: bool = False


class Library(Protocol):
    """An account's media."""

    most_bytes: int | None
    """The largest file that the platform documents to take."""

    def media(self, client: Caller, account: Account) -> Iterator[Medium]:
        """All media, newest first as far as the platform says. Raises Unreadable where they cannot be had."""

    def upload(self, client: Caller, account: Account, source: Source, progress: Progress) -> Reference:
        """Bring a file to the platform, going on from `progress`. Raises what reads raise, and Refused.

        After Unreachable it may be called again with what `progress` kept; after Refused it starts anew.
        """

    def upload_url(self, client: Caller, account: Account, url: str, progress: Progress) -> Reference | None:
        """Have the platform fetch a URL; None where it cannot, and Carillon is to fetch it itself."""

    def uploaded(self, client: Caller, account: Account, reference: Reference, progress: Progress) -> Reference:
        """The same, once more: what is `processing` may be ready by now, under another id perhaps."""


class Calendar(Protocol):
    """The platform's own scheduler, where what is not sent yet can be changed and withdrawn.

    `Receipt` reads the answers to `place` and `replace`.
    """

    least_ahead: timedelta
    """What is due sooner is not placed: Carillon sends it itself."""

    def place(self, account: Account, content: Content, at: datetime) -> Request:
        """The POST that schedules `content`."""

    def replace(self, account: Account, message_id: str, content: Content, at: datetime) -> Request | None:
        """Change what was placed; None where only deleting and creating anew says all of `content`."""

    def look(self, client: Caller, account: Account, message_id: str, since: datetime) -> Shown | None:
        """What the platform has under this id now, made after `since`; None if it surely has nothing."""


class Recall(Protocol):
    """Taking back: what is scheduled, and what was sent where the platform lets it."""

    def withdraw(self, account: Account, message_id: str) -> Request:
        """Buyers keep what they bought. Of one that is gone already the platform says 404."""

    def recallable(self, shown: Shown, sent_at: datetime, now: datetime) -> str | None:
        """None if what was sent may be withdrawn now, else why not, in words for a person."""


@dataclass(frozen=True)
class Sent:
    """A broadcast that is asked about. `at`: when the platform took it, or sent it."""

    message_id: str
    at: datetime
    text: str | None
    price_cents: int | None


@dataclass(frozen=True)
class Told:
    """What one source says of one message now. `estimated`: the revenue is price times purchases.

    `sold_as`: the id under which the source has it, and sales may name it, where that is not `message_id`.
    """

    message_id: str
    source: str
    delivery: Delivery | None = None
    recipients: int | None = None
    views: int | None = None
    purchases: int | None = None
    revenue_cents: int | None = None
    estimated: bool = False
    sold_as: str | None = None


@dataclass(frozen=True)
class Buyer:
    """Somebody who bought a message; most platforms do not say for how much."""

    fan: str
    name: str | None = None
    amount_cents: int | None = None


@dataclass(frozen=True)
class Credits:
    """What the account's key has left, and what the last request used."""

    used: int | None
    balance: int | None


class Results(Protocol):
    """What became of what was sent."""

    def told(self, client: Caller, account: Account, sent: Sequence[Sent]) -> Iterator[Told]:
        """What each source says of these messages, as few reads as the platform lets for all of them."""

    def buyers(self, client: Caller, account: Account, sent: Sent) -> Iterator[Buyer]:
        """Nobody where the platform does not name buyers."""

    def credits(self, answer: Answer) -> Credits | None:
        """What any answer says of credits."""


class BadSignatureError(Exception):
    """A webhook that is not proven to come from the platform."""


HintKind = Literal["progress", "purchase", "tip", "account", "media"]


@dataclass(frozen=True)
class Hint:
    """What a webhook says, in Carillon's words. `sale` is the platform's own id of a purchase or tip.

    `queue_id` names a broadcast where the platform counts messages otherwise than broadcasts.
    """

    kind: HintKind
    event: str
    message_id: str | None = None
    queue_id: str | None = None
    fan: str | None = None
    amount_cents: int | None = None
    sale: str | None = None
    at: datetime | None = None
    delivery: Delivery | None = None
    recipients: int | None = None


class Webhooks(Protocol):
    """How a platform signs what it sends, and what that says. Pure: no request is made."""

    def verify(self, headers: Sequence[tuple[str, str]], raw: bytes, secret: str, now: datetime) -> str | None:
        """The platform's own id of the delivery, None where it gives none. Header names in any case, as they came.

        Raises BadSignatureError: no signature, a wrong one, two, or one that is more than five minutes off `now`.
        """

    def hints(self, body: Mapping[str, object]) -> Iterator[Hint]:
        """Nothing for events that do not concern broadcasts."""

    def account(self, body: Mapping[str, object]) -> str | None:
        """The account that the body names, None where it names none."""
