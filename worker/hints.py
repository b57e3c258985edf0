"""What a stored webhook does: a hint never sends anything and ends no state, with one exception (`confirm.py`).

A sale is kept, and credited to its broadcast; news of a message have it asked about soon; a message that no broadcast
is known by wakes the look-ups of the account's unknown outcomes. To take a webhook again has no second effect.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, exists, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from carillon.ledger import accounts, alarms, hooks, results
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note, State, move, version_of
from carillon.ledger.tables import alarms as alarm_rows
from carillon.ledger.tables import attempts, broadcasts, creators
from carillon.ledger.tables_media import uploads
from carillon.platforms.contract import Platform
from carillon.platforms.parts import Hint
from carillon.platforms.roster import PLATFORMS
from worker.confirm import Candidate, Several, candidates, confirmed, first_sold

log = structlog.get_logger()

AWAY = (OperationalError, InterfaceError, NoConnectionError)
"""The ledger cannot be used now; any other error is about the webhook itself."""

_SOURCE = "webhook"
_WRONG = ("expired", "disconnected", "authentication_failed", "required")
"""How the names of those events end that tell of an account which cannot be used; others tell that it can."""


def take_all(ledger: Ledger, who: str) -> int:
    """Take the hints of every webhook that still waits for it; returns how many. Raises SQLAlchemyError."""
    last, taken = 0, 0
    while True:
        with ledger.read() as session:
            rows = hooks.waiting(session.connection(), last)
        if not rows:
            return taken
        for row in rows:
            taken += _take(ledger, row.id, row.creator_id, who)
        last = rows[-1].id


def _take(ledger: Ledger, hook_id: int, creator_id: int, who: str) -> bool:
    """False if another process has taken it. One that cannot be understood is not tried again and again."""
    try:
        with accounts.held(ledger, [creator_id]) as (connection, now):
            hook = hooks.still_waiting(connection, hook_id)
            if hook is None:
                return False
            words = _follow(connection, hook, Note(now, who, ""))
            hooks.done(connection, hook_id, "; ".join(words) or "of no concern", now)
    except AWAY:
        raise
    except Exception as error:
        log.exception("a webhook was not understood", hook=hook_id)
        with accounts.held(ledger, [creator_id]) as (connection, now):
            hooks.set_aside(connection, hook_id, f"not understood: {type(error).__name__}", now)
    return True


@dataclass(frozen=True)
class _Told:
    """One hint of a webhook, the `number`th, and what it is about."""

    hint: Hint
    number: int
    hook: Row[Any]
    creator: Row[Any]
    platform: Platform

    @property
    def at(self) -> datetime:
        received: datetime = self.hook.received_at
        return min(self.hint.at or received, received)


def _follow(connection: Connection, hook: Row[Any], note: Note) -> Iterator[str]:
    """Carries out each hint; yields what was done."""
    creator = connection.execute(select(creators).where(creators.c.id == hook.creator_id)).one()
    platform = PLATFORMS[hook.platform]
    for number, hint in enumerate(platform.webhooks.hints(json.loads(hook.body))):
        done = _DEEDS[hint.kind](connection, _Told(hint, number, hook, creator, platform), note)
        yield f"{hint.event}: {done}"


def _sell(connection: Connection, told: _Told, note: Note) -> str:
    hint = told.hint
    broadcast_id = _broadcast(connection, told)
    if broadcast_id is None and hint.kind == "purchase" and hint.message_id:
        broadcast_id = _confirm(connection, told, hint.message_id, note)
    new = results.keep_sale(
        connection,
        told.creator.id,
        hint.sale or f"{_SOURCE}:{told.hook.body_digest}:{told.number}",
        hint.kind,
        told.at,
        broadcast_id=broadcast_id,
        message_id=hint.queue_id or hint.message_id,
        fan=hint.fan,
        amount_cents=hint.amount_cents,
        source=_SOURCE,
    )
    _stir(connection, told, broadcast_id, note)
    of_what = f"of broadcast {broadcast_id}" if broadcast_id else "of no broadcast that is known"
    return f"{hint.kind} {of_what}" + ("" if new else ", known already")


def _progress(connection: Connection, told: _Told, note: Note) -> str:
    broadcast_id, hint = _broadcast(connection, told), told.hint
    if broadcast_id is not None:
        if hint.recipients is not None:
            results.keep_told(connection, broadcast_id, _SOURCE, told.at, recipients=hint.recipients)
        results.keep_delivery(connection, broadcast_id, hint.delivery, note.at, hint.recipients)
    _stir(connection, told, broadcast_id, note)
    return f"broadcast {broadcast_id}" if broadcast_id else "no broadcast that is known"


def _account(connection: Connection, told: _Told, note: Note) -> str:
    """Told once; what it does to sending shows when the platform is spoken to."""
    creator = told.creator
    if told.hint.event.endswith(_WRONG):
        cause = f"connection:{creator.id}"
        words = f"{told.platform.name} says of creator {creator.key}: {told.hint.event}; connect it again there"
        alarms.sound(connection, cause, words, note.at, creator_id=creator.id)
        alarms.clear(connection, cause, note.at)
        return "told as an alarm"
    accounts.wake(connection, [creator.id], note.at)
    return "the account is looked at"


def _media(connection: Connection, told: _Told, note: Note) -> str:
    """What the platform still works on is asked about now; nobody else is at it."""
    mine = (uploads.c.creator_id == told.creator.id, uploads.c.state == "processing", uploads.c.owner.is_(None))
    asked = connection.execute(update(uploads).where(*mine).values(next_at=note.at)).rowcount
    return f"{asked} uploads are asked about"


_DEEDS: dict[str, Callable[[Connection, _Told, Note], str]] = {
    "purchase": _sell,
    "tip": _sell,
    "progress": _progress,
    "account": _account,
    "media": _media,
}


def _broadcast(connection: Connection, told: _Told) -> int | None:
    ids = [id_ for id_ in (told.hint.queue_id, told.hint.message_id) if id_]
    return results.broadcast_of(connection, told.creator.id, ids) if ids else None


def _stir(connection: Connection, told: _Told, broadcast_id: int | None, note: Note) -> None:
    """Have the platform asked soon: about the message's broadcast, or about those that may be it."""
    if broadcast_id is not None:
        results.hurry(connection, broadcast_id, note.at)
    elif told.hint.message_id or told.hint.queue_id:
        unknown = (broadcasts.c.creator_id == told.creator.id, broadcasts.c.state == State.UNKNOWN)
        later = broadcasts.c.hand_off_at > note.at
        connection.execute(update(broadcasts).where(*unknown, later).values(hand_off_at=note.at))


def _confirm(connection: Connection, told: _Told, message_id: str, note: Note) -> int | None:
    """The held broadcast that this purchase proves to have been sent. Where there may be several, people are told."""
    at = first_sold(connection, told.creator.id, message_id, told.at)
    able = candidates(connection, told.creator.id, at)
    if any(told.platform.shows(one.content, at - one.started_at) != "nothing" for one in able):
        return None  # a look-up settles it, or has done so
    found = confirmed(able, told.hint.amount_cents)
    if isinstance(found, Several):
        _tell_several(connection, told, found, message_id, note)
    if not isinstance(found, Candidate):
        return None
    why = f"a purchase names its message, {message_id}: the platform had taken it"
    moved = move(
        connection,
        version_of(found.broadcast_id, found.version),
        State.HELD,
        State.SENT,
        Note(note.at, note.who, why),
        platform_message_id=message_id,
        delivery="accepted",
        reason=None,
    )
    if not moved:
        return None
    connection.execute(update(attempts).where(attempts.c.id == found.attempt_id).values(verdict="accepted"))
    return found.broadcast_id


def _tell_several(connection: Connection, told: _Told, several: Several, message_id: str, note: Note) -> None:
    """Once for each message, however often it sells."""
    cause = f"message:{told.creator.id}:{message_id}"
    if connection.scalar(select(exists().where(alarm_rows.c.cause == cause))):
        return
    ids = [str(id_) for id_ in several.broadcast_ids]
    words = (
        f"a purchase of creator {told.creator.key} names the message {message_id}, which may be broadcast "
        f"{' or '.join(ids)}: see `carillon show`, then `carillon resolve ID --sent --message-id {message_id}`"
    )
    alarms.say_once(connection, cause, words, note.at, several.broadcast_ids[0], told.creator.id)
