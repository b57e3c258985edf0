"""An installation of Carillon with broadcasts that are due, handed off as the real scheduler does."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, insert, select

from benchmarks import floor
from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.ledger.schema import migrate
from carillon.ledger.tables import attempts, broadcasts, creators, events, slots
from carillon.platforms.contract import AudienceList, Content, ListRef
from scheduler.edits import content_digest
from scheduler.publish import Publisher
from scheduler.release import release
from worker.shelf import Shelf

EACH = 10
"""Broadcasts of an account: as many as FrontRow allows in an hour."""

_LISTS = (ListRef(kind="smart", value="subscribers"),)
_WHO = "scheduler bench"


@dataclass(frozen=True)
class Installed:
    """Where it is; `queue` is None for the embedded shape."""

    folder: Path
    database: str
    queue: str | None
    broadcasts: int

    @property
    def accounts(self) -> int:
        return self.broadcasts // EACH

    def environment(self, platform: str) -> dict[str, str]:
        settings = {
            "CARILLON_CAMPAIGNS": str(self.folder / "campaigns.yaml"),
            "CARILLON_HOME": str(self.folder),
            "CARILLON_DATABASE_URL": self.database,
            "CARILLON_FRONTROW_URL": platform,
            "CARILLON_LOG": "json",
        }
        at_scale = {"CARILLON_REDIS_URL": self.queue} if self.queue else {}
        return settings | at_scale | {f"KEY{number}": floor.key(number) for number in range(self.accounts)}

    def prepare(self) -> None:
        """Plan everything and hand it off; the embedded shape hands off again what it finds queued at its start."""
        with closing(Ledger(self.database)) as ledger:
            migrate(ledger)
            (self.folder / "campaigns.yaml").write_text(_declared(self.accounts))
            publisher = Publisher(ledger, self.folder / "campaigns.yaml", frozenset(), _WHO)
            publisher.start()
            _plan(ledger, self.broadcasts)
            broker = brokers.make(self.queue, installation(ledger))
            assert publisher.catalogue is not None
            handed_off = release(ledger, broker, publisher.catalogue.campaigns, _WHO)
            assert handed_off == self.broadcasts, f"{handed_off} of {self.broadcasts} were handed off"

    def warm(self) -> None:
        """What a worker that was asked to prepare them would have laid on the shelf."""
        if self.queue is None:
            return
        with closing(Ledger(self.database)) as ledger:
            shelf = Shelf(self.queue, f"carillon:{installation(ledger)}")
        for number in range(self.accounts):
            shelf.put(("lists", "frontrow", None, floor.key(number)), (_audience(),), 60)

    def unrecorded(self) -> int:
        """How many attempts have no verdict yet, or were not made."""
        with closing(Ledger(self.database)) as ledger, ledger.read() as session:
            done = select(func.count()).select_from(attempts).where(attempts.c.finished_at.is_not(None))
            return self.broadcasts - (session.scalar(done) or 0)

    def recorded_at(self) -> list[float]:
        """When each verdict was written; fails unless every send has its rows, and nothing else has."""
        with closing(Ledger(self.database)) as ledger, ledger.read() as session:
            found = {
                "sent": session.scalar(select(func.count()).where(broadcasts.c.state == "sent")),
                "attempts": _count(session, attempts),
                "slots": _count(session, slots),
                "events": dict(session.execute(select(events.c.target, func.count()).group_by(events.c.target)).all()),
            }
            instants = sorted(session.scalars(select(attempts.c.finished_at)))
        n = self.broadcasts
        wanted = {"sent": n, "attempts": n, "slots": n, "events": {"queued": n, "sending": n, "sent": n}}
        assert found == wanted, f"the ledger has {found}"
        return [instant.timestamp() for instant in instants]


def _count(session: Any, table: Table) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _audience() -> AudienceList:
    return AudienceList("smart", "subscribers", "Subscribers", 847)


def _declared(accounts: int) -> str:
    """The campaigns exist, and fall due in some years."""
    lines = ["version: 1", "defaults: {timezone: UTC}", "creators:"]
    lines += [f"  c{number}: {{platform: frontrow, credentials: env:KEY{number}}}" for number in range(accounts)]
    lines.append("campaigns:")
    lines += [
        f"  drop{turn}: {{creators: all, text: hello, lists: {{include: [subscribers]}}, "
        f"schedule: {{at: '2036-01-01T{turn:02}:00'}}}}"
        for turn in range(EACH)
    ]
    return "\n".join(lines) + "\n"


def _plan(ledger: Ledger, count: int) -> None:
    with ledger.write() as connection:
        known = {row.key: row for row in connection.execute(select(creators))}
        accounts = [known[f"c{number}"] for number in range(count // EACH)]
        rows = [_row(accounts[number % len(accounts)], number // len(accounts), number) for number in range(count)]
        connection.execute(insert(broadcasts), rows)
        connection.execute(creators.update().values(wake_at=ledger.now(connection)))


def _row(account: Any, turn: int, number: int) -> Mapping[str, Any]:
    now = clock.now()
    content = Content(include=_LISTS, text=floor.text(number)).frozen()
    return {
        "campaign": f"drop{turn}",
        "creator": account.key,
        "creator_id": account.id,
        "platform": "frontrow",
        "part": "main",
        "kind": "send",
        "occurrence": clock.rfc3339(now),
        "number": 1,
        "day": now.date(),
        "revision": "bench",
        "due_at": now - timedelta(seconds=1),
        "expires_at": now + timedelta(hours=2),
        "expires_after": 7200,
        "content": content,
        "content_digest": content_digest(content),
        "state_since": now,
        "waiting_for": "time",
        **_FROZEN,
    }


_FROZEN = {
    "priority": 0,
    "overlap": "queue",
    "catch_up": "latest",
    "on_unknown": "hold",
    "state": "planned",
    "version": 1,
    "attempts": 0,
    "put_offs": 0,
    "hand_offs": 0,
}


def rate(instants: Sequence[float]) -> float:
    """A second, from a tenth of all on: what came before is start-up."""
    begin = len(instants) // 10
    return (len(instants) - begin) / (instants[-1] - instants[begin - 1])
