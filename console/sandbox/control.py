"""The extra port through which another process tells the sandbox what to do and asks what it took.

POST /faults        {"platform": "fanvue", "kind": "throttled", "retry_after": 5}
                    kinds and their details as in `faults.Fault`; also "on", "account", "text"
POST /connections   {"platform": "fanvue", "refuse": true}
POST /limits        {"platform": "fanvue", "count": 3, "seconds": 8}
POST /release       {}    answers what is held
GET  /deliveries    a list, oldest first
GET  /over-limit    a list of what the platforms' limit turned away
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from console.sandbox.faults import Fault, Kind
from console.sandbox.reception import Outcome
from console.sandbox.rules import Answer, Call, Refused, Strict, parsed

if TYPE_CHECKING:
    from console.sandbox.server import Sandbox

Platform = Literal["fanvue", "frontrow", "ofauth", "onlyfansapi"]
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
    platform: Platform
    refuse: bool


class _Limit(Strict):
    platform: Platform
    count: int
    seconds: float


class _Nothing(Strict):
    pass


def _fault(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Fault, call.body)
    details = told.model_dump(exclude_unset=True, exclude=_WHERE)
    try:
        fault = _KINDS[told.kind](**details)
    except (KeyError, TypeError, ValueError):
        raise Refused(f"no fault {told.kind} with {details}; kinds: {', '.join(_KINDS)}") from None
    sandbox.faults.add(told.platform, fault, on=told.on, account=told.account, text=told.text)


def _connections(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Connections, call.body)
    sandbox.refuse_connections(told.platform, told.refuse)


def _limit(sandbox: "Sandbox", call: Call) -> None:
    told = parsed(_Limit, call.body)
    sandbox.limit(told.platform, told.count, told.seconds)


def _release(sandbox: "Sandbox", call: Call) -> None:
    parsed(_Nothing, call.body)
    sandbox.release_held()


def _deliveries(sandbox: "Sandbox", _: Call) -> list[dict[str, object]]:
    return [asdict(delivery) for delivery in sandbox.deliveries()]


def _over_limit(sandbox: "Sandbox", _: Call) -> list[dict[str, object]]:
    return [asdict(excess) for excess in sandbox.over_limit]


_ROUTES: dict[tuple[str, str], Callable[["Sandbox", Call], object]] = {
    ("POST", "/faults"): _fault,
    ("POST", "/connections"): _connections,
    ("POST", "/limits"): _limit,
    ("POST", "/release"): _release,
    ("GET", "/deliveries"): _deliveries,
    ("GET", "/over-limit"): _over_limit,
}


def receive(sandbox: "Sandbox", call: Call) -> Outcome:
    route = _ROUTES.get((call.method, call.path))
    if route is None:
        known = ", ".join(" ".join(one) for one in _ROUTES)
        return Outcome(Answer(404, {"error": f"no {call.method} {call.path}; there is {known}"}))
    try:
        return Outcome(Answer(200, route(sandbox, call)))
    except Refused as no:
        return Outcome(Answer(400, {"error": no.words}))
