"""What a person decides: `carillon cancel`, `retry`, `resolve`, `pause` and `resume`."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from carillon import logs
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.text import TextError
from carillon.clock import rfc3339
from carillon.ledger import decisions, rosters
from carillon.ledger.connect import Ledger
from carillon.ledger.decisions import DecisionError
from carillon.ledger.placing import DUE
from carillon.ledger.questions import Wanted
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts, creators
from carillon.platforms.store import Store
from carillon.settings import Settings
from console import doorbell
from console.failures import CommandError
from console.in_force import catalogue, require_known
from console.opening import ledger_to_read, ledger_to_write, person
from console.printing import complain, line
from scheduler.once import frozen_again
from scheduler.uploads import want_again


@dataclass(frozen=True)
class Chosen:
    """Broadcasts by id, or by what they have in common, `occurrence` too."""

    ids: Sequence[str] = ()
    wanted: Wanted | None = None
    occurrence: str | None = None


def number_of(word: str) -> int:
    """The ledger's number for a broadcast's id. Raises CommandError: whatever else it is, no broadcast has it."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", word, re.ASCII):
        raise CommandError(f"there is no broadcast {word}")
    return int(word)


def cancel(settings: Settings, chosen: Chosen, reason: str | None) -> int:
    ledger = require_ledger(settings)

    def one(word: str) -> None:
        if not decisions.cancel(ledger, number_of(word), person(), reason):
            _withdraw(settings, ledger, number_of(word))
        line(f"broadcast {word} is cancelled")

    code = _each(chosen_ids(ledger, chosen, decisions.CANCELLED, "cancelled"), one)
    doorbell.ring(settings, ledger)  # who waited for it goes
    return code


def _withdraw(settings: Settings, ledger: Ledger, broadcast_id: int) -> None:
    """Of what the platform's own scheduler keeps: by this process, or by whoever is at it."""
    from console.withdrawing import own_means, wait_until_withdrawn  # which load what a worker needs

    logs.set_up(settings.log)
    logs.fall_silent()
    with own_means(settings, ledger, person()) as means:
        wait_until_withdrawn(means, broadcast_id)


def retry(settings: Settings, chosen: Chosen, reason: str | None, *, same: bool) -> int:
    """`same` sends the content as it was; else it is frozen anew from what is in force."""
    ledger = require_ledger(settings)
    in_force = None if same else catalogue(settings, ledger)
    if in_force:
        in_force.store = Store(settings.uploads)

    def one(word: str) -> None:
        again = _again(ledger, in_force, number_of(word)) if in_force else {}
        want_again(ledger, number_of(word), again, person())
        decisions.retry(ledger, number_of(word), again, person(), reason)
        line(f"broadcast {word} is planned again, due {_due(ledger, number_of(word))}")

    code = _each(chosen_ids(ledger, chosen, decisions.RETRIED, "retried"), one)
    doorbell.ring(settings, ledger)
    return code


def resolve(settings: Settings, word: str, *, sent: bool, message_id: str | None, reason: str) -> int:
    ledger = require_ledger(settings)
    decisions.resolve(ledger, number_of(word), sent=sent, message_id=message_id, who=person(), reason=reason)
    doorbell.ring(settings, ledger)
    due = _due(ledger, number_of(word))
    line(f"broadcast {word} is {_taken(due, message_id) if sent else f'planned again, due {due}'}")
    return 0


def _taken(due: str, message_id: str | None) -> str:
    return "sent" if due == "now" or message_id is None else f"placed, due {due}"


def _due(ledger: Ledger, broadcast_id: int) -> str:
    """What the platform was to send later is still due then."""
    with ledger.read() as session:
        goes_at = session.scalar(select(broadcasts.c.goes_at).where(broadcasts.c.id == broadcast_id))
        now = ledger.now(session.connection())
    return rfc3339(goes_at) if goes_at is not None and goes_at > now else "now"


def pause(settings: Settings, level: str, target: str, reason: str | None) -> int:
    _require_known(settings, level, target)
    decisions.pause(ledger_to_write(settings), level, target, person(), reason)
    line(f"{_about(level, target)} paused: nothing new is claimed until `carillon resume`")
    return 0


def resume(settings: Settings, level: str, target: str) -> int:
    ledger = ledger_to_read(settings)
    if ledger and decisions.resume(ledger, level, target, person()):
        doorbell.ring(settings, ledger)
        line(f"{_about(level, target)} resumed")
        return 0
    _require_known(settings, level, target)
    what = "paused or stopped" if level == "creator" else "paused"
    raise CommandError(f"{_about(level, target)} not {what}; nothing was changed")


def require_ledger(settings: Settings) -> Ledger:
    ledger = ledger_to_read(settings)
    if ledger is None:
        raise CommandError("there is no broadcast yet: nothing was ever started here")
    return ledger


def chosen_ids(ledger: Ledger, chosen: Chosen, states: Sequence[State], deed: str) -> list[str]:
    """Raises CommandError if none matches."""
    if chosen.wanted is None:
        return list(dict.fromkeys(chosen.ids))
    which = select(broadcasts.c.id).where(chosen.wanted.condition(), broadcasts.c.state.in_(states))
    if chosen.occurrence is not None:
        which = which.where(broadcasts.c.occurrence == chosen.occurrence)
    with ledger.read() as session:
        found = [str(id_) for id_ in session.scalars(which.order_by(DUE, broadcasts.c.id))]
    if not found:
        raise CommandError(f"no broadcast that matches can be {deed}; see `carillon broadcasts`")
    return found


def _each(ids: Iterable[str], one: Callable[[str], None]) -> int:
    """Do what can be done, and complain of the rest."""
    code = 0
    for word in ids:
        try:
            one(word)
        except (CommandError, DecisionError) as error:
            complain(str(error))
            code = 1
    return code


def _again(ledger: Ledger, in_force: Catalogue, broadcast_id: int) -> Mapping[str, Any]:
    with ledger.read() as session:
        row = session.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
        if row is None:
            return {}
        account = session.execute(select(creators).where(creators.c.id == row.creator_id)).one()
    entry = in_force.entry(row.campaign, row.creator)
    if entry and entry.enabled and (entry.creator.platform, entry.creator.account) == (row.platform, account.account):
        try:
            return frozen_again(entry, row)
        except TextError as error:
            raise CommandError(f"broadcast {row.id}: {error}") from None
    raise CommandError(f"broadcast {row.id}: the file has no {row.campaign} for {row.creator} any more; add --same")


def _require_known(settings: Settings, level: str, target: str) -> None:
    """Raises CommandError for a campaign or creator that neither the files nor the ledger know."""
    if level not in ("campaign", "creator"):
        return
    ledger = ledger_to_read(settings)
    known: set[str] = set()
    if ledger:
        with ledger.read() as session:
            known = rosters.known(session.connection(), level)
    if target in known:
        return
    in_force = catalogue(settings, ledger)
    declared = in_force.campaigns if level == "campaign" else in_force.creators
    require_known(level, target, known | set(declared))


def _about(level: str, target: str) -> str:
    return "everything is" if level == "all" else f"{level} {target} is"
