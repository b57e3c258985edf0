"""What happens to one call at a platform: route, key, fault, rules, limit, record."""

import json
import re
from dataclasses import dataclass
from http.client import responses

from console.sandbox.faults import Fault, Faults
from console.sandbox.records import Delivery, Excess, Records
from console.sandbox.rules import Answer, Call, Order, Refused, Rules
from console.sandbox.world import Account, World


@dataclass(frozen=True)
class Outcome:
    """What to answer, how to spoil that, and what the fans got."""

    answer: Answer
    fault: Fault | None = None
    delivery: Delivery | None = None


@dataclass(frozen=True)
class Reception:
    """The front desk of one platform."""

    rules: Rules
    world: World
    records: Records
    faults: Faults

    def receive(self, call: Call) -> Outcome:
        try:
            if call.method == "POST" and (found := self.rules.send.fullmatch(call.path)):
                return self._send(call, found)
            return self._read(call)
        except Refused as no:
            return Outcome(self.rules.refuse(no))

    def _read(self, call: Call) -> Outcome:
        for read in self.rules.reads:
            if call.method == "GET" and (found := read.path.fullmatch(call.path)):
                account = self.rules.enter(self.world, call, found)
                fault = self.faults.take(self.rules.name, "read", account.id, b"")
                return _instead(fault) or Outcome(Answer(200, read.answer(account, call, found)), fault)
        raise Refused(f"No route {call.method} {call.path}", 404, "ROUTE_NOT_FOUND")

    def _send(self, call: Call, found: re.Match[str]) -> Outcome:
        account = self.rules.enter(self.world, call, found)
        fault = self.faults.take(self.rules.name, "send", account.id, call.body)
        if replaced := _instead(fault):
            return replaced
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused("Content-Type must be application/json", about="body")
        order = self.rules.order(account, call.body)
        delivery = self._deliver(account, call, order, hidden=fault.hidden if fault else 0)
        if fault and fault.manner == "accept_and_fail":
            return Outcome(self.rules.refuse(_failure(fault)), fault, delivery)
        return Outcome(self.rules.receipt(delivery), fault, delivery)

    def _deliver(self, account: Account, call: Call, order: Order, hidden: float) -> Delivery:
        number = self.records.admit(self.rules.name, account.id, call.arrived_at)
        if isinstance(number, Excess):
            raise Refused("Too many broadcasts", 429, headers={"Retry-After": str(number.retry_after)})
        for upload in order.uploads:
            account.media.pop(upload, None)
        delivery = Delivery(
            platform=self.rules.name,
            account=account.id,
            message_id=self.rules.new_id(number),
            recipients=order.recipients,
            body=json.loads(call.body),
            arrived_at=call.arrived_at,
            hidden=hidden,
        )
        self.records.keep(delivery)
        account.taken.append(delivery)
        return delivery


def _instead(fault: Fault | None) -> Outcome | None:
    """The outcome of a fault that comes in place of the platform's own judgement."""
    if fault is None or fault.manner not in ("refuse", "html", "silent"):
        return None
    if fault.manner == "refuse":
        raise _failure(fault)
    page = b"<!doctype html><title>Gateway</title><h1>A page where JSON was expected</h1>"
    return Outcome(Answer(fault.code, page), fault)


def _failure(fault: Fault) -> Refused:
    return Refused(responses.get(fault.code, "Refused"), fault.code, headers=fault.headers())
