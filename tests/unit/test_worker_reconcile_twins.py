"""Two that say the same, on a platform that shows messages under other ids than it told when it took them."""

from collections.abc import Iterator

import pytest

from carillon.ledger.connect import Ledger
from carillon.platforms.client import Client
from forgetful import CONTENT, TEXT, Fanvue, let_pass
from ledger_rows import add_broadcast, add_creator, broadcast
from standins import Reply, Seen, StandIn
from worker.deliver import deliver
from worker.means import Means
from worker.reconcile import reconcile


class OFAuth(Fanvue):
    """Without its queue, which may not be served; its statistics lag, and count by numbers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = self.lags = True

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            if self.takes:
                self.add(TEXT)
            return Reply(200, {"id": 12345, "date": None}) if self.answers else Reply(502, "oh")
        if "/analytics/mass-messages/sent" in seen.path:
            return Reply(200, {"list": [] if self.lags else self.messages[::-1], "hasMore": False})
        return Reply(404, {"type": "ROUTE_NOT_FOUND"})


@pytest.fixture
def ofauth() -> OFAuth:
    return OFAuth()


@pytest.fixture
def means(ledger: Ledger, ofauth: OFAuth, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    monkeypatch.setenv("LUNA_KEY", "secret-of-luna")
    client = Client(2)
    with StandIn(ofauth) as platform:
        yield Means(ledger, client, "worker test", 2, {"ofauth": platform.url})
    client.close()


@pytest.mark.parametrize(("takes", "found"), [(False, ("held", None)), (True, ("sent", "m1"))])
def test_the_message_of_one_that_was_sent_is_not_that_of_its_twin(
    ledger: Ledger, means: Means, ofauth: OFAuth, takes: bool, found: tuple[str, str | None]
) -> None:
    luna = add_creator(ledger, platform="ofauth", account_id="conn_1", wake_at=None)
    first, second = (
        add_broadcast(ledger, luna, name, platform="ofauth", content=CONTENT) for name in ("first", "second")
    )
    deliver(means, first)
    assert broadcast(ledger, first).platform_message_id == "12345"
    let_pass(ledger, 5, ofauth)
    ofauth.takes, ofauth.answers = takes, False
    deliver(means, second)
    ofauth.lags = False
    for _ in range(9):
        let_pass(ledger, 31, ofauth)
        reconcile(means, second)
    row = broadcast(ledger, second)
    assert (row.state, row.platform_message_id) == found
