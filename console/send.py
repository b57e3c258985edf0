"""`carillon send`: one broadcast for each creator, now, by the same way as all others."""

import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

import structlog
import typer

from carillon import clock, logs
from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.references import parse_reference
from carillon.ledger.connect import Ledger
from carillon.ledger.states import State
from carillon.platforms.contract import Content, ListRef
from carillon.platforms.store import Store
from carillon.settings import Settings
from console import doorbell, wording
from console.failures import CommandError
from console.in_force import files, require_known
from console.opening import ledger_to_write, person
from console.options import WrongCommandError
from console.printing import as_json, complain, line
from console.requests import request_shown
from console.sending import carry_out, somebody_runs
from console.sizes import sizes
from scheduler.once import Once, insert_once, occurrence_now, unknown_creators
from scheduler.publish import Publisher

_WENT_WRONG = {State.FAILED, State.HELD, State.SKIPPED, State.EXPIRED, State.CANCELLED}


def send(settings: Settings, campaign: str, names: Sequence[str], to: str | None, *, dry_run: bool, yes: bool) -> int:
    """Returns the exit code."""
    instead = _reference(to)
    if not (dry_run or yes or _can_ask()):
        raise WrongCommandError("send asks before it sends, and here is nobody to answer: add --yes")
    catalogue = files(settings)
    catalogue.store = None if dry_run else Store(settings.uploads)
    chosen = [_once(entry, instead) for entry in _entries(catalogue, campaign, names)]
    if dry_run:
        as_json([{"creator": once.entry.creator.key, **_dry(settings, once)} for once in chosen])
        return 0
    _show(settings, campaign, chosen)
    if not yes and not typer.confirm("Send now?"):
        line("nothing was sent")
        return 1
    return _send(settings, chosen)


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _reference(to: str | None) -> ListRef | None:
    try:
        return None if to is None else parse_reference(to)
    except ValueError as error:
        raise WrongCommandError(f"--to {to}: {error}") from None


def _entries(catalogue: Catalogue, campaign: str, names: Sequence[str]) -> list[Entry]:
    require_known("campaign", campaign, catalogue.campaigns)
    members = catalogue.campaigns[campaign].creators
    for name in names:
        require_known(f"creator in {campaign} named", name, members)
    entries = [entry for key in members if (entry := catalogue.entry(campaign, key)) and (key in names or not names)]
    off = [entry for entry in entries if not entry.enabled]
    if off and (names or len(off) == len(entries)):
        which = f"campaign {campaign}" if off[0].creator.enabled else f"creator {off[0].creator.key}"
        raise CommandError(f"{which} is disabled in the file; set `enabled: true` first")
    return [entry for entry in entries if entry.enabled]


def _once(entry: Entry, instead: ListRef | None) -> Once:
    occurrence = occurrence_now(entry, clock.now())
    content = entry.content(occurrence, 1)
    if instead:  # single users are recipients too: whoever names one list means that list
        content = content.model_copy(update={"include": (instead,), "users": ()})
    return Once(entry, occurrence, content)


def _dry(settings: Settings, once: Once) -> dict[str, Any]:
    creator = once.entry.creator
    return request_shown(settings, creator.platform, creator.account_id, once.content)


def _show(settings: Settings, campaign: str, chosen: Sequence[Once]) -> None:
    known = sizes(settings, [(once.entry.creator, once.content) for once in chosen])
    line(f"{campaign}, to be sent now:")
    for once, counts in zip(chosen, known, strict=True):
        line(f"  {once.entry.creator.key} ({once.entry.creator.platform}): {_audience(once.content, counts)}")


def _audience(content: Content, counts: Sequence[int | None]) -> str:
    shown = [
        f"{_written(ref)} ({'unknown' if count is None else f'{count:,}'})"
        for ref, count in zip(content.include, counts, strict=True)
    ]
    if content.users:
        shown.append(f"{len(content.users)} single users")
    without = f", without {', '.join(_written(ref) for ref in content.exclude)}" if content.exclude else ""
    if content.subscribed_after:
        shown.append(f"subscribed after {clock.rfc3339(content.subscribed_after)}")
    return ", ".join(shown) + without


def _written(ref: ListRef) -> str:
    return f"{ref.kind}:{ref.value}"


def _send(settings: Settings, chosen: Sequence[Once]) -> int:
    _behave(settings)
    who = person()
    ledger = ledger_to_write(settings)
    _put_in_force(settings, ledger, chosen, who)
    ids = insert_once(ledger, chosen, who)
    doorbell.ring(settings, ledger)
    try:
        ended = carry_out(settings, ledger, ids, who)
    except KeyboardInterrupt:
        complain(f"stopped waiting; see `carillon show {ids[0]}`, or `carillon cancel` what has not gone")
        raise
    for broadcast in ended:
        line(_outcome(broadcast))
    return 1 if any(broadcast["state"] in _WENT_WRONG for broadcast in ended) else 0


def _behave(settings: Settings) -> None:
    """SIGTERM is taken as Ctrl-C: what is on its way is recorded first. Only what goes wrong is logged."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logs.set_up(settings.log)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _put_in_force(settings: Settings, ledger: Ledger, chosen: Sequence[Once], who: str) -> None:
    """As `up` does when it starts; where a scheduler runs, it follows the file itself."""
    unknown = unknown_creators(ledger, chosen)
    if unknown or not somebody_runs(settings, ledger):
        Publisher(ledger, settings.campaigns, frozenset(settings.platform_urls), who).start()
        unknown = unknown_creators(ledger, chosen)
    if unknown:
        raise CommandError(f"creator {unknown[0]} is not in force yet; see `carillon check`")


def _outcome(broadcast: dict[str, Any]) -> str:
    about = f"{broadcast['creator']}: broadcast {broadcast['id']}"
    if broadcast["state"] == State.PLANNED:
        return f"{about} {wording.why(broadcast)}"
    if broadcast["state"] != State.SENT:
        return f"{about} is {wording.state(broadcast)}"
    count = broadcast["recipient_count"]
    return f"{about} is sent" + (f" to {count:,} recipients" if count is not None else "")
