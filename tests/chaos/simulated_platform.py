"""The four platforms in one object behind the client, and the judge: a log of every request that reached them.

Reads answer as each platform's adapter wants to read them. What becomes of a send is its fate, which the test deals.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from carillon.clock import rfc3339_seconds
from carillon.platforms.answers import Answer, Headers
from carillon.platforms.attempt import Guard
from carillon.platforms.contract import Request
from carillon.platforms.errors import LeaseOver, MaybeSent, NotSent, Unreachable
from chaos.simulated_time import Timeline

_RECENTLY, _EVER = timedelta(hours=3), timedelta(days=365)
_IN_SECONDS = re.compile(r"\d+")


@dataclass(frozen=True)
class Fate:
    """What becomes of one send: what comes back, whether it is taken, and when; times in seconds, each from the last.

    `shown` is from its arrival until the platform's list has it.
    """

    kind: str = "accepted"
    taken: bool = True
    connects: float = 0.01
    arrives: float = 0.03
    answers: float = 0.1
    shown: float = 0.0
    retry_after: str | None = None


NEVER_TAKEN = ("refused", "unauthorized", "forbidden", "throttled", "redirected", "no_connection")
ALWAYS_TAKEN = ("accepted", "without_id", "cut")
EITHER = ("no_answer", "server_error", "html", "conflict")
STATUS = {"refused": 422, "unauthorized": 401, "forbidden": 403, "throttled": 429, "redirected": 307, "conflict": 409}


@dataclass
class Sent:
    """One send as it happened, by the platforms' clock; `claimed_at` is by the host's."""

    broadcast: int
    creator: str
    text: str
    fate: Fate
    began: float
    claimed_at: datetime
    arrived: float | None = None
    arrived_at: datetime | None = None
    taken: bool = False
    ended: float | None = None
    message_id: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Nobody could tell from what came back, if anything did, whether it was taken."""
        return self.ended is None or self.fate.kind in EITHER


@dataclass
class Account:
    """One creator's account. `empty`: nobody is in its lists; `key` is the one that it accepts now."""

    platform: str
    key: str
    empty: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)


class Platforms:
    """Stands in the place of `Client`; calls come from strands, whose subject is the broadcast.

    `deal` says what becomes of a creator's next send, `answers_reads` whether its reads are answered now.
    """

    def __init__(self, timeline: Timeline, state_of: Callable[[int], str]) -> None:
        self.timeline, self._state_of = timeline, state_of
        self.deal: Callable[[str], Fate] = lambda _: Fate()
        self.answers_reads: Callable[[str], bool] = lambda _: True
        self.accounts: dict[str, Account] = {}
        self.log: list[Sent] = []
        self.improper: list[str] = []
        self._ids = count(1_000, 7)
        self.read_seconds: Callable[[], float] = lambda: 0.02

    def post(self, request: Request, guard: Guard) -> Answer:
        creator = _creator(request)
        sent = self._begun(creator, request)
        fate = sent.fate
        try:
            self.timeline.sleep(fate.connects)
            if fate.kind == "no_connection":
                raise NotSent("cannot connect")
            if self.timeline.ticks() >= guard.lease_until:
                raise LeaseOver("the lease was over before the first byte; nothing was sent")
            self.timeline.after(fate.arrives, lambda: self._arrive(sent))  # whatever becomes of the sender meanwhile
            self.timeline.sleep(fate.arrives + fate.answers)
            if fate.kind == "no_answer":
                raise MaybeSent("no whole answer")
            return self._answer(sent)
        except (NotSent, MaybeSent):
            sent.ended = self.timeline.seconds
            raise

    def get(self, request: Request) -> Answer:
        creator = _creator(request)
        self.timeline.sleep(self.read_seconds())
        if not self.answers_reads(creator):
            raise Unreachable("no answer in time")
        account = self.accounts[creator]
        if _key(request) != account.key:
            return _json(401, {"error": "no such key"})
        return _json(200, self._shown(account, request.url))

    def close(self) -> None:
        """Nothing is open."""

    def taken(self, broadcast: int) -> list[Sent]:
        return [sent for sent in self.log if sent.broadcast == broadcast and sent.taken]

    def _begun(self, creator: str, request: Request) -> Sent:
        assert request.json is not None
        fate = self.deal(creator)
        if _key(request) != self.accounts[creator].key:
            fate = replace(fate, kind="unauthorized", taken=False)
        sent = Sent(
            broadcast=self.timeline.subject(),
            creator=creator,
            text=str(request.json["text"]),
            fate=fate,
            began=self.timeline.seconds,
            claimed_at=self.timeline.now(),
        )
        self.log.append(sent)
        if (state := self._state_of(sent.broadcast)) != "sending":
            self.improper.append(f"broadcast {sent.broadcast}: a send began at {sent.began:.3f}, and it was {state}")
        return sent

    def _arrive(self, sent: Sent) -> None:
        sent.arrived, sent.arrived_at = self.timeline.seconds, self.timeline.now()
        sent.taken = sent.fate.taken
        if not sent.taken:
            return
        messages = self.accounts[sent.creator].messages
        sent.message_id = str(next(self._ids))
        at = self.timeline.true_now()
        messages.append(
            {"id": sent.message_id, "text": sent.text, "at": at, "from": at + timedelta(seconds=sent.fate.shown)}
        )

    def _answer(self, sent: Sent) -> Answer:
        sent.ended = self.timeline.seconds
        kind = sent.fate.kind
        if kind == "accepted":
            return _json(200, {"id": sent.message_id, "recipientCount": 3})
        if kind == "without_id":
            return _json(200, {})
        if kind == "cut":
            return Answer(200, Headers({"Content-Type": "application/json"}), b'{"id": "1', complete=False)
        if kind == "html":
            return Answer(200, Headers({"Content-Type": "text/html"}), b"<p>hello", complete=True)
        headers = {"Retry-After": sent.fate.retry_after} if sent.fate.retry_after is not None else {}
        return _json(STATUS.get(kind, 502), {"error": kind}, headers)

    def _shown(self, account: Account, url: str) -> Any:
        path = url.partition("://")[2].partition("/")[2].partition("?")[0]
        if path.endswith("lists/custom") or "type=unsent" in url:
            return {"data": [], "hasMore": False}
        if "list" in path:
            name = {"ofauth": "fans", "onlyfansapi": "fans"}.get(account.platform, "subscribers")
            return {"data": [{"id": name, "name": name, "count": 0 if account.empty else 3}], "hasMore": False}
        now = self.timeline.true_now()
        shown_for = _EVER if account.platform == "fanvue" else _RECENTLY
        there = [one for one in account.messages if one["from"] <= now and one["at"] > now - shown_for]
        if account.platform != "onlyfansapi":
            return {"data": [_message(one) for one in reversed(there)], "hasMore": False}
        which = path.rpartition("/")[2]
        if which != "mass-messaging":
            return {"data": next(_message(one) for one in there if one["id"] == which)}
        return {"data": [{"id": one["id"], "date": rfc3339_seconds(one["at"])} for one in reversed(there)]}


def retry_after_seconds(fate: Fate) -> float | None:
    """What a 429 of this fate asks for, None if it does not say."""
    value = fate.retry_after or ""
    return float(value) if _IN_SECONDS.fullmatch(value) else None


def _message(one: dict[str, Any]) -> dict[str, object]:
    at = rfc3339_seconds(one["at"])
    return {"id": one["id"], "text": one["text"], "createdAt": at, "price": None, "isFree": True, "mediaCount": 0}


def _key(request: Request) -> str:
    return request.headers.get("apikey") or request.headers["Authorization"].removeprefix("Bearer ")


def _creator(request: Request) -> str:
    """Keys are made as `CREATOR-NUMBER`."""
    return _key(request).rpartition("-")[0]


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    told = {"Content-Type": "application/json", **(headers or {})}
    return Answer(status, Headers(told), json.dumps(body).encode(), complete=True)
