"""A Fanvue that forgets to answer, and a ledger whose times can be moved: for tests of unknown outcomes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import attempts, broadcasts, creators, lookups
from carillon.platforms.contract import Content, ListRef
from ledger_rows import add_broadcast, broadcast
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.means import Means

TEXT = "New <b>drop</b> & more"
CONTENT = Content(include=(ListRef(kind="smart", value="all_fans"),), text=TEXT).frozen()


class Fanvue:
    """Keeps what it takes, and answers a send as it is told: by default not at all."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.takes = True
        self.answers = False
        self.shows: Callable[[], Reply] | None = None
        self.clock_ahead = 0.0

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            if self.takes:
                self.add(seen.json()["text"])
            receipt = Reply(201, {"id": self.messages[-1]["id"], "recipientCount": 3}) if self.messages else Reply(500)
            return receipt if self.answers else Reply(502, "oh")
        if "/chats/mass-messages" not in seen.path:
            return Reply(404, {"message": "not here"})
        return self.shows() if self.shows else self.shown()

    def shown(self) -> Reply:
        return Reply(200, {"data": self.messages[::-1], "pagination": {"page": 1, "size": 50, "hasMore": False}})

    def add(self, text: str, **fields: Any) -> None:
        at = clock.rfc3339_seconds(clock.now() + timedelta(seconds=self.clock_ahead))
        self.messages.append({"id": f"m{len(self.messages)}", "text": text, "price": None, "createdAt": at, **fields})

    def let_pass(self, seconds: float) -> None:
        for message in self.messages:
            made = datetime.fromisoformat(message["createdAt"]) - timedelta(seconds=seconds)
            message["createdAt"] = clock.rfc3339_seconds(made)


def unknown(ledger: Ledger, means: Means, luna: int, campaign: str = "drop", **values: Any) -> int:
    id_ = add_broadcast(ledger, luna, campaign, platform="fanvue", **{"content": CONTENT, **values})
    deliver(means, id_)
    return id_


def standing(ledger: Ledger, id_: int) -> tuple[str, str]:
    row = broadcast(ledger, id_)
    return row.state, (row.reason or "").partition(":")[0]


def let_pass(ledger: Ledger, seconds: float, fanvue: Fanvue | None = None) -> None:
    """As if so much time had gone by: everything that was, was so much earlier."""
    if fanvue:
        fanvue.let_pass(seconds)
    with ledger.write() as connection:
        for table, names in (
            (attempts, ("started_at", "lease_until", "finished_at")),
            (lookups, ("began_at",)),
            (broadcasts, ("state_since", "hand_off_at")),
            (creators, ("cool_down_until",)),
        ):
            for row in connection.execute(select(table)).all():
                moved = {name: _earlier(getattr(row, name), seconds) for name in names}
                connection.execute(update(table).where(table.c.id == row.id).values(moved))


def _earlier(instant: datetime | None, seconds: float) -> datetime | None:
    return instant and instant - timedelta(seconds=seconds)


def count_of(ledger: Ledger, table: Any) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def posts(platform: StandIn) -> int:
    return sum(seen.method == "POST" for seen in platform.seen)
