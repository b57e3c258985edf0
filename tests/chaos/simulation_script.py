"""What goes wrong in a simulation: drawn from the seed, and written down for the judge."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from sqlalchemy import select

from carillon.ledger import decisions
from carillon.ledger.states import State
from carillon.ledger.tables import broadcasts
from chaos.simulated_house import House
from chaos.simulated_platform import EITHER, Fate
from chaos.simulated_time import Process
from chaos.simulation_checker import Script
from chaos.simulation_schedules import Creator

_PERSON_EVERY = 3 * 3600.0
_WORKERS = 2


class Misfortune:
    def __init__(self, house: House, random: Random, creators: Sequence[Creator], dues: Sequence[float]) -> None:
        self.script = Script()
        self._house, self._random = house, random
        self._creators = {creator.key: creator for creator in creators}
        self._dues = [due for due in dues if due > 0] or [0.0]
        self._storm = random.choice([0.0, 0.02, 0.1, 0.25])
        self._throttled: Counter[str] = Counter()
        self._down: dict[str, float] = {}
        self._ended = False
        self._count: Counter[str] = Counter()

    def begin(self, seconds: float) -> None:
        house, random = self._house, self._random
        house.platforms.deal, house.platforms.answers_reads = self._deal, self._answers_reads
        house.died = self._died
        house.start(_WORKERS)
        per_day = random.choice([0.3, 1, 4])
        happenings: list[tuple[Callable[[], None], float]] = [
            (self._kill_one, 2.0),
            (self._doom_one, 3.0),
            (self._freeze_one, 0.5),
            (self._outage, 1.0),
            (self._throttle, 1.0),
            (self._queue_goes, 0.0 if house.embedded else 0.5),
            (self._flush, 0.0 if house.embedded else 1.0),
            (self._doubles, 0.0 if house.embedded else 0.5),
            (self._wrong_key, 0.3),
            (self._nobody_there, 0.2),
            (self._clock_drifts, 0.7),
        ]
        for happen, weight in happenings:
            for _ in range(round(weight * per_day * seconds / 86_400.0 * random.uniform(0.3, 1.7))):
                at = random.choice(self._dues) + random.uniform(-0.2, 0.5)
                house.timeline.at(at if random.random() < 0.7 else random.uniform(0, seconds), happen)
        house.timeline.after(_PERSON_EVERY, self._person_looks)

    def end(self) -> None:
        """Nothing goes wrong any more, and everything that is mended by itself is."""
        self._ended = True
        house = self._house
        house.platforms.deal, house.platforms.answers_reads = (lambda _: Fate()), (lambda _: True)
        house.queue.away = house.queue.doubles = False
        for creator, account in house.platforms.accounts.items():
            account.empty = False
            house.mend_key(creator, account.key)

    def told(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(self._count.items())) or "nothing went wrong"

    # Processes

    def _kill_one(self) -> None:
        processes = self._processes()
        if processes and not self._ended:
            self._house.kill(self._random.choice(processes))

    def _doom_one(self) -> None:
        """Killed in the midst of what it does next: at a statement, before or after a commit."""
        processes = self._processes()
        if processes and not self._ended:
            self._random.choice(processes).doom = self._random.randint(0, 60)

    def _freeze_one(self) -> None:
        for worker in self._house.workers[:1]:
            seconds = self._random.choice([1.0, 10.0, 40.0, 200.0])
            now = self._house.timeline.seconds
            worker.process.frozen_until = now + seconds
            self._count["freezes"] += 1
            self._house.tell(f"worker {worker.process.pid} is frozen for {seconds} s")
            self.script.frozen.append((now, now + seconds))

    def _processes(self) -> list[Process]:
        found = [self._house.scheduler.process] if self._house.scheduler else []
        return list(dict.fromkeys(found + [worker.process for worker in self._house.workers]))

    def _died(self, process: Process) -> None:
        house, now = self._house, self._house.timeline.seconds
        self._count["kills"] += 1
        self.script.lost_orders.append(now)
        length = self._random.choice([0.5, 3.0, 3.0, 20.0, 50.0, 70.0, 900.0, 5_000.0])
        if self._random.random() < 0.02:
            length = 40 * 3600.0
        if self._ended:
            length = 1.0
        if process.role != "worker":
            self._down["scheduler"] = now
        if process.role != "scheduler" and not house.workers:
            self._down["worker"] = now
        house.timeline.after(self._random.uniform(0.5, 1.5) * length, self._start)

    def _start(self) -> None:
        house = self._house
        house.start(_WORKERS)
        now = house.timeline.seconds
        if house.scheduler and "scheduler" in self._down:
            self.script.scheduler_down.append((self._down.pop("scheduler"), now))
        if house.workers and "worker" in self._down:
            self.script.worker_down.append((self._down.pop("worker"), now))

    # The platforms

    def _deal(self, creator: str) -> Fate:
        random, platform = self._random, self._creators[creator].platform
        arrives = random.uniform(0.01, 0.3) if random.random() < 0.7 else random.uniform(1.0, 8.0)
        answers = random.uniform(0.02, 0.4)
        fate = Fate(
            connects=random.uniform(0.001, 0.02),
            arrives=arrives,
            answers=answers,
            shown=random.choice([0.0, 0.0, 20.0, 55.0]),
        )
        kind = "accepted"
        if self._is_away(platform):
            kind = random.choice(["no_connection", "server_error", "no_answer"])
        elif self._throttled[creator]:
            self._throttled[creator] -= 1
            kind = "throttled"
        elif random.random() < self._storm:
            kind = random.choice(
                [*EITHER, *EITHER, "without_id", "cut", "refused", "throttled", "no_connection", "redirected"]
            )
            if random.random() < 0.05:
                kind = random.choice(["unauthorized", "forbidden"])
        return self._with_rest(fate, kind, creator)

    def _with_rest(self, fate: Fate, kind: str, creator: str) -> Fate:
        random = self._random
        taken = kind in {"accepted", "without_id", "cut"} or (kind in EITHER and random.random() < 0.5)
        if kind != "accepted":
            self._count[kind.replace("_", " ")] += 1
        if kind in {"unauthorized", "forbidden"}:
            self._stop_until_mended(creator)
        waits = random.choice([None, "0", "30", "600", "soon"]) if kind == "throttled" else None
        answers = random.choice([fate.answers, 19.0 - fate.arrives]) if kind == "no_answer" else fate.answers
        return Fate(kind, taken, fate.connects, fate.arrives, answers, fate.shown, waits)

    def _answers_reads(self, creator: str) -> bool:
        return not self._is_away(self._creators[creator].platform)

    def _is_away(self, platform: str) -> bool:
        now = self._house.timeline.seconds
        return any(begun <= now < ended for begun, ended in self.script.outages[platform])

    def _outage(self) -> None:
        now, platform = self._house.timeline.seconds, self._random.choice(list(self._creators.values())).platform
        ended = now + self._random.choice([3.0, 60.0, 600.0, 7_200.0])
        self.script.outages[platform].append((now, ended))
        self._count["outages"] += 1
        self._house.tell(f"{platform} is away until second {ended:.0f}")

    def _throttle(self) -> None:
        self._throttled[self._random.choice(list(self._creators))] += self._random.randint(1, 3)

    def _wrong_key(self) -> None:
        creator = self._random.choice(list(self._creators))
        self._house.platforms.accounts[creator].key += "0"
        self._house.tell(f"the key of {creator} is revoked")
        self._stop_until_mended(creator)

    def _stop_until_mended(self, creator: str) -> None:
        house, now = self._house, self._house.timeline.seconds
        self._count["keys"] += 1
        mended = now + self._random.choice([5.0, 100.0, 2_000.0, 20_000.0])
        self.script.stopped[creator].append((now, mended + 35))
        house.timeline.at(mended, lambda: house.mend_key(creator, f"{creator}-{round(mended)}"))

    def _nobody_there(self) -> None:
        creator = self._random.choice(list(self._creators))
        account, now = self._house.platforms.accounts[creator], self._house.timeline.seconds
        account.empty = True
        lasts = self._random.uniform(600, 20_000)
        self.script.empty[creator].append((now, now + lasts))
        self._house.timeline.after(lasts, lambda: setattr(account, "empty", False))

    # The queue and the clock

    def _queue_goes(self) -> None:
        house, now = self._house, self._house.timeline.seconds
        lasts = self._random.choice([2.0, 40.0, 400.0])
        house.queue.away = True
        self._count["queue outages"] += 1
        house.tell(f"the queue is away for {lasts} s")
        self.script.queue_away.append((now, now + lasts))
        house.timeline.after(lasts, self._queue_returns)

    def _queue_returns(self) -> None:
        self._house.queue.away = False
        self._house.nudge()

    def _flush(self) -> None:
        self.script.lost_orders.append(self._house.timeline.seconds)
        self._count["flushes"] += 1
        self._house.tell(f"the queue is flushed of {self._house.queue.forget()} orders")

    def _doubles(self) -> None:
        self._house.queue.doubles = True
        self._count["doublings"] += 1
        self._house.timeline.after(3_600.0, lambda: setattr(self._house.queue, "doubles", False))

    def _clock_drifts(self) -> None:
        seconds = self._random.choice([-3.0, -0.2, -0.05, 0.05, 0.2, 2.0])
        self._house.timeline.step(seconds)
        self._count["steps"] += 1
        self._house.tell(f"the clock is stepped by {seconds} s")
        self._house.nudge()

    # A person

    def _person_looks(self) -> None:
        """Decides about most of what is held, truly, as the platform shows it in its app."""
        house, random = self._house, self._random
        with house.ledger.read() as session:
            rows = list(session.execute(select(broadcasts).where(broadcasts.c.state == State.HELD)))
        for row in rows:
            if random.random() < 0.6:
                with suppress(decisions.DecisionError):
                    self._decide(row)
        house.nudge()
        house.timeline.after(_PERSON_EVERY, self._person_looks)

    def _decide(self, row: Any) -> None:
        house, ledger = self._house, self._house.ledger
        sent = bool(house.platforms.taken(row.id))
        decisions.resolve(ledger, row.id, sent=sent, message_id=None, who="person:sim", reason="looked")
        self._count["decisions"] += 1
        if not sent:
            self.script.licences[row.id] += 1
            self.script.given_back[row.id] = row.attempts
