"""Hypothesis looks for an order of events that breaks the promise: whatever may happen, in whatever order.

After each step the promise is judged from the fake platforms' log and the ledger; at the end all that went wrong is
mended, and everything that was due must come to rest.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from carillon import clock
from carillon.handoff.orders import DELIVER, RECONCILE, hand_off
from carillon.ledger import decisions
from carillon.ledger.states import State
from carillon.ledger.tables import alarms, broadcasts, pauses
from chaos.simulated_house import House
from chaos.simulated_judge import Books, faults, slots_amiss, trail
from chaos.simulated_platform import ALWAYS_TAKEN, EITHER, NEVER_TAKEN, Fate, Sent

START = datetime(2026, 10, 24, 21, 58, tzinfo=UTC)
CREATORS = {"luna": "frontrow", "mia": "fanvue", "eve": "onlyfansapi"}
LIMITS = {"luna": ("2/30m", 2), "mia": ("3/1h", 3), "eve": ("1/10m", 1)}
LISTS = {"fanvue": "subscribers", "frontrow": "subscribers", "onlyfansapi": "fans"}
CRONS = ("*/15 22 * * *", "5,35 22 * * *", "0,1,2 22 * * *")
NEVER_AT_REST = {State.PLANNED, State.QUEUED, State.SENDING, State.UNKNOWN}
WHICH = st.integers(0, 40)
FATES = st.builds(
    lambda kind, taken, connects, arrives, answers, shown: Fate(
        kind, taken if kind in EITHER else kind in ALWAYS_TAKEN, connects, arrives, answers, shown
    ),
    st.sampled_from((*ALWAYS_TAKEN, *EITHER, *NEVER_TAKEN)),
    st.booleans(),
    st.sampled_from((0.01, 4.0)),
    st.sampled_from((0.03, 5.0)),
    st.sampled_from((0.1, 2.0, 15.0)),
    st.sampled_from((0.0, 20.0, 55.0)),
)
WAITS = st.sampled_from((None, "0", "20", "900", "soon", "90000"))


class Promise(RuleBasedStateMachine):
    migrated: Path

    @initialize(embedded=st.booleans(), seed=st.integers(0, 9))
    def begin(self, embedded: bool, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.migrated.parent))
        self.house = House(self.folder, self.migrated, START, seed, embedded=embedded)
        self.house.__enter__()
        self.fates: list[Fate] = []
        self.licences: Counter[int] = Counter()
        self.given_back: dict[int, int] = {}
        self.settled: set[int] = set()
        self.disowned: list[Sent] = []
        self.campaigns = {"drop": ("Hello", CRONS[0]), "more": ("Hello", CRONS[1])}
        self.house.platforms.deal = lambda _: self.fates.pop(0) if self.fates else Fate()
        for creator, platform in CREATORS.items():
            self.house.add_account(creator, platform)
        self.house.write(self._file())
        self.house.start(2)

    # Time

    @rule(seconds=st.sampled_from((0.05, 0.3, 2.0, 20.0, 65.0, 310.0, 1_900.0)))
    def let_pass(self, seconds: float) -> None:
        self.house.run(seconds)

    @rule(after=st.sampled_from((-1.0, 0.05, 0.12, 0.2, 0.4, 2.0, 20.0)))
    def until_something_is_due(self, after: float) -> None:
        now = clock.now()
        later = select(func.min(broadcasts.c.due_at)).where(
            broadcasts.c.state == State.PLANNED, broadcasts.c.due_at > now + timedelta(seconds=1)
        )
        with self.house.ledger.read() as session:
            due = session.scalar(later)
        if due is not None:
            self.house.run(max(0.0, (due - now).total_seconds() + after))

    @rule(seconds=st.sampled_from((-7_200.0, -61.0, -1.0, 0.5, 61.0, 5_400.0)))
    def step_the_clock(self, seconds: float) -> None:
        self.house.timeline.step(seconds)
        self.house.tell(f"the clock is stepped by {seconds} s")
        self.house.nudge()

    # The platforms

    @rule(fate=FATES, waits=WAITS)
    def next_send_comes_to(self, fate: Fate, waits: str | None) -> None:
        self.fates.append(replace(fate, retry_after=waits if fate.kind == "throttled" else None))

    @rule(answer=st.booleans())
    def reads_are_answered(self, answer: bool) -> None:
        self.house.platforms.answers_reads = lambda _: answer

    @rule(creator=st.sampled_from(sorted(CREATORS)), both=st.booleans())
    def key_changes(self, creator: str, both: bool) -> None:
        key = f"{creator}-{round(self.house.timeline.seconds * 1000) + 2}"
        self.house.platforms.accounts[creator].key = key
        if both:
            self.house.mend_key(creator, key)

    # Processes and the queue

    @rule(which=WHICH)
    def kill(self, which: int) -> None:
        processes = self._processes()
        if processes:
            self.house.kill(processes[which % len(processes)])

    @rule(which=WHICH, statements=st.integers(0, 70))
    def doom(self, which: int, statements: int) -> None:
        processes = self._processes()
        if processes:
            processes[which % len(processes)].doom = statements

    @rule(seconds=st.sampled_from((5.0, 45.0, 200.0)), which=WHICH)
    def freeze(self, seconds: float, which: int) -> None:
        if self.house.workers:
            worker = self.house.workers[which % len(self.house.workers)]
            worker.process.frozen_until = self.house.timeline.seconds + seconds

    @rule()
    def start_again(self) -> None:
        self.house.start(2)

    @rule(away=st.booleans(), doubles=st.booleans())
    def queue_is(self, away: bool, doubles: bool) -> None:
        self.house.queue.away, self.house.queue.doubles = away and not self.house.embedded, doubles
        self.house.nudge()

    @rule()
    def flush(self) -> None:
        self.house.queue.forget()

    @rule(order=st.sampled_from((DELIVER, RECONCILE)), which=WHICH)
    def order_nobody_gave(self, order: str, which: int) -> None:
        """Late, doubled, or for nothing that there is."""
        row = self._row(which)
        hand_off(self.house.queue, order, [(row.id, row.platform)] if row else [(4_000, "fanvue")])
        self.house.nudge()

    # The file

    @rule(name=st.sampled_from(("drop", "more", "new")), text=st.sampled_from(("Hello", "{{ campaign.name }}")))
    def edit_text(self, name: str, text: str) -> None:
        self._edit(name, (text, self.campaigns.get(name, ("", CRONS[2]))[1]))

    @rule(name=st.sampled_from(("drop", "more")), cron=st.sampled_from(CRONS))
    def edit_schedule(self, name: str, cron: str) -> None:
        self._edit(name, (self.campaigns.get(name, ("Hello", ""))[0], cron))

    @rule(name=st.sampled_from(("drop", "more", "new")))
    def remove(self, name: str) -> None:
        if len(self.campaigns) > 1 and name in self.campaigns:
            del self.campaigns[name]
            self.house.edit(self._file())

    # People

    @rule(level=st.sampled_from(("all", "creator", "campaign", "platform")))
    def pause(self, level: str) -> None:
        self._decided(lambda: decisions.pause(self.house.ledger, level, _TARGETS[level], "person:a", None))

    @rule(level=st.sampled_from(("all", "creator", "campaign", "platform")))
    def resume(self, level: str) -> None:
        self._decided(lambda: decisions.resume(self.house.ledger, level, _TARGETS[level], "person:a"))

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        row = self._row(which, decisions.CANCELLED)
        if row:
            self._decided(lambda: decisions.cancel(self.house.ledger, row.id, "person:a", None))

    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        row = self._row(which, decisions.RETRIED)
        if row and self._decided(lambda: decisions.retry(self.house.ledger, row.id, {}, "person:a", None)):
            self.licences[row.id] += 1

    @rule(which=WHICH, sent=st.booleans())
    def resolve(self, which: int, sent: bool) -> None:
        """A person may be wrong; then it is theirs."""
        row = self._row(which, (State.HELD,))
        if row is None:
            return
        told: dict[str, Any] = {"sent": sent, "message_id": None, "who": "person:a", "reason": "looked"}
        if not self._decided(lambda: decisions.resolve(self.house.ledger, row.id, **told)):
            return
        if sent:
            self.settled.add(row.id)
            return
        self.licences[row.id] += 1
        self.given_back[row.id] = row.attempts
        self.disowned += [one for one in self.house.platforms.log if one.broadcast == row.id]

    # What must always hold

    @invariant()
    def the_promise_is_kept(self) -> None:
        if not hasattr(self, "house"):
            return
        books = Books(self.house)
        found = faults(self.house, books, self.licences, self.disowned)
        found += slots_amiss(books, self.given_back, self.settled)
        found += self._asleep(books)
        self._none(found, books)

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self._mend_everything()
            for _ in range(12):
                self.house.run(1_800.0)
                if not self._restless():
                    break
            self.the_promise_is_kept()
            self._none([f"broadcast {row.id}: {row.state} for ever" for row in self._restless()], Books(self.house))
            self._none(list(self._untold()), Books(self.house))
        finally:
            self.house.__exit__(None, None, None)
            shutil.rmtree(self.folder)

    def _none(self, found: list[str], books: Books) -> None:
        about = [int(fault.split()[1].rstrip(":")) for fault in found if fault.startswith("broadcast ")][:1]
        told = [line for id_ in about for line in trail(self.house, books, id_)]
        assert not found, "\n".join([*found, *told])

    def _asleep(self, books: Books) -> Iterator[str]:
        """What nothing would ever wake: no time at which it is looked at, and nothing that goes before it."""
        with self.house.ledger.read() as session:
            paused = session.execute(select(pauses)).first() is not None
        under_way = {
            row.creator_id
            for row in books.broadcasts.values()
            if row.state in {State.QUEUED, State.SENDING, State.UNKNOWN}
        }
        for row in books.broadcasts.values():
            creator = books.creators[row.creator_id]
            held_up = paused or creator.stopped_at is not None or row.creator_id in under_way
            if row.state == State.PLANNED and creator.wake_at is None and not held_up:
                yield f"broadcast {row.id}: planned, waiting for {row.waiting_for}, and its account never wakes"
            if row.state == State.QUEUED and row.hand_off_at is None:
                yield f"broadcast {row.id}: queued, and never handed off again"

    def _untold(self) -> Iterator[str]:
        with self.house.ledger.read() as session:
            told = set(session.scalars(select(alarms.c.cause).where(alarms.c.cleared_at.is_(None))))
            held = session.scalars(select(broadcasts.c.id).where(broadcasts.c.state == State.HELD))
            yield from (f"broadcast {id_}: held, and nobody is told" for id_ in held if f"held:{id_}" not in told)

    def _restless(self) -> list[Any]:
        due = (broadcasts.c.due_at <= clock.now(), broadcasts.c.state.in_(NEVER_AT_REST))
        with self.house.ledger.read() as session:
            return list(session.execute(select(broadcasts).where(*due)))

    def _mend_everything(self) -> None:
        house = self.house
        self.fates.clear()
        house.platforms.answers_reads = lambda _: True
        house.queue.away = house.queue.doubles = False
        for process in self._processes():
            process.doom = None
        for level, target in _TARGETS.items():
            decisions.resume(house.ledger, level, target, "person:a")
        for creator in CREATORS:
            decisions.resume(house.ledger, "creator", creator, "person:a")
            house.mend_key(creator, house.platforms.accounts[creator].key)
        house.start(2)

    # How the above is done

    def _processes(self) -> list[Any]:
        found = [self.house.scheduler.process] if self.house.scheduler else []
        return list(dict.fromkeys(found + [worker.process for worker in self.house.workers]))

    def _row(self, which: int, states: Any = tuple(State)) -> Any:
        """One of the broadcasts that were due last, or are next."""
        of_them = select(broadcasts).where(
            broadcasts.c.state.in_(states), broadcasts.c.due_at <= clock.now() + timedelta(minutes=10)
        )
        with self.house.ledger.read() as session:
            rows = list(session.execute(of_them.order_by(broadcasts.c.due_at.desc(), broadcasts.c.id).limit(8)))
        return rows[which % len(rows)] if rows else None

    def _decided(self, decide: Callable[[], object]) -> bool:
        with suppress(decisions.DecisionError):
            decide()
            self.house.nudge()
            return True
        return False

    def _edit(self, name: str, campaign: tuple[str, str]) -> None:
        self.campaigns[name] = campaign
        self.house.edit(self._file())

    def _file(self) -> str:
        return json.dumps(
            {
                "version": 1,
                "defaults": {"timezone": "UTC", "expires_after": "40m"},
                "creators": {
                    name: {"platform": platform, "credentials": f"env:{name.upper()}_KEY", "limit": LIMITS[name][0]}
                    | ({"account": name} if platform == "onlyfansapi" else {})
                    for name, platform in CREATORS.items()
                },
                "audiences": {"fans": {platform: {"include": [name]} for platform, name in LISTS.items()}},
                "campaigns": {
                    name: {"creators": ["all"], "lists": "fans", "text": text, "schedule": {"cron": cron}}
                    | ({"on_unknown": "resend", "priority": 3} if name == "more" else {})
                    for name, (text, cron) in self.campaigns.items()
                },
            }
        )


_TARGETS = {"all": "", "creator": "luna", "campaign": "drop", "platform": "fanvue"}
_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.fixture
def machine(migrated_sqlite: Path) -> type[Promise]:
    Promise.migrated = migrated_sqlite
    return Promise


def test_no_order_of_events_breaks_the_promise(machine: type[Promise]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=14, stateful_step_count=25, deadline=None, suppress_health_check=_QUIET, derandomize=True
        ),
    )


@pytest.mark.chaos
def test_no_long_order_of_events_breaks_the_promise(machine: type[Promise]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET, derandomize=False
        ),
    )
