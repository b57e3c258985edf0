"""The extra port through which another process tells the sandbox what to do and asks what it took.

POST /faults        {"platform": "fanvue", "kind": "throttled", "retry_after": 5}
                    kinds and their details as in `faults.Fault`; also "on", "account", "text" as in `faults`
POST /connections   {"platform": "fanvue", "refuse": true}
POST /limits        {"platform": "fanvue", "count": 3, "seconds": 8}    broadcasts in any window
POST /rates         {"platform": "fanvue", "minute": 60, "burst": 90, "writes": 30}    requests; minute null: no limit
POST /appetite      {"opens": 1, "buys": 0.5, "tips": 0.1, "seconds": 2}    what fans do with later broadcasts
POST /settings      {"unsend_seconds": 60, "part_size": 1048576, "processing_seconds": 0.5}    any of them
POST /credits       {"balance": 900}    what is left of OnlyFansAPI's
POST /oauth         {"seconds": 5, "denied": true, "key": "…", "expire": true, "end": true}    any of them: how long
                    access tokens last, whether the creator says no, who says yes next, all access tokens end now,
                    all refresh tokens too
POST /webhooks      {"platform": "frontrow", "url": "http://…", "secret": "…"}; also "account", "events", "variant":
                    "svix" or "oldest" of OFAuth, "legacy" of Fanvue; answers {"id": 1}
POST /redeliveries  {"delivery": 1}    the same event once more, signed anew
POST /links         {"platform": "ofauth", "account": "conn_demo", "linked": false}
POST /withdrawals   {"message_id": "…"}    as if its creator had deleted it in the app
POST /release       {}    answers what is held
GET  /deliveries    what went out to fans, oldest first
GET  /scheduled     what the platforms' own schedulers took, whatever became of it
GET  /over-limit    what the platforms' limit of broadcasts turned away
GET  /rates         how many requests each account made, and how many came too soon
GET  /uploads       every upload with its media ids, size and sha256
GET  /sales         every purchase and tip by now, in cents
GET  /oauth         every grant of tokens: issued, refused, or reused (a spent refresh token came again)
GET  /webhooks      every attempt to deliver one, with its headers, body and the answer's status
GET  /results       for every broadcast its views, purchases, revenue_cents and tips_cents by now
"""

from collections.abc import Callable
from dataclasses import asdict
from time import time
from typing import TYPE_CHECKING

from console.sandbox import orders
from console.sandbox.reception import Outcome
from console.sandbox.rules import Answer, Call, Refused

if TYPE_CHECKING:
    from console.sandbox.server import Sandbox


def _results(sandbox: "Sandbox") -> list[dict[str, object]]:
    now = time()
    return [
        {
            "platform": told.delivery.platform,
            "account": told.delivery.account,
            "message_id": told.delivery.message_id,
            "recipients": len(told.delivery.recipients),
            "views": told.views(now),
            "purchases": len(told.purchases(now)),
            "revenue_cents": told.revenue_cents(now),
            "tips_cents": sum(sale.amount_cents for sale in told.told(now) if sale.kind == "tip"),
        }
        for told in sandbox.world.backstage.all_reactions()
    ]


_ORDERS: dict[str, Callable[["Sandbox", Call], object]] = {
    "/faults": orders.fault,
    "/connections": orders.connections,
    "/limits": orders.limit,
    "/rates": orders.rate,
    "/appetite": orders.appetite,
    "/settings": orders.settings,
    "/credits": orders.credits_left,
    "/oauth": orders.oauth,
    "/webhooks": orders.webhook,
    "/redeliveries": orders.redeliver,
    "/links": orders.link,
    "/withdrawals": orders.withdraw,
    "/release": orders.release,
}
_QUESTIONS: dict[str, Callable[["Sandbox"], object]] = {
    "/deliveries": lambda sandbox: [asdict(one) for one in sandbox.deliveries()],
    "/scheduled": lambda sandbox: [asdict(one) for one in sandbox.scheduled()],
    "/over-limit": lambda sandbox: [asdict(one) for one in sandbox.over_limit],
    "/rates": lambda sandbox: sandbox.rates.asked(),
    "/uploads": lambda sandbox: sandbox.uploads(),
    "/sales": lambda sandbox: [asdict(one) for one in sandbox.sales()],
    "/oauth": lambda sandbox: sandbox.oauth.chains.log,
    "/webhooks": lambda sandbox: [asdict(one) for one in sandbox.hooks.log()],
    "/results": _results,
}


def receive(sandbox: "Sandbox", call: Call) -> Outcome:
    try:
        with sandbox.world.backstage.clock.lock:
            if call.method == "POST" and call.path in _ORDERS:
                return Outcome(Answer(200, _ORDERS[call.path](sandbox, call)))
            if call.method == "GET" and call.path in _QUESTIONS:
                return Outcome(Answer(200, _QUESTIONS[call.path](sandbox)))
    except Refused as no:
        return Outcome(Answer(400, {"error": no.words}))
    except KeyError as no:
        return Outcome(Answer(404, {"error": str(no.args[0])}))
    known = ", ".join([f"POST {path}" for path in _ORDERS] + [f"GET {path}" for path in _QUESTIONS])
    return Outcome(Answer(404, {"error": f"no {call.method} {call.path}; there is {known}"}))
