"""The bodies that the control port takes, and what each makes the sandbox do."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from console.sandbox.faults import Fault, Kind
from console.sandbox.hooks import Variant
from console.sandbox.rates import Rate
from console.sandbox.rules import Call, Refused, Strict, parsed
from console.sandbox.sales import Appetite

if TYPE_CHECKING:
    from console.sandbox.server import Sandbox

Platform = Literal["fanvue", "frontrow", "ofauth", "onlyfansapi"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
_KINDS: dict[str, Callable[..., Fault]] = {
    "throttled": Fault.throttled,
    "status": Fault.status,
    "html": Fault.html,
    "silent": Fault.silent,
    "slow": Fault.slow,
    "hold": Fault.hold,
    "cut_body": Fault.cut_body,
    "accept_and_drop": Fault.accept_and_drop,
    "accept_and_fail": Fault.accept_and_fail,
}
_WHERE = {"platform", "kind", "on", "account", "text"}


class _Fault(Strict):
    platform: Platform
    kind: str
    on: Kind = "send"
    account: str | None = None
    text: str | None = None
    retry_after: float | str | None = None
    as_date: bool = False
    code: int = 500
    seconds: float = 0
    hidden: float = 0


class _Connections(Strict):
    platform: Platform | Literal["auth"]
    refuse: bool


class _Limit(Strict):
    platform: Platform
    count: int
    seconds: float


class _Rate(Strict):
    platform: Platform
    minute: Positive | None
    burst: Positive | None = None
    writes: Positive | None = None


class _Appetite(Strict):
    opens: Share = 0.6
    buys: Share = 0.3
    tips: Share = 0.05
    seconds: Annotated[float, Field(gt=0)] = 3


class _Settings(Strict):
    unsend_seconds: float | None = None
    part_size: Positive | None = None
    processing_seconds: float | None = None


class _Credits(Strict):
    balance: int


class _Link(Strict):
    platform: Literal["ofauth", "onlyfansapi"]
    account: str
    linked: bool


class _Webhook(Strict):
    platform: Platform
    account: str | None = None
    url: str
    secret: str
    events: tuple[str, ...] | None = None
    variant: Variant = "current"


class _Redelivery(Strict):
    delivery: int


class _OAuth(Strict):
    seconds: Annotated[float, Field(gt=0)] | None = None
    denied: bool | None = None
    key: str | None = None
    expire: Literal[True] | None = None
    end: Literal[True] | None = None


class _Withdraw(Strict):
    message_id: str


class _Nothing(Strict):
    pass


def fault(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Fault, call.body)
    details = told.model_dump(exclude_unset=True, exclude=_WHERE)
    try:
        made = _KINDS[told.kind](**details)
    except (KeyError, TypeError, ValueError):
        raise Refused(f"no fault {told.kind} with {details}; kinds: {', '.join(_KINDS)}") from None
    sandbox.faults.add(told.platform, made, on=told.on, account=told.account, text=told.text)


def connections(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Connections, call.body)
    sandbox.refuse_connections(told.platform, told.refuse)


def limit(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Limit, call.body)
    sandbox.limit(told.platform, told.count, told.seconds)


def rate(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Rate, call.body)
    made = None if told.minute is None else Rate(told.minute, told.burst, told.writes)
    sandbox.rate(told.platform, made)


def appetite(sandbox: "Sandbox", call: Call) -> None:
    sandbox.world.backstage.appetite = Appetite(**parsed(_Appetite, call.body).model_dump())


def settings(sandbox: "Sandbox", call: Call) -> None:
    for name, value in parsed(_Settings, call.body).model_dump(exclude_unset=True).items():
        setattr(sandbox.world.backstage, name, value)


def credits_left(sandbox: "Sandbox", call: Call) -> None:
    sandbox.world.backstage.credits[sandbox.keys["onlyfansapi"]] = parsed(_Credits, call.body).balance


def oauth(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_OAuth, call.body)
    chains = sandbox.oauth.chains
    chains.seconds = told.seconds or chains.seconds
    chains.key = told.key or chains.key
    if told.denied is not None:
        sandbox.oauth.denied = told.denied
    if told.expire:
        chains.expire()
    if told.end:
        chains.end()


def webhook(sandbox: "Sandbox", call: Call) -> dict[str, int]:
    told = parsed(_Webhook, call.body)
    account = sandbox.account(told.platform, told.account).id
    number = sandbox.hooks.subscribe(told.platform, account, told.url, told.secret, told.events, told.variant)
    return {"id": number}


def redeliver(sandbox: "Sandbox", call: Call) -> None:
    sandbox.hooks.redeliver(parsed(_Redelivery, call.body).delivery)


def link(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Link, call.body)
    sandbox.link(told.platform, told.account, told.linked)


def withdraw(sandbox: "Sandbox", call: Call) -> None:
    sandbox.withdraw(parsed(_Withdraw, call.body).message_id)


def release(sandbox: "Sandbox", call: Call) -> None:
    parsed(_Nothing, call.body)
    sandbox.release_held()
