"""`carillon broadcasts`: what was and will be sent, once or as it changes."""

from signal import SIGINT, signal
from threading import Event
from typing import Any

from sqlalchemy import Row

from carillon.ledger.connect import Ledger
from carillon.ledger.histories import Feed, event
from carillon.ledger.questions import Wanted, listed
from carillon.ledger.tables import broadcasts
from carillon.settings import Settings
from console import wording
from console.opening import ledger_to_read
from console.printing import as_json, line, table

_POLL_SECONDS = 0.5
_HEADS = ("id", "due at", "campaign", "creator", "platform", "state", "recipients", "why")


def show_list(settings: Settings, wanted: Wanted, limit: int | None, *, json: bool) -> int:
    ledger = ledger_to_read(settings)
    found: list[dict[str, Any]] = []
    if ledger:
        with ledger.read() as session:
            connection = session.connection()
            found = listed(connection, wanted.condition(), ledger.now(connection), limit)
    if json:
        as_json(found)
    else:
        table(_HEADS, (_row(broadcast) for broadcast in found))
    return 0


def follow(settings: Settings, wanted: Wanted, *, json: bool) -> int:
    """Print each change as it comes, until Ctrl-C."""
    stopping = Event()
    # A KeyboardInterrupt may be raised where Python drops it, as while it collects garbage.
    signal(SIGINT, lambda *_: stopping.set())
    ledger = ledger_to_read(settings)
    begun = ledger is not None
    while ledger is None and not stopping.wait(_POLL_SECONDS):
        ledger = ledger_to_read(settings)
    feed = ledger and Feed(ledger, wanted.condition(), from_the_start=not begun)
    while ledger and feed and not stopping.is_set():
        _print_changes(ledger, feed.take(), json=json)
        stopping.wait(_POLL_SECONDS)
    return 0


def _print_changes(ledger: Ledger, events: list[Row[Any]], *, json: bool) -> None:
    if not events:
        return
    with ledger.read() as session:
        connection = session.connection()
        which = broadcasts.c.id.in_({row.broadcast_id for row in events})
        now_as = {item["id"]: item for item in listed(connection, which, ledger.now(connection))}
    for row in events:
        broadcast = now_as[str(row.broadcast_id)]
        if json:
            as_json({**broadcast, "change": event(row)}, indent=None)
        else:
            line(_change(broadcast, event(row)))


def _change(broadcast: dict[str, Any], change: dict[str, Any]) -> str:
    about = f"{broadcast['id']} {broadcast['campaign']} for {broadcast['creator']}"
    return f"{change['at']} {about}: {change['from']} -> {change['to']}: {change['why']} ({change['who']})"


def _row(broadcast: dict[str, Any]) -> tuple[Any, ...]:
    return (
        broadcast["id"],
        broadcast["due_at"],
        broadcast["campaign"],
        broadcast["creator"],
        broadcast["platform"],
        broadcast["state"],
        broadcast["recipient_count"],
        broadcast["reason"] or wording.why(broadcast),
    )
