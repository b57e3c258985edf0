"""An order that meets a database in trouble is tried again at once, and left to the sweep only if that lasts."""

from typing import cast

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from worker import jobs
from worker.means import Means


class Job:
    """Fails as often as it is told to."""

    def __init__(self, fault: Exception, times: int) -> None:
        self.fault, self.times, self.calls = fault, times, 0

    def __call__(self, _means: Means, _subject: int) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise self.fault


DEADLOCK = OperationalError("INSERT", {"text": "secret text"}, Exception("deadlock detected\nDETAIL: secret text"))


@pytest.mark.parametrize(
    ("fault", "times", "calls", "told"),
    [
        (DEADLOCK, 0, 1, []),
        (DEADLOCK, 3, 4, []),
        (DEADLOCK, 9, 4, ["no ledger now; the order is given again"]),
        (RuntimeError("a fault of ours"), 9, 1, ["an order failed; the ledger keeps what it was about"]),
    ],
    ids=["well", "soon over", "lasting", "no fault of the database's"],
)
def test_how_often_it_is_tried(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, times: int, calls: int, told: list[str]
) -> None:
    monkeypatch.setattr(jobs, "_PAUSES", (0.01, 0.01, 0.01, 0.0))
    means = Means(cast("Ledger", None), Client(1), "worker test", 1)
    job = Job(fault, times)
    with capture_logs() as log:
        jobs._guarded("deliver", job, means)(7)
    assert job.calls == calls
    assert [line["event"] for line in log] == told
    assert "secret text" not in str(log)
