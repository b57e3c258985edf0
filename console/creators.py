"""`carillon creators`: how each account stands."""

from typing import Any

from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.creators import Creator
from carillon.ledger import rosters
from carillon.settings import Settings
from console.in_force import catalogue
from console.opening import ledger_to_read
from console.printing import as_json, table

_HEADS = (
    "key",
    "platform",
    "state",
    "slots",
    "next free slot",
    "cool-down until",
    "stopped",
    "next broadcast",
    "credits left",
)
_UNKNOWN_YET = {
    "state": "ready",
    "slots_used": 0,
    "next_free_slot": None,
    "cool_down_until": None,
    "stopped_at": None,
    "stopped_reason": None,
    "next_broadcast": None,
    "credits_used": None,
    "credits_left": None,
}


def show_creators(settings: Settings, *, json: bool) -> int:
    ledger = ledger_to_read(settings)
    in_force = catalogue(settings, ledger)
    standing: dict[tuple[str, str], dict[str, Any]] = {}
    if ledger:
        with ledger.read() as session:
            connection = session.connection()
            standing = rosters.accounts(connection, ledger.now(connection))
    found = _all(in_force, standing)
    if json:
        as_json(found)
    else:
        table(_HEADS, (_row(creator) for creator in found))
    return 0


def _all(in_force: Catalogue, standing: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        _shown(creator, standing.get((creator.platform, creator.account), _UNKNOWN_YET))
        for creator in in_force.creators.values()
    ]


def _shown(creator: Creator, standing: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "key": creator.key,
        "name": creator.name,
        "platform": creator.platform,
        "account": creator.account_id,
        "limit": str(creator.limit),
        **standing,
    }
    return shown if creator.enabled else shown | {"state": "disabled"}


def _row(creator: dict[str, Any]) -> tuple[Any, ...]:
    upcoming = creator["next_broadcast"]
    return (
        creator["key"],
        creator["platform"],
        creator["state"],
        f"{creator['slots_used']} of {creator['limit']}",
        creator["next_free_slot"],
        creator["cool_down_until"],
        creator["stopped_reason"],
        f"{upcoming['due_at']} {upcoming['campaign']}" if upcoming else None,
        creator["credits_left"],
    )
