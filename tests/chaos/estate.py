"""One installation that is killed again and again, and cases for it: a campaign file each, with an account of its own.

A case is two broadcasts that are due at once, for an account that may send one in an hour. `first` goes before
`second`, which may never go: so the judge sees at a glance a double, and a slot that was given away. Where `first` is
alone, nothing stands in its way, and the product may take a shorter one.
"""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, select

from carillon.ledger.connect import Ledger
from carillon.ledger.states import State
from carillon.ledger.tables import alarms, attempts, broadcasts, lookups, slots
from chaos.hasty import TIMEOUT
from chaos.house import House, Nursery
from chaos.judge import Judge
from chaos.wire import Wire
from running import until

ENDED = frozenset({State.SENT, State.HELD, State.FAILED, State.EXPIRED, State.SKIPPED, State.CANCELLED})
PLATFORMS = ("fanvue", "frontrow", "ofauth", "onlyfansapi")
_LISTS = {"fanvue": "all_fans", "frontrow": "subscribers", "ofauth": "fans", "onlyfansapi": "fans"}
_LIMIT = (1, 3600)
_MOST = 400
_LINGERS = 0.4
"""Seconds after a rest for what still follows it, such as taking an order off the queue."""


@dataclass(frozen=True)
class Case:
    number: int
    platform: str
    alone: bool = False

    @property
    def first(self) -> str:
        return f"k{self.number}-first"

    @property
    def second(self) -> str:
        return f"k{self.number}-second"

    def declared(self) -> str:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        account = f", account: a{self.number}" if self.platform in {"ofauth", "onlyfansapi"} else ""
        creator = (
            f"  c{self.number}: {{platform: {self.platform}, credentials: env:KEY_{self.number}{account}, "
            f"timezone: UTC, limit: {_LIMIT[0]}/{_LIMIT[1] // 3600}h}}"
        )
        lines = ["version: 1", "creators:", creator, "campaigns:"]
        said = ((self.first, 5),) if self.alone else ((self.first, 5), (self.second, 1))
        for text, priority in said:
            lines.append(
                f"  {text}: {{creator: c{self.number}, text: {text}, priority: {priority}, "
                f"lists: {{include: [{_LISTS[self.platform]}]}}, schedule: {{at: '{at}'}}}}"
            )
        return "\n".join(lines) + "\n"


class Estate:
    """Its processes, its ledger and its wire. Embedded without a Redis; else a scheduler and a worker."""

    def __init__(
        self,
        nursery: Nursery,
        judge: Judge,
        folder: Path,
        database_url: str,
        redis_url: str | None = None,
        roles: Sequence[str] = ("scheduler", "worker"),
    ) -> None:
        self.judge, self.redis_url, self._folder = judge, redis_url, folder
        self._campaigns = folder / "campaigns"
        self._campaigns.mkdir()
        wire = folder / "wire"
        self.wire = Wire.strung(wire)
        self.ledger = Ledger(database_url)
        environment = self._environment(database_url, redis_url)
        self.houses = [House(nursery, role, folder, environment, wire) for role in (roles if redis_url else ("up",))]
        self._numbers = itertools.count(1)

    def _environment(self, database_url: str, redis_url: str | None) -> dict[str, str]:
        return {
            "CARILLON_CAMPAIGNS": str(self._campaigns),
            "CARILLON_HOME": str(self._folder / "home"),
            "CARILLON_DATABASE_URL": database_url.replace("postgresql+psycopg", "postgresql"),
            "CARILLON_HTTP_TIMEOUT": str(TIMEOUT),
            "CARILLON_LOG": "console",
            **({"CARILLON_REDIS_URL": redis_url} if redis_url else {}),
            **{f"CARILLON_{platform.upper()}_URL": self.judge.url for platform in PLATFORMS},
            **{f"KEY_{number}": f"key-{number}" for number in range(_MOST)},
        }

    def __enter__(self) -> Self:
        (self._campaigns / "idle.yaml").write_text(_IDLE)
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()
        self.ledger.close()
        self.wire.close()

    def open(self) -> None:
        for house in self.houses:
            if not house.lives:
                house.start()

    def shut(self) -> None:
        """Kill whatever lives."""
        self.wire.disarm()
        for house in self.houses:
            house.kill()

    def declare(self, platform: str = "fanvue", *, alone: bool = False) -> Case:
        """What it has is due at once."""
        case = Case(next(self._numbers), platform, alone)
        fresh = self._campaigns / f"{case.number}.new"
        fresh.write_text(case.declared())
        fresh.rename(fresh.with_suffix(".yaml"))
        return case

    def keep(self) -> None:
        """Start again whatever died."""
        for house in self.houses:
            if not house.lives:
                house.start(wait=False)

    def rest(self, case: Case, trips: int = 0, seconds: float = 30) -> Any:
        """The row of `first` once it has ended; whatever dies meanwhile is started again.

        An ending that came before so many trips is waited on for a moment more.
        """
        wanted = self.wire.trips + trips

        def ended() -> Any:
            self.keep()
            row = self.first(case)
            return row if row is not None and row.state in ENDED else None

        try:
            row = until(ended, seconds)
        except AssertionError:
            raise AssertionError(f"no rest after {seconds} s\n{self.story(case)}") from None
        with suppress(AssertionError):
            until(lambda: self.wire.trips >= wanted, _LINGERS)
        self.keep()
        return row

    def rows(self, case: Case) -> Sequence[Any]:
        with self.ledger.read() as session:
            mine = select(broadcasts).where(broadcasts.c.campaign.in_((case.first, case.second)))
            return session.execute(mine.order_by(broadcasts.c.campaign)).all()

    def first(self, case: Case) -> Any:
        """Its row; None before it is planned."""
        return next((row for row in self.rows(case) if row.campaign == case.first), None)

    def freeze(self, point: str, platform: str = "fanvue") -> tuple[Case, int]:
        """A case, and the process that was stopped by SIGSTOP at that point of it."""
        before = self.wire.trips
        self.wire.arm(point, deed="stop")
        case = self.declare(platform)
        until(lambda: self.wire.trips > before, 30)
        self.wire.disarm()
        return case, self.wire.tripped_by

    def attempts(self, row: Any) -> Sequence[Any]:
        with self.ledger.read() as session:
            made = select(attempts).where(attempts.c.broadcast_id == row.id)
            return session.execute(made.order_by(attempts.c.number)).all()

    def looks(self, case: Case) -> int:
        """How often the platform was asked for it."""
        with self.ledger.read() as session:
            mine = select(attempts.c.id).join(broadcasts, broadcasts.c.id == attempts.c.broadcast_id)
            asked = select(func.count()).select_from(lookups)
            of_it = lookups.c.attempt_id.in_(mine.where(broadcasts.c.campaign == case.first))
            return session.scalar(asked.where(of_it)) or 0

    def slots(self, row: Any) -> int:
        """How many the account of this broadcast has taken."""
        with self.ledger.read() as session:
            taken = select(func.count()).select_from(slots).where(slots.c.creator_id == row.creator_id)
            return session.scalar(taken) or 0

    def alarm(self, cause: str) -> str | None:
        """What the open alarm for this cause says."""
        with self.ledger.read() as session:
            return session.scalar(
                select(alarms.c.message).where(alarms.c.cause == cause, alarms.c.cleared_at.is_(None))
            )

    def causes(self) -> set[str]:
        """Of all alarms that were ever raised."""
        with self.ledger.read() as session:
            return set(session.scalars(select(alarms.c.cause)))

    def story(self, case: Case) -> str:
        """What ledger, judge and logs say of it, for who reads a failure."""
        rows = [f"{row.campaign} {row.state} {row.waiting_for} {row.reason}" for row in self.rows(case)]
        taken = [f"{one.text} at {one.taken_at:%H:%M:%S.%f}" for one in self.judge.taken if one.text == case.first]
        said = [line for line in self.logs.splitlines() if f"k{case.number}-" in line or "error" in line]
        return "\n".join([*rows, f"taken: {taken}", *said[-15:]])

    @property
    def logs(self) -> str:
        return "\n".join(house.log for house in self.houses)


_IDLE = """version: 1
creators:
  idle: {platform: fanvue, credentials: env:KEY_0, timezone: UTC}
campaigns:
  idle: {creator: idle, text: later, lists: {include: [all_fans]}, schedule: {at: "2200-01-01T00:00:00Z"}}
"""
