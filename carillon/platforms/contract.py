"""What every platform is asked for and answers, in Carillon's words.

`Content` is what one broadcast says; it is frozen into the broadcast's row as JSON when it is planned.
A field that is None was not given and is absent on the wire; one that is given is sent, also when false.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from carillon.platforms.limits import Limits

if TYPE_CHECKING:
    from carillon.platforms.answers import Answer
    from carillon.platforms.parts import Audience, Calendar, Library, Rates, Recall, Results, Webhooks


class ListRef(BaseModel):
    """One list of an audience. `name` references are looked up before sending and then are smart or custom."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["smart", "custom", "name"]
    value: str


class TagUsers(BaseModel):
    """Release forms: ids of tagged creators, partners and guests."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    creators: tuple[str, ...] | None = None
    partners: tuple[str, ...] | None = None
    guests: tuple[str, ...] | None = None


class Content(BaseModel):
    """What one broadcast says and to whom, the same for all its recipients."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    include: tuple[ListRef, ...] = ()
    exclude: tuple[ListRef, ...] = ()
    users: tuple[str, ...] = ()
    text: str | None = None
    media: tuple[str, ...] = ()
    price_cents: int | None = None  # US cents; each platform's unit is its adapter's business
    preview_media: int | tuple[str, ...] | None = None
    locked_text: bool | None = None
    markdown: bool | None = None
    subscribed_after: datetime | None = None
    giphy: str | None = None
    save_for_later: bool | None = None
    tag_users: TagUsers | None = None

    def frozen(self) -> str:
        """The JSON that the ledger keeps."""
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True)
class Account:
    """Where and as whom to speak to a platform. `id` is what the file calls `account`."""

    url: str  # scheme and host alone, such as https://api.fanvue.com
    id: str | None
    secret: str = field(repr=False)
    creator_id: int | None = None  # the ledger's id of it
    generation: int = 0  # of its token; 0 of a key, which nobody renews


@dataclass(frozen=True)
class Raw:
    """A body that is no JSON; its type stands in the request's headers. `chunks` begins anew at each call."""

    length: int
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Request:
    """One HTTP request, complete. `headers` hold the secret, so a Request is never logged whole."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: Mapping[str, object] | None = None
    raw: Raw | None = field(default=None, repr=False)


class Caller(Protocol):
    """Who makes requests for an adapter, other than the one that sends a broadcast."""

    def get(self, request: Request) -> "Answer":
        """Raises Unreachable if no status line came."""

    def write(self, request: Request, seconds: float | None = None) -> "Answer":
        """Anything that may be asked twice without harm. Raises Unreachable; `seconds` bounds all of it."""


Delivery = Literal["accepted", "delivering", "done", "error", "cancelled"]


@dataclass(frozen=True)
class Receipt:
    """What the platform said when it accepted a broadcast; what it left out is None. `status` is that of HTTP."""

    message_id: str | None
    recipient_count: int | None
    delivery: Delivery = "accepted"
    status: int | None = None


@dataclass(frozen=True)
class Shown:
    """A mass message as the platform shows it; None where its answer does not show something, or unreadably.

    What it shows as empty is empty: no text "", free 0, no media an empty set.
    """

    id: str
    created_at: datetime | None = (
        None  # UTC, mostly whole seconds; a scheduled one has none, or the time when it will go
    )
    text: str | None = None  # as it came: HTML or markdown; one that was cut ends in an ellipsis
    media: frozenset[str] | None = None  # the ids that were sent, where the platform shows those
    media_count: int | None = None
    price_cents: int | None = None
    recipient_count: int | None = None
    delivery: Delivery = "accepted"  # `cancelled`: withdrawn after it was accepted
    scheduled_at: datetime | None = None  # UTC; only for what has not gone yet
    can_unsend: bool | None = None
    unsend_seconds: int | None = None  # as the platform says it, counted from when it was sent
    purchases: int | None = None


# What a platform shows of what it has taken. all: what it does not show was not taken; some: what it shows was
# taken, what it does not show may have been; nothing: it cannot be asked.
Shows = Literal["all", "some", "nothing"]


@dataclass(frozen=True)
class AudienceList:
    """A list as the platform knows it now. `count` is None where the platform does not say."""

    kind: Literal["smart", "custom"]
    id: str
    name: str
    count: int | None


MediaState = Literal["ready", "processing", "broken", "unknown"]


class Platform(Protocol):
    """One platform. Adapters hold no state; a new one is listed in `roster.py`."""

    name: str
    url: str
    limits: Limits
    rates: "Rates"
    audience: "Audience"
    library: "Library"
    calendar: "Calendar | None"
    recall: "Recall | None"
    results: "Results"
    webhooks: "Webhooks"

    def request(self, account: Account, content: Content) -> Request:
        """The POST that sends `content`; no reference of kind `name` may be left in it."""

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        """Read the JSON object of an accepting answer; an empty one (a cut body) reads as all None."""

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        """All lists, page by page. Raises the reading errors of `errors.py`."""

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:
        """Whether a media id can be sent now; `unknown` where the platform cannot be asked."""

    def shows(self, content: Content, age: timedelta) -> Shows:
        """What a look tells now about whether a request of that age, to send `content`, was taken."""

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """All mass messages that may have been made since then, by whomever, withdrawn ones too; each id once.

        As complete as `shows` says, or it raises the reading errors of `errors.py`. One without a readable time is
        always among them, and so is the newest of the older ones: the platform's clock may be wrong.
        """

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:
        """The same with what only the single message shows; as it is where nothing more can be had."""
