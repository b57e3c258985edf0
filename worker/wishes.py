"""What is wished of a broadcast that was placed, carried to the platform: withdraw it, or replace it.

It is replaced in place where the platform lets that be said, and else deleted here and placed anew by the usual way,
once a look has shown that it is gone: there are never two. Each step may be repeated.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, update

from carillon import clock
from carillon.ledger import accounts, placing
from carillon.ledger.parcels import parcel
from carillon.ledger.tables import broadcasts
from carillon.platforms import errors
from carillon.platforms.contract import Account, Caller, Content, Platform, Request, Shown
from carillon.platforms.parts import Calendar, Recall
from carillon.platforms.writing import written
from worker.means import Means
from worker.media import with_references
from worker.preflight import Clear, Later, Stop, preflight


@dataclass(frozen=True)
class Placed:
    """A broadcast that this worker has taken up, as it was read at `now`; its requests begin before `until_ticks`."""

    means: Means
    row: Row[Any]
    creator: Row[Any]
    platform: Platform
    now: datetime
    until_ticks: float
    account: Account | None = None
    message_id: str | None = None
    """Where the platform has given it another one than `row` knows."""

    @property
    def whose(self) -> Account:
        assert self.account is not None, "its credential was read"
        return self.account

    @property
    def caller(self) -> Caller:
        return self.means.caller(self.platform, self.whose)

    @property
    def calendar(self) -> Calendar:
        assert self.platform.calendar is not None, "it could be placed"
        return self.platform.calendar

    @property
    def recall(self) -> Recall:
        assert self.platform.recall is not None, "what is placed can be withdrawn"
        return self.platform.recall

    @property
    def wished(self) -> dict[str, Any]:
        return placing.wished(self.row)

    @property
    def wished_content(self) -> Content:
        return Content.model_validate_json(self.wished["columns"]["content"])

    @property
    def moves(self) -> bool:
        """Whether it is to go at another time; then it is placed anew, with another slot."""
        goes_at: datetime = self.row.goes_at
        return datetime.fromisoformat(self.wished["columns"]["goes_at"]) != goes_at

    def look(self, since: datetime) -> Shown | None:
        id_ = self.message_id or self.row.platform_message_id
        return self.calendar.look(self.caller, self.whose, id_, since)


@dataclass(frozen=True)
class Done:
    """What became of a wish: `answered` if the platform said yes to it, `refused` what it said if it said no.

    `in_place`: it was asked to replace the message, which it had a moment before; `deleting`: to delete it.
    """

    in_place: bool = False
    deleting: bool = False
    answered: bool = False
    refused: str | None = None
    message_id: str | None = None


def carry_out(placed: Placed) -> Done:
    """One step. What the platform has then is for a look to tell. Raises Unauthorized and Throttled."""
    if placed.row.wish == placing.WITHDRAW:
        return _delete(placed)
    answer = _preflight(placed)
    if not isinstance(answer, Clear):
        return Done(refused=answer.reason if isinstance(answer, Stop) else None)
    id_, goes_at = placed.row.platform_message_id, placed.row.goes_at
    request = None if placed.moves else placed.calendar.replace(placed.whose, id_, answer.content, goes_at)
    if request is None:
        return _delete(placed)
    if not _keep_tried(placed):
        return Done()  # something else is wished by now
    return replace(_write(placed, request), in_place=True)


def _delete(placed: Placed) -> Done:
    request = placed.recall.withdraw(placed.whose, placed.row.platform_message_id)
    return replace(_write(placed, request), deleting=True)


def _preflight(placed: Placed) -> Clear | Stop | Later:
    """What cannot go replaces nothing."""
    means, platform = placed.means, placed.platform
    row = parcel(means.ledger, placed.row.id)
    assert row is not None, "broadcasts are never deleted"
    content = with_references(means, row, platform, placed.wished_content)
    if not isinstance(content, Content):
        return content
    return preflight(means, platform, placed.whose, content, row.put_offs)


def _write(placed: Placed, request: Request) -> Done:
    if clock.ticks() >= placed.until_ticks:
        return Done()  # it is somebody else's by now
    try:
        body = written(placed.caller.write(request), placed.whose.secret)
    except errors.Refused as error:
        return Done(refused=error.words)
    except errors.Unreachable:
        return Done()
    replaced = placed.row.wish == placing.REPLACE and request.method != "DELETE"
    return Done(answered=True, message_id=placed.platform.receipt(body).message_id if replaced else None)


def _keep_tried(placed: Placed) -> bool:
    """No page says whether a message keeps its id as it is replaced: if it is gone after this, that proves nothing."""
    tried = json.dumps({**placed.wished, "tried": placed.wished["columns"]})
    with accounts.held(placed.means.ledger, [placed.row.creator_id]) as (connection, _):
        mine = update(broadcasts).where(placing.taken_up(placed.row))
        return bool(connection.execute(mine.values(wished=tried)).rowcount)
