"""Alarms for tests of how they reach people, and time that passes without waiting."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from carillon.ledger.tables_house import notices


def add_alarm(ledger: Ledger, cause: str = "held:1", message: str = "look at it", **values: Any) -> int:
    """As `add_alarms`."""
    return add_alarms(ledger, [cause], message, **values)[0]


def add_alarms(
    ledger: Ledger,
    causes: Sequence[str],
    message: str = "look at it",
    *,
    age: float = 10,
    cleared_after: float | None = None,
    **values: Any,
) -> list[int]:
    """Raised `age` seconds ago; `cleared_after` 0 is an alarm that is said once."""
    with ledger.write() as connection:
        raised_at = ledger.now(connection) - timedelta(seconds=age)
        cleared_at = None if cleared_after is None else raised_at + timedelta(seconds=cleared_after)
        row = {"message": message, "raised_at": raised_at, "cleared_at": cleared_at, **values}
        rows = [{"cause": cause, **row} for cause in causes]
        return list(connection.scalars(insert(alarms).returning(alarms.c.id, sort_by_parameter_order=True), rows))


def clear_alarm(ledger: Ledger, alarm_id: int) -> None:
    with ledger.write() as connection:
        clear = update(alarms).where(alarms.c.id == alarm_id)
        connection.execute(clear.values(cleared_at=ledger.now(connection)))


def let_pass(ledger: Ledger, **span: float) -> None:
    """For alarms and notices so much time has passed: `let_pass(ledger, minutes=1)`."""
    _age(ledger, alarms, ("id",), ("raised_at", "cleared_at"), timedelta(**span))
    _age(ledger, notices, ("alarm_id", "channel"), ("next_at", "sent_at"), timedelta(**span))


def noted(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(notices).order_by(notices.c.alarm_id, notices.c.channel)))


def _age(ledger: Ledger, table: Table, key: Sequence[str], instants: Sequence[str], span: timedelta) -> None:
    same = [table.c[name] == bindparam(f"its_{name}") for name in key]
    older = update(table).where(*same).values({name: bindparam(f"older_{name}") for name in instants})
    with ledger.write() as connection:
        rows = [
            {f"its_{name}": row[name] for name in key}
            | {f"older_{name}": row[name] and row[name] - span for name in instants}
            for row in connection.execute(select(table)).mappings()
        ]
        if rows:
            connection.execute(older, rows)
