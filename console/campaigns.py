"""`carillon campaigns`: what is declared, where it stands, and what of it goes next."""

from datetime import datetime
from typing import Any

from carillon.campaigns.catalogue import CampaignSummary
from carillon.ledger import rosters
from carillon.ledger.questions import instant
from carillon.settings import Settings
from console.in_force import catalogue
from console.opening import ledger_to_read
from console.printing import as_json, table

_HEADS = ("name", "state", "creators", "labels", "next due", "file")


def show_campaigns(settings: Settings, *, json: bool) -> int:
    ledger = ledger_to_read(settings)
    in_force = catalogue(settings, ledger)
    due: dict[str, datetime] = {}
    paused: set[str] = set()
    if ledger:
        with ledger.read() as session:
            connection = session.connection()
            due, paused = rosters.next_due(connection), rosters.paused_campaigns(connection)
    found = [_shown(summary, due.get(name), name in paused) for name, summary in in_force.campaigns.items()]
    if json:
        as_json(found)
    else:
        table(_HEADS, (_row(campaign) for campaign in found))
    return 0


def _shown(summary: CampaignSummary, due_at: datetime | None, paused: bool) -> dict[str, Any]:
    state = "paused" if paused else "enabled"
    return {
        "name": summary.name,
        "state": state if summary.enabled else "disabled",
        "creators": list(summary.creators),
        "labels": list(summary.labels),
        "next_due_at": instant(due_at),
        "file": summary.file,
        "line": summary.line,
    }


def _row(campaign: dict[str, Any]) -> tuple[Any, ...]:
    return (
        campaign["name"],
        campaign["state"],
        campaign["creators"],
        campaign["labels"],
        campaign["next_due_at"],
        f"{campaign['file']}:{campaign['line']}",
    )
