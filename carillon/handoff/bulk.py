"""Hundreds of orders in one call of Redis: Dramatiq's own script runs once for each of them, inside the server.

What that script is given is learned from Dramatiq itself, which puts one made-up order on a client that only takes
notes. So nothing here knows how Dramatiq lays out its queues.
"""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DramatiqError

_QUEUE, _ID, _SUBJECT = "carillon-any-queue", "carillon-any-message", 7_001_002_003_004_005
_GAPS = {_QUEUE: "queue", _ID: "id", str(_SUBJECT): "subject"}
_MADE_UP = re.compile(rf"""(?<=["\[])({"|".join(_GAPS)})(?=["\]])""")

_LOOP = b"""
local at_queue, at_id, at_data = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local batch, parts, orders = ARGV[4], cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local given, gaps = {}, {}
for n = 7, #ARGV do given[n - 6] = ARGV[n] end
for place = 2, #parts, 2 do gaps[place] = parts[place] end
for number, order in ipairs(orders) do
    local said = {subject = string.format("%.0f", order[1]), queue = order[2], id = batch .. "-" .. number}
    for place, gap in pairs(gaps) do parts[place] = said[gap] end
    given[at_queue], given[at_id], given[at_data] = said.queue, said.id, table.concat(parts)
    dispatch(KEYS, given)
end
return #orders
"""


@dataclass(frozen=True)
class _Noted:
    """What Dramatiq gives its script for one order, and which message it said it was."""

    script: bytes
    keys: Sequence[str]
    args: Sequence[Any]
    message: "dramatiq.Message[None]"

    def places(self) -> tuple[int, int, int]:
        """Where among `args` the queue, the id and the data stand, counted from 1 as Lua does."""
        wanted = (_QUEUE, self._redis_id, self.message.encode())
        if any(self.args.count(value) != 1 for value in wanted):
            raise DramatiqError("Dramatiq's script takes other arguments than before")  # type: ignore[no-untyped-call]
        queue, id_, data = (list(self.args).index(value) + 1 for value in wanted)
        return queue, id_, data

    def parts(self) -> list[str]:
        """The encoded message, cut where a queue, an id and a subject are to stand: each second part is their name."""
        said = self.message.encode().decode().replace(self._redis_id, _ID)
        parts = _MADE_UP.split(said)
        if sorted(parts[1::2]) != sorted([*_GAPS, _ID]):
            raise DramatiqError("Dramatiq's messages have other fields than before")  # type: ignore[no-untyped-call]
        return [_GAPS.get(part, part) for part in parts]

    @property
    def _redis_id(self) -> str:
        id_: str = self.message.options["redis_message_id"]
        return id_


def enqueue_all(broker: RedisBroker, order: str, subjects: Sequence[tuple[int, str]]) -> None:
    """Put an order for each (id, queue) on its queue. Raises RedisError or DramatiqError; some may be there then."""
    noted = _note(broker, order)
    script = broker.client.register_script(b"local function dispatch(KEYS, ARGV)\n" + noted.script + b"\nend\n" + _LOOP)
    given: list[int | str] = [*noted.places(), uuid.uuid4().hex, json.dumps(noted.parts()), json.dumps(subjects)]
    done = script(keys=noted.keys, args=[*given, *noted.args])
    if done != len(subjects):
        raise DramatiqError("the queue did not take every order")  # type: ignore[no-untyped-call]


def _note(broker: RedisBroker, order: str) -> _Noted:
    notes = _Notes(broker)
    # Without its clean-up, which runs by chance with any other command: all these orders would share one throw.
    dry = RedisBroker(  # type: ignore[no-untyped-call]
        client=notes, middleware=[], namespace=broker.namespace, maintenance_chance=0
    )
    made_up = dramatiq.Message[None](_QUEUE, order, (_SUBJECT,), {}, {}, message_id=_ID)
    said = dry.enqueue(made_up)
    assert notes.asked is not None
    return _Noted(*notes.asked, said)


class _Notes:
    """Stands in for a Redis client: notes which script is called with what. What is only asked goes to the server."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker
        self.asked: tuple[bytes, Sequence[str], Sequence[Any]] | None = None

    def register_script(self, script: bytes) -> Callable[..., Any]:
        def called(keys: Sequence[str] = (), args: Sequence[Any] = ()) -> Any:
            if not args:
                return self._broker.client.register_script(script)()
            self.asked = script, keys, args
            return None

        return called
