"""Judges a simulation that has come to rest, against what its schedules ask for and what its script did to it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from carillon.ledger.states import State
from carillon.ledger.tables import alarms, events
from chaos.simulated_house import House
from chaos.simulated_judge import Books, faults, slots_amiss
from chaos.simulated_platform import Sent
from chaos.simulation_excuses import LEFT_WITHIN, Excuses
from chaos.simulation_expected import Expected
from chaos.simulation_schedules import Creator

_AT_REST = {State.SENT, State.FAILED, State.SKIPPED, State.EXPIRED, State.HELD}
_UNKNOWN_SECONDS = 300.0
_BEAT_SECONDS = 12.0

Interval = tuple[float, float]


@dataclass
class Script:
    """What was done to the house; seconds of the timeline."""

    scheduler_down: list[Interval] = field(default_factory=list)
    worker_down: list[Interval] = field(default_factory=list)
    outages: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))  # by platform
    stopped: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))  # by creator
    empty: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))
    queue_away: list[Interval] = field(default_factory=list)
    lost_orders: list[float] = field(default_factory=list)
    frozen: list[Interval] = field(default_factory=list)
    licences: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    given_back: dict[int, int] = field(default_factory=dict)


class Checker:
    def __init__(self, house: House, script: Script, creators: Sequence[Creator], wanted: Sequence[Expected]) -> None:
        self.house, self.script = house, script
        self.creators = {creator.key: creator for creator in creators}
        self.wanted = {(one.campaign.name, one.creator.key, one.label): one for one in wanted}
        self.books = Books(house)
        self.rows = {(row.campaign, row.creator, row.occurrence): row for row in self.books.broadcasts.values()}
        self.excuses = Excuses(house, script, self.books, self.creators)
        self.worst_late = 0.0
        with house.ledger.read() as session:
            self.alarms = list(session.execute(select(alarms)))
            of_accounts = select(events).where(events.c.broadcast_id.is_(None))
            self.accounts_events = list(session.execute(of_accounts))

    def faults(self) -> list[str]:
        return [
            *faults(self.house, self.books, self.script.licences),
            *slots_amiss(self.books, self.script.given_back),
            *self._unaccounted(),
            *(fault for key, row in self.rows.items() for fault in self._row(row, self.wanted.get(key))),
            *(fault for sent in self.house.platforms.log for fault in self._send(sent)),
        ]

    def _unaccounted(self) -> Iterator[str]:
        """Of an outage that outlasted the plan, more than a hundred of a pair are told by their number."""
        missing: dict[tuple[str, str], list[Expected]] = defaultdict(list)
        for key, one in self.wanted.items():
            if key not in self.rows:
                missing[key[0], key[1]].append(one)
        for (campaign, creator), lost in missing.items():
            told = sum(
                int(event.why.split()[1]) for event in self.accounts_events if f" of {campaign} fell" in event.why
            )
            if told < len(lost):
                yield f"{campaign} for {creator}: {len(lost)} have no row, {told} told; the first is {lost[0].label}"

    def _row(self, row: Any, one: Expected | None) -> Iterator[str]:
        about = f"broadcast {row.id}: {row.state}"
        if one is None:
            yield f"{about}, and nothing asks for {row.campaign} of {row.creator} at {row.occurrence}"
            return
        taken = len(self.house.platforms.taken(row.id))
        if row.state not in _AT_REST:
            yield f"{about} for ever, waiting for {row.waiting_for}"
        if row.state == State.SENT and not taken:
            yield f"{about}, and it was never taken"
        if row.state in {State.FAILED, State.SKIPPED, State.EXPIRED} and taken:
            yield f"{about}, and it was taken"
        yield from (f"{about}, {words}" for words in self._silent(row))
        if not self.script.licences.get(row.id):
            if not one.instant <= row.due_at <= one.latest:
                yield f"{about}, due {row.due_at} in place of {one.instant} to {one.latest}"
            yield from (f"{about}, {words}" for words in self._missed(row, one))
        yield from (f"{about}, {words}" for words in self._doubts(row))

    def _silent(self, row: Any) -> Iterator[str]:
        told = {alarm.cause: alarm.cleared_at for alarm in self.alarms if alarm.broadcast_id == row.id}
        cause = f"{row.state}:{row.id}"
        if row.state in {State.FAILED, State.EXPIRED} and cause not in told:
            yield "without an alarm"
        if row.state == State.HELD and told.get(cause, row.due_at) is not None:
            yield "without an open alarm"
        if not any(event.target == row.state for event in self.books.events[row.id]):
            yield "without an event"

    def _missed(self, row: Any, one: Expected) -> Iterator[str]:
        """Nothing is left out as missed but what fell due while no scheduler ran, and by its rule.

        What a person had go again meanwhile was not missed: it is due anew from then on.
        """
        due = self.house.timeline.seconds_at(row.due_at)
        skipped = row.state == State.SKIPPED and row.reason.startswith("missed_window")
        surely, perhaps = self._while_down(due, -_BEAT_SECONDS), self._while_down(due, _BEAT_SECONDS)
        if skipped and (not perhaps or one.campaign.catch_up == "all"):
            yield f"as missed, and catch_up is {one.campaign.catch_up}"
        if surely and not skipped and one.campaign.catch_up == "skip":
            yield "which was missed, and catch_up is skip"
        if surely and not skipped and one.campaign.catch_up == "latest":
            later = [
                other
                for other in self.rows.values()
                if (other.campaign, other.creator) == (row.campaign, row.creator)
                and not self.script.licences.get(other.id)
                and row.due_at < other.due_at
                and self._same_gap(due, self.house.timeline.seconds_at(other.due_at))
            ]
            if later:
                yield f"which was missed, and so was the later broadcast {later[0].id}"

    def _while_down(self, due: float, slack: float) -> bool:
        return any(
            begun - slack < due <= ended - 60 + slack
            for begun, ended in self.script.scheduler_down
            if ended - begun > 60 - slack
        )

    def _same_gap(self, due: float, other: float) -> bool:
        return any(
            begun + _BEAT_SECONDS < due < other <= ended - 60 - _BEAT_SECONDS
            for begun, ended in self.script.scheduler_down
        )

    def _doubts(self, row: Any) -> Iterator[str]:
        """`unknown` ends within five minutes in which Carillon runs."""
        for since, until in self.excuses.times_in(row.id, {State.UNKNOWN}):
            down = self.excuses.overlap(self.script.scheduler_down + self.script.worker_down, since, until)
            down += self.excuses.overlap([(at, at + 360) for at in self.script.lost_orders], since, until)
            down += self.excuses.overlap(self.script.queue_away + self.script.frozen, since, until)
            if until - since - down > _UNKNOWN_SECONDS + 10:
                yield f"unknown for {until - since:.0f} s from second {since:.0f} on"

    def _send(self, sent: Sent) -> Iterator[str]:
        row = self.books.broadcasts[sent.broadcast]
        about = f"broadcast {row.id}: its send at second {sent.began:.3f}"
        creator = self.creators[sent.creator]
        if sent.text != json.loads(row.content)["text"]:
            yield f"{about} says something else: {sent.text}"
        if sent.claimed_at < row.due_at and not self.script.licences.get(row.id):
            yield f"{about} began {row.due_at - sent.claimed_at} before it was due"
        if sent.claimed_at > row.expires_at + timedelta(seconds=0.1):
            yield f"{about} began {sent.claimed_at - row.expires_at} after it expired"
        if creator.is_quiet(sent.claimed_at - timedelta(seconds=0.1)) and creator.is_quiet(sent.claimed_at):
            yield f"{about} began in quiet hours"
        cooled = self.excuses.asked_to_wait(sent)
        if cooled:
            yield f"{about} began {cooled:.3f} s too early for a platform that had asked for patience"
        if self.script.licences.get(row.id) or sent.arrived is None:
            return
        late, since = self.excuses.needlessly_late(sent, row, self.house.timeline.seconds_at(row.due_at))
        if not sent.fate.kind.startswith("no_"):
            self.worst_late = max(self.worst_late, late)
        if late > LEFT_WITHIN:
            yield f"{about} could have begun {late:.3f} s earlier, at second {since:.3f}"


def counted(rows: Mapping[Any, Any]) -> str:
    states: dict[str, int] = defaultdict(int)
    for row in rows.values():
        states[row.state] += 1
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items(), key=lambda item: -item[1]))
