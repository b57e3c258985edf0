"""The child's ledger as the demo sees it: read only, and from its first moment on."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Row, create_engine, func, select
from sqlalchemy.exc import OperationalError

from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators, events
from carillon.ledger.tables_results import sales

T = TypeVar("T")


class Reading:
    """Questions to a ledger that need not be there yet."""

    def __init__(self, database: Path) -> None:
        self._engine = create_engine(f"sqlite:///file:{quote(str(database))}?mode=ro&uri=true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def ask(self, question: Callable[[Connection], T], otherwise: T) -> T:
        """`otherwise` while there is no file, or no tables in it."""
        try:
            with self._engine.connect() as connection:
                return question(connection)
        except OperationalError:
            return otherwise

    def creators(self) -> dict[int, Row[Any]]:
        return self.ask(lambda connection: {row.id: row for row in connection.execute(select(creators))}, {})

    def events_after(self, event_id: int) -> Sequence[Row[Any]]:
        """What happened, with the broadcast as it stands now."""
        nearest = select(
            events.c.id,
            events.c.at,
            events.c.source,
            events.c.target,
            events.c.why,
            events.c.broadcast_id,
            events.c.creator_id,
            broadcasts.c.campaign,
            broadcasts.c.platform,
            broadcasts.c.platform_message_id,
            broadcasts.c.recipient_count,
            broadcasts.c.not_before,
        ).outerjoin(broadcasts, broadcasts.c.id == events.c.broadcast_id)
        new = nearest.where(events.c.id > event_id).order_by(events.c.id)
        return self._rows(new)

    def planned(self) -> int:
        """How many broadcasts are known and not yet due or done."""
        count = select(func.count()).select_from(broadcasts).where(broadcasts.c.state == State.PLANNED)
        return self.ask(lambda connection: connection.scalar(count) or 0, 0)

    def next_due(self, now: datetime) -> datetime | None:
        first = select(func.min(broadcasts.c.due_at)).where(
            broadcasts.c.state == State.PLANNED, broadcasts.c.due_at > now
        )
        found: datetime | None = self.ask(lambda connection: connection.scalar(first), None)
        return found

    def in_state(self, state: State) -> Sequence[Row[Any]]:
        return self._rows(select(broadcasts).where(broadcasts.c.state == state).order_by(broadcasts.c.id))

    def purchases(self) -> Mapping[int, int]:
        """By broadcast, the cents that webhooks told of."""
        told = (sales.c.kind == "purchase", sales.c.broadcast_id.is_not(None))
        total = select(sales.c.broadcast_id, func.sum(sales.c.amount_cents).label("cents")).where(*told)
        return {row.broadcast_id: row.cents or 0 for row in self._rows(total.group_by(sales.c.broadcast_id))}

    def attempted(self) -> Sequence[Row[Any]]:
        return self._rows(select(broadcasts).where(broadcasts.c.attempts > 0))

    def _rows(self, wanted: Any) -> Sequence[Row[Any]]:
        nothing: Sequence[Row[Any]] = ()
        return self.ask(lambda connection: connection.execute(wanted).all(), nothing)
