"""Several schedulers watch one ledger at once, beside claims: nobody waits in a ring, each alarm is told once."""

import threading
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.tables import alarms, broadcasts
from ledger_rows import add_broadcast, add_creator
from scheduler.watch import watch

ROUNDS, HANDS = 8, 3


def test_each_alarm_is_raised_and_told_once(postgresql_url: str) -> None:
    with closing(Ledger(postgresql_url)) as ledger:
        migrate(ledger)
        ids = [add_creator(ledger, f"c{n}", account=f"a{n}") for n in range(10)]
        faults: list[Exception] = []

        def together(run: Callable[[], None]) -> None:
            start.wait(20)
            try:
                run()
            except Exception as error:  # noqa: BLE001
                faults.append(error)

        def claim_like() -> None:
            for id_ in ids:
                with accounts.held(ledger, [id_]):
                    pass

        for turn in range(ROUNDS):
            for id_ in reversed(ids):
                add_broadcast(
                    ledger, id_, f"turn {turn}", state="held", occurrence=f"{turn}", reason="unknown_outcome: x"
                )
            start = threading.Barrier(HANDS + 1)
            hands = [threading.Thread(target=together, args=(lambda: watch(ledger),)) for _ in range(HANDS)]
            hands.append(threading.Thread(target=together, args=(claim_like,)))
            with capture_logs() as log:
                for hand in hands:
                    hand.start()
                for hand in hands:
                    hand.join()
            assert faults == []
            assert len(log) == len(ids)
        with ledger.read() as session:
            assert session.scalar(select(func.count()).select_from(alarms)) == ROUNDS * len(ids)
            with ledger.write() as connection:
                connection.execute(update(broadcasts).values(state="cancelled"))
        watch(ledger)
        with ledger.read() as session:
            assert session.scalar(select(func.count()).where(alarms.c.cleared_at.is_(None))) == 0
