"""The demo's last words: what was sent, what waits and why, and whether fans and ledger agree."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_

from carillon import clock
from carillon.ledger.questions import listed
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts
from console import wording
from console.demo.reading import Reading
from console.demo.story import fans, price, shown
from console.demo.tally import Tally, tally
from console.printing import dollars, line, table
from console.sandbox import Sandbox

_MOST = 20


def sum_up(reading: Reading, sandbox: Sandbox) -> Tally:
    """Print the tables and the comparison, which is returned."""
    rows = reading.attempted()
    line("")
    line("Sent, by what the ledger says:")
    names = ("creator", "platform", "campaign", "sent", "fans", "as it went out", "sold so far")
    table(names, _sent(rows, sandbox, reading.purchases()))
    line("Sales are known by webhook; OFAuth tells of none, and is asked a minute after each broadcast.")
    _show_waiting(reading)
    accounts = {
        id_: creator.account_id or sandbox.accounts[creator.platform] for id_, creator in reading.creators().items()
    }
    found = tally(sandbox.deliveries(), rows, accounts)
    line(str(found))
    return found


def _sent(rows: Sequence[Row[Any]], sandbox: Sandbox, sold: Mapping[int, int]) -> list[tuple[Any, ...]]:
    prices = {(one.platform, one.message_id): price(one.body) for one in sandbox.deliveries()}
    pairs: dict[tuple[str, str, str], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        if row.state == State.SENT:
            pairs[row.creator, row.platform, row.campaign].append(row)
    return [
        (
            *pair,
            f"{len(sent)} sent",
            _reached(sent),
            _cost(prices.get((pair[1], sent[0].platform_message_id))),
            _sold([sold[row.id] for row in sent if row.id in sold]),
        )
        for pair, sent in sorted(pairs.items())
    ]


def _reached(sent: Sequence[Row[Any]]) -> str:
    counts = [row.recipient_count for row in sent]
    return fans(None if None in counts else sum(counts))


def _sold(cents: Sequence[int]) -> str:
    return dollars(sum(cents)) if cents else "-"


def _cost(price: object) -> str:
    return "free" if price is None else f"price {price}"


def _show_waiting(reading: Reading) -> None:
    nothing: list[dict[str, Any]] = []
    found = reading.ask(_left, nothing)
    line("")
    line("Not sent, and why:" if found else "Nothing waits.")
    if found:
        table(("id", "creator", "campaign", "state", "why"), [_left_row(one) for one in found[:_MOST]])
    if len(found) > _MOST:
        line(f"... and {len(found) - _MOST} more")
    upcoming = reading.next_due(clock.now())
    if upcoming:
        line(f"{reading.planned():,} are planned, the next one for {shown(upcoming)}.")
    line("")


def _left(connection: Connection) -> list[dict[str, Any]]:
    """What is due or was tried, and is not sent; what a rule left out comes last."""
    now = clock.now()
    which = and_(broadcasts.c.state != State.SENT, or_(broadcasts.c.due_at <= now, broadcasts.c.attempts > 0))
    return sorted(listed(connection, which, now), key=lambda one: one["state"] == State.SKIPPED)


def _left_row(one: dict[str, Any]) -> tuple[Any, ...]:
    why = one["reason"] or wording.why(one)
    if one["state"] == State.HELD:
        decide = f"carillon resolve {one['id']} --sent --reason WHY"
        why = f"{why}; a person looks at {one['platform']} and decides with `{decide}` or with --not-sent"
    return one["id"], one["creator"], one["campaign"], one["state"], why
