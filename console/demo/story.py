"""One readable line for each thing that happens: what the ledger says, and what the demo does itself."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text
from sqlalchemy import Connection, Row, select

from carillon import clock
from carillon.ledger.allowance import Wait, ready
from carillon.ledger.questions import waits
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts
from carillon.platforms.limits import Rate
from console.demo.reading import Reading
from console.printing import dollars
from console.sandbox import Sandbox

_STYLES = {
    "sent": "green",
    "let go": "green",
    "sold": "green",
    "waits": "yellow",
    "429": "yellow",
    "put off": "yellow",
    "killed": "bold red",
    "in doubt": "red",
    "held": "red",
    "failed": "red",
    "account": "red",
}
_WAITS = {
    "limit": "a free slot",
    "cool_down": "the end of its account's cool-down",
    "overlap": "the previous one of its campaign",
}
_OVER = {
    "limit": "a slot is free",
    "cool_down": "the cool-down is over",
    "overlap": "the previous one is out of the way",
}
_NOTICE = timedelta(seconds=0.3)
"""What is due for less than that, or waits for less, is not worth a line."""


def shown(at: datetime) -> str:
    """The viewer's own wall clock."""
    return f"{at.astimezone():%H:%M:%S.%f}"[:-5]


def fans(count: int | None) -> str:
    """Some platforms count later."""
    return "fans not counted yet" if count is None else f"{count:,} fans"


def price(body: Mapping[str, object]) -> object:
    """As it went over the wire; None if it was free."""
    return body.get("price") or body.get("priceCents")


class Story:
    """Prints the lines; `platforms_sent` are those that took at least one broadcast."""

    def __init__(self, reading: Reading, sandbox: Sandbox) -> None:
        self.platforms_sent: set[str] = set()
        self._reading, self._sandbox = reading, sandbox
        self._console = Console(highlight=False, markup=False, soft_wrap=True)
        self._last_event = 0
        self._creators: dict[int, Row[Any]] = {}
        self._waiting: dict[int, str] = {}  # broadcasts by id, and the cause that was told
        self._skipping: set[tuple[str, int]] = set()
        self._sold = False

    def tell(self, what: str, detail: str, who: str = "", campaign: str = "", at: datetime | None = None) -> None:
        style = _STYLES.get(what, "bold")
        when = (f"{shown(at or clock.now())}  ", "dim")
        self._console.print(Text.assemble(when, (f"{what:<9} ", style), f"{who:<6} {campaign:<10} {detail}"))

    def follow(self) -> None:
        """Tell what is new in the ledger."""
        events = self._reading.events_after(self._last_event)
        self._creators = self._reading.creators()
        if events and not self._last_event:
            self.tell("planned", f"{self._reading.planned():,} broadcasts, one row each, before the first is due")
        for event in events:
            self._last_event = event.id
            self._tell_event(event)
        self._reading.ask(self._tell_waits, None)
        if not self._sold and (sold := self._reading.purchases()):
            self._sold = True
            self.tell("sold", f"the first {dollars(sum(sold.values()))}, known by a signed webhook")

    def _tell_event(self, event: Row[Any]) -> None:
        found = self._move(event) if event.broadcast_id else ("account", event.why)
        if found:
            what, detail = found
            self.tell(what, detail, self._creators[event.creator_id].key, event.campaign or "", event.at)

    def _move(self, event: Row[Any]) -> tuple[str, str] | None:
        match event.source, event.target:
            case source, State.SENT:
                self._skipping.discard((event.campaign, event.creator_id))
                found = "found by asking the platform: " if source == State.UNKNOWN else ""
                return "sent", found + self._sent(event)
            case State.SENDING, State.PLANNED:
                return self._turned_away(event)
            case State.QUEUED, State.PLANNED:
                return None if event.why.startswith("not now") else ("put off", event.why)
            case State.PLANNED, State.QUEUED:
                cause = self._waiting.pop(event.broadcast_id, None)
                return ("let go", _OVER.get(cause, f"{cause} is over")) if cause else None
            case _, State.SENDING | State.PLANNED:
                return None
            case _, State.SKIPPED if self._is_old_news(event):
                return None
        return "in doubt" if event.target == State.UNKNOWN else event.target, event.why

    def _sent(self, event: Row[Any]) -> str:
        self.platforms_sent.add(event.platform)
        words = f"to {fans(event.recipient_count)} on {event.platform}, as {event.platform_message_id}"
        cost = self._price(event.platform, event.platform_message_id)
        return words if cost is None else f"{words}; the price went out as {cost}"

    def _price(self, platform: str, message_id: str | None) -> object:
        same = (one for one in self._sandbox.deliveries() if (one.platform, one.message_id) == (platform, message_id))
        return next((price(one.body) for one in same), None)

    def _turned_away(self, event: Row[Any]) -> tuple[str, str]:
        if not event.why.startswith("throttled"):
            return "put off", event.why
        self._waiting[event.broadcast_id] = "cool_down"
        until = event.not_before or self._creators[event.creator_id].cool_down_until
        return "429", f"{event.platform} asks to wait: the account cools down until {shown(until)}"

    def _is_old_news(self, event: Row[Any]) -> bool:
        """A campaign that skips one after the other is told once."""
        pair = (event.campaign, event.creator_id)
        known = pair in self._skipping
        self._skipping.add(pair)
        return known

    def _tell_waits(self, connection: Connection) -> None:
        now = clock.now()
        long_due = select(broadcasts).where(ready(now), broadcasts.c.due_at <= now - _NOTICE)
        rows = {row.id: row for row in connection.execute(long_due)}
        for id_, wait in waits(connection, list(rows.values()), now).items():
            lasts = wait.until is None or wait.until > now + _NOTICE
            if lasts and self._waiting.get(id_) != wait.cause:
                self._waiting[id_] = wait.cause
                self.tell("waits", self._why(rows[id_], wait), rows[id_].creator, rows[id_].campaign)

    def _why(self, row: Row[Any], wait: Wait) -> str:
        words = f"for {_WAITS.get(wait.cause, wait.cause)}"
        if wait.until:
            words += f" until {shown(wait.until)}"
        if wait.cause == "limit":
            creator = self._creators[row.creator_id]
            words += f": the limit is {Rate(creator.limit_count, creator.limit_seconds)}"
        return words
