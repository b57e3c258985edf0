"""What happens to one call at a platform: route, key, request rate, fault, rules, limit, record."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import responses

from console.sandbox import schedule
from console.sandbox.faults import Fault, Faults, Kind
from console.sandbox.rates import Rates
from console.sandbox.records import Delivery
from console.sandbox.rules import Answer, Call, Read, Refused, Rules, Write, require_json
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
    faults: Faults
    rates: Rates

    def receive(self, call: Call) -> Outcome:
        with self.world.backstage.clock.lock:
            self.world.backstage.clock.run(call.arrived_at)
            try:
                return self._judged(call)
            except Refused as no:
                return Outcome(self.rules.refuse(no))

    def _judged(self, call: Call) -> Outcome:
        if call.method == "POST" and (found := self.rules.send.fullmatch(call.path)):
            account = self.rules.enter(self.world, call, found)
            return self._counted(account, call, lambda: self._send(account, call))
        route, found = self._route(call)
        account = (route.enter or self.rules.enter)(self.world, call, found)
        if route.enter:
            return self._act(route, account, call, found)
        return self._counted(account, call, lambda: self._act(route, account, call, found))

    def _route(self, call: Call) -> tuple[Read | Write, re.Match[str]]:
        known: list[Read | Write] = [*self.rules.reads, *self.rules.writes]
        for route in known:
            method = route.method if isinstance(route, Write) else "GET"
            if call.method == method and (found := route.path.fullmatch(call.path)):
                return route, found
        raise Refused(f"No route {call.method} {call.path}", 404, "ROUTE_NOT_FOUND")

    def _counted(self, account: Account, call: Call, act: Callable[[], Outcome]) -> Outcome:
        """With what the platform says in the headers of every reply."""
        headers = dict(self.rates.spend(account, call))
        try:
            outcome = act()
        except Refused as no:
            outcome = Outcome(self.rules.refuse(no))
        if outcome.answer.status < 400:
            headers |= self.rules.headers(account)
        return replace(outcome, answer=replace(outcome.answer, headers=headers | dict(outcome.answer.headers)))

    def _act(self, route: Read | Write, account: Account, call: Call, found: re.Match[str]) -> Outcome:
        kind: Kind = "read" if isinstance(route, Read) else "write"
        told = f"{call.method} {call.path}\n".encode() + call.body
        fault = self.faults.take(self.rules.name, kind, account.id, told)
        if replaced := instead(fault):
            return replaced
        answer = route.answer(account, call, found)
        shaped = answer if isinstance(answer, Answer) else Answer(200, answer)
        return Outcome(self._failed(fault) or shaped, fault)

    def _send(self, account: Account, call: Call) -> Outcome:
        fault = self.faults.take(self.rules.name, "send", account.id, call.body)
        if replaced := instead(fault):
            return replaced
        require_json(call)
        order = self.rules.order(account, call.body)
        delivery = schedule.take(self.rules, account, call, order, hidden=fault.hidden if fault else 0)
        fans = len(order.who() if delivery.waits else delivery.recipients)
        return Outcome(self._failed(fault) or self.rules.receipt(account, delivery, fans), fault, delivery)

    def _failed(self, fault: Fault | None) -> Answer | None:
        if fault and fault.manner == "accept_and_fail":
            return self.rules.refuse(failure(fault))
        return None


def instead(fault: Fault | None) -> Outcome | None:
    """The outcome of a fault that comes in place of the platform's own judgement."""
    if fault is None or fault.manner not in ("refuse", "html", "silent"):
        return None
    if fault.manner == "refuse":
        raise failure(fault)
    page = b"<!doctype html><title>Gateway</title><h1>A page where JSON was expected</h1>"
    return Outcome(Answer(fault.code, page), fault)


def failure(fault: Fault) -> Refused:
    return Refused(responses.get(fault.code, "Refused"), fault.code, headers=fault.headers())
