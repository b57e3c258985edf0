"""What must hold of any house at any moment, judged from the platforms' log and from what the ledger keeps for ever."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from carillon.ledger.states import MOVES, REASONS, WAITS, State
from carillon.ledger.tables import attempts, broadcasts, creators, events, slots
from chaos.simulated_house import House
from chaos.simulated_platform import Sent

_NEEDS_A_REASON = {State.FAILED, State.SKIPPED, State.EXPIRED, State.HELD, State.UNKNOWN, State.CANCELLED}
_KEEPS_ITS_SLOT = {None, "accepted", "unknown", "resent"}


class Books:
    """The ledger as it stands, read once."""

    def __init__(self, house: House) -> None:
        with house.ledger.read() as session:
            self.broadcasts = {row.id: row for row in session.execute(select(broadcasts))}
            self.creators = {row.id: row for row in session.execute(select(creators))}
            self.attempts = list(session.execute(select(attempts).order_by(attempts.c.id)))
            self.slots = {row.attempt_id: row for row in session.execute(select(slots))}
            moves = session.execute(select(events).where(events.c.broadcast_id.is_not(None)).order_by(events.c.id))
            self.events: dict[int, list[Any]] = defaultdict(list)
            for event in moves:
                self.events[event.broadcast_id].append(event)


def faults(house: House, books: Books, licences: Mapping[int, int], disowned: Sequence[Sent] = ()) -> list[str]:
    """All that is wrong. `licences`: how often a person has said of a broadcast that it is to go again.

    `disowned` are sends that a person wrongly called not sent; the limit cannot count them.
    """
    return [
        *_twice(house, books, licences),
        *_wrong_states(books),
        *_wrong_paths(books),
        *_over_the_limit(house, books, disowned),
        *_as_another(house, books),
        *house.platforms.improper,
        *(f"unforeseen: {words}" for words in house.logged.unforeseen),
    ]


def _twice(house: House, books: Books, licences: Mapping[int, int]) -> Iterator[str]:
    """By occurrence, which has one row for ever, so that a second row is no second licence."""
    resent = {one.broadcast_id for one in books.attempts if one.verdict == "resent"}
    rows: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for row in books.broadcasts.values():
        rows[row.campaign, row.creator_id, row.occurrence].append(row.id)
    for ids in rows.values():
        taken = sum(len(house.platforms.taken(id_)) for id_ in ids)
        allowed = 1 + sum(licences.get(id_, 0) + (id_ in resent) for id_ in ids)
        if taken > allowed:
            yield f"broadcast {ids[-1]}: taken {taken} times, {allowed} allowed"
        if len(ids) > 1:
            yield f"broadcast {ids[-1]}: its occurrence has the rows {ids}"


def _wrong_states(books: Books) -> Iterator[str]:
    for row in books.broadcasts.values():
        about = f"broadcast {row.id}: {row.state}"
        if row.state in _NEEDS_A_REASON and (row.reason or "").partition(":")[0] not in REASONS:
            yield f"{about}, and its reason is {row.reason!r}"
        if row.state == State.PLANNED and row.waiting_for not in WAITS:
            yield f"{about}, waiting for {row.waiting_for!r}"
        if row.state != State.PLANNED and (row.waiting_for or row.not_before):
            yield f"{about}, and still waiting for {row.waiting_for!r} until {row.not_before}"


def _wrong_paths(books: Books) -> Iterator[str]:
    for id_, row in books.broadcasts.items():
        state = State.PLANNED
        for event in books.events[id_]:
            if event.source is None:
                continue
            if event.source != state:
                yield f"broadcast {id_}: an event leaves {event.source}, and it was {state}"
            if event.target != event.source and State(event.target) not in MOVES[State(event.source)]:
                yield f"broadcast {id_}: {event.source} never leaves to {event.target}"
            state = State(event.target)
        if state != row.state:
            yield f"broadcast {id_}: it is {row.state}, and its events end in {state}"


def _over_the_limit(house: House, books: Books, disowned: Sequence[Sent]) -> Iterator[str]:
    """In no window, by the platforms' clock; a step forward of the house's makes its hours that much shorter."""
    taken: dict[str, list[float]] = defaultdict(list)
    for sent in house.platforms.log:
        if sent.taken and sent.arrived is not None and sent not in disowned:
            taken[sent.creator].append(sent.arrived)
    for creator in books.creators.values():
        arrivals = sorted(taken[creator.key])
        for first, last in zip(arrivals, arrivals[creator.limit_count :], strict=False):
            forward = sum(step for at, step in house.timeline.steps if step > 0 and first <= at <= last)
            if last - first < creator.limit_seconds - forward:
                yield (
                    f"{creator.key}: {creator.limit_count + 1} were taken in {last - first:.3f} s "
                    f"from {first:.3f} on, and its limit is {creator.limit_count} in {creator.limit_seconds} s"
                )


def _as_another(house: House, books: Books) -> Iterator[str]:
    for sent in house.platforms.log:
        row = books.broadcasts[sent.broadcast]
        if sent.creator != row.creator:
            yield f"broadcast {row.id} of {row.creator} was sent as {sent.creator}"


def slots_amiss(books: Books, given_back: Mapping[int, int], settled: Collection[int] = ()) -> list[str]:
    """Exactly the attempts that were taken, or may have been, have a slot.

    `given_back`: up to which attempt of a broadcast a person has said that it was not sent. Of what a person called
    sent (`settled`) the slots stay, whatever its owner still learns.
    """
    found = []
    for attempt in [attempt for attempt in books.attempts if attempt.broadcast_id not in settled]:
        freed = attempt.number <= given_back.get(attempt.broadcast_id, 0) and attempt.verdict != "accepted"
        wanted = attempt.verdict in _KEEPS_ITS_SLOT and not freed
        if wanted != (attempt.id in books.slots):
            has = "has a" if attempt.id in books.slots else "has no"
            found.append(f"attempt {attempt.number} of broadcast {attempt.broadcast_id}: {attempt.verdict}, {has} slot")
    return found


def trail(house: House, books: Books, id_: int) -> list[str]:
    """Everything that is known of one broadcast, in order."""
    row = books.broadcasts[id_]
    due = house.timeline.seconds_at(row.due_at)
    what = f"broadcast {id_}: {row.campaign} for {row.creator} on {row.platform}, {row.occurrence}"
    lines = [f"{what}, due {row.due_at} (second {due:.3f}), {row.state}, {row.reason}"]
    told = [
        (house.timeline.seconds_at(one.at), f"{one.source} -> {one.target}: {one.why}") for one in books.events[id_]
    ]
    for sent in house.platforms.log:
        if sent.broadcast == id_:
            told.append((sent.began, f"a send begins: {sent.fate}"))
            told += [(sent.arrived, f"it arrives: taken {sent.taken}, {sent.message_id}")] if sent.arrived else []
            told += [(sent.ended, "it ends")] if sent.ended else []
    last = max([at for at, _ in told], default=due)
    told += [(at, words) for at, words in house.happened if due - 120 <= at <= last + 120]
    return lines + [f"  {at:14.3f}  {words}" for at, words in sorted(told, key=lambda one: one[0])]
