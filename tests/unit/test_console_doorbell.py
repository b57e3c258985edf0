"""What a person lets go is told to the schedulers at once, where they can be told."""

from collections.abc import Callable

import pytest

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.handoff.doorbell import RELEASE, Listener
from carillon.ledger import decisions
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.settings import Settings
from console import decide
from console.decide import Chosen
from ledger_rows import add_broadcast, add_creator
from running import until

Said = Callable[[Settings, str], int]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("planned", lambda settings, _: decide.resume(settings, "creator", "luna")),
        ("planned", lambda settings, id_: decide.cancel(settings, Chosen([id_]), None)),
        ("failed", lambda settings, id_: decide.retry(settings, Chosen([id_]), None, same=True)),
        ("held", lambda settings, id_: decide.resolve(settings, id_, sent=False, message_id=None, reason="looked")),
    ],
    ids=["resume", "cancel", "retry", "resolve"],
)
def test_a_decision_rings(
    ledger: Ledger, redis_url: str, monkeypatch: pytest.MonkeyPatch, state: str, said: Said
) -> None:
    monkeypatch.setattr(decide, "ledger_to_read", lambda _: ledger)
    settings = Settings(redis_url=redis_url)
    id_ = add_broadcast(ledger, add_creator(ledger), state=state, due_at=clock.now())
    decisions.pause(ledger, "creator", "luna", "person:ada", None)
    rings: list[str] = []
    hearing: list[bool] = []
    listener = Listener(brokers.make(redis_url, installation(ledger)), RELEASE, rings.append, hearing.append)
    listener.start()
    try:
        until(lambda: hearing)
        assert said(settings, str(id_)) == 0
        until(lambda: rings)
    finally:
        listener.stop()
