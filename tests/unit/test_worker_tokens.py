"""Workers that speak for creators who logged in: renewed in time and once, no spent token twice, never in a loop."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.ledger import tokens as rows
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, broadcasts
from carillon.ledger.tables import creators as creators_table
from carillon.ledger.tables_media import tokens as token_table
from carillon.platforms.client import Client
from carillon.platforms.contract import Content
from carillon.platforms.credentials import CredentialError
from carillon.platforms.oauth import SERVERS, Granted, Issuer
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.sealing import Keyring
from issuing import CLIENT, SECRET, Chain, page, told
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from standins import Reply, Seen, StandIn
from worker.account import account_of
from worker.deliver import deliver
from worker.means import Means
from worker.recheck import recheck
from worker.renewal import sealed
from worker.tokens import Tokens

KEYS = Keyring("correct horse battery")
HOUR = timedelta(hours=1)


class Fanvue:
    """The platform: takes whoever bears the chain's present token; its reads are not here."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.bearers: list[str] = []
        self.number = 0
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        with self._lock:
            self.bearers.append(seen.headers.get("authorization", "").removeprefix("Bearer "))
            if not self.chain.accepted(seen):
                return Reply(401, {"error": "Unauthorized"})
            self.number += 1
            if seen.method == "POST":
                return Reply(201, {"id": f"message-{self.number}", "recipientCount": 3, "createdAt": None})
        return Reply(404, {"message": "not here"})


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.next_pair()
    return chain


@pytest.fixture
def fanvue(chain: Chain) -> Fanvue:
    return Fanvue(chain)


@pytest.fixture
def issues(chain: Chain) -> Iterator[StandIn]:
    with StandIn(chain) as standin:
        yield standin


@pytest.fixture
def platform(fanvue: Fanvue) -> Iterator[StandIn]:
    with StandIn(fanvue) as standin:
        yield standin


class House:
    """Workers on one ledger, each with tokens of its own, as if they were processes."""

    def __init__(self, ledger: Ledger, platform: StandIn, issues: StandIn) -> None:
        self.ledger, self._platform, self._issues = ledger, platform, issues
        self.client = Client(2)

    def worker(self, name: str = "one", keys: Keyring = KEYS, issuers: dict[str, Issuer] | None = None) -> Means:
        asked = {"fanvue": Issuer(SERVERS["fanvue"], self._issues.url, CLIENT, SECRET)} if issuers is None else issuers
        tokens = Tokens(self.ledger, keys, asked, f"worker {name}")
        return Means(self.ledger, self.client, f"worker {name}", 2, {"fanvue": self._platform.url}, tokens=tokens)

    def log_in(self, creator_id: int, chain: Chain, left: timedelta = HOUR) -> None:
        """With tokens for an hour, of which so much is left."""
        text = sealed(KEYS, Granted(chain.access, chain.refresh, 0))
        rows.log_in(self.ledger, creator_id, text, HOUR, "test")
        now = clock.now()
        times = {"stored_at": now - (HOUR - left), "expires_at": now + left}
        with self.ledger.write() as connection:
            connection.execute(update(token_table).where(token_table.c.creator_id == creator_id).values(times))

    def row(self, creator_id: int) -> Any:
        with self.ledger.read() as session:
            return session.execute(select(token_table).where(token_table.c.creator_id == creator_id)).one()

    def open_alarms(self) -> list[str]:
        with self.ledger.read() as session:
            return list(session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None))))


@pytest.fixture
def house(ledger: Ledger, platform: StandIn, issues: StandIn) -> Iterator[House]:
    house = House(ledger, platform, issues)
    yield house
    house.client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    """Her reference leads nowhere: who logged in needs no other key."""
    return add_creator(ledger, platform="fanvue", credentials="env:NOT_SET", limit_count=100, wake_at=None)


def sent(ledger: Ledger) -> int:
    with ledger.read() as session:
        return session.scalar(select(func.count()).where(broadcasts.c.state == "sent")) or 0


def queue(ledger: Ledger, creator_id: int, count: int) -> list[int]:
    return [add_broadcast(ledger, creator_id, f"c{number}", platform="fanvue") for number in range(count)]


def queue_again(ledger: Ledger) -> list[int]:
    """Those that wait for a retry, handed off as the scheduler would."""
    waits = (broadcasts.c.state == "planned", broadcasts.c.waiting_for == "retry")
    with ledger.write() as connection:
        found = list(connection.scalars(select(broadcasts.c.id).where(*waits)))
        again = update(broadcasts).where(broadcasts.c.id.in_(found))
        connection.execute(again.values(state="queued", waiting_for=None, not_before=None))
    return found


def test_a_stored_token_is_used_in_place_of_the_reference(
    house: House, luna: int, fanvue: Fanvue, chain: Chain
) -> None:
    house.log_in(luna, chain)
    [id_] = queue(house.ledger, luna, 1)
    deliver(house.worker(), id_)
    assert broadcast(house.ledger, id_).state == "sent"
    assert set(fanvue.bearers) == {"access-token-1"}
    assert chain.spent == []


def test_without_a_login_the_reference_goes_on_working(
    house: House, luna: int, fanvue: Fanvue, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_SET", chain.access)
    means = house.worker()
    [id_] = queue(house.ledger, luna, 1)
    deliver(means, id_)
    assert broadcast(house.ledger, id_).state == "sent"
    chain.revoked.add(chain.access)
    [again] = [add_broadcast(house.ledger, luna, "again", platform="fanvue")]
    deliver(means, again)
    assert creator(house.ledger, luna).stopped_reason.startswith("credentials: ")


@pytest.mark.parametrize("how", ["its time is over", "the platform says so"])
def test_a_token_that_ends_amid_forty_broadcasts_is_renewed_once(
    house: House, luna: int, chain: Chain, fanvue: Fanvue, how: str
) -> None:
    house.log_in(luna, chain)
    workers = [house.worker(str(number)) for number in range(4)]
    ids = queue(house.ledger, luna, 40)
    ended = threading.Event()

    def carry_out(number: int) -> None:
        if number >= 15 and not ended.is_set():
            ended.set()
            end()
        deliver(workers[number % 4], ids[number])

    def end() -> None:
        chain.revoked.add("access-token-1")
        if how == "its time is over":
            with house.ledger.write() as connection:
                connection.execute(update(token_table).values(expires_at=clock.now() - HOUR))
            for worker in workers:
                assert worker.tokens
                worker.tokens.forget(luna)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(carry_out, range(40)))
    for _ in range(5):
        for id_ in queue_again(house.ledger):
            deliver(workers[0], id_)
    assert sent(house.ledger) == 40
    assert (chain.spent, chain.reused) == (["refresh-token-1"], False)
    assert creator(house.ledger, luna).stopped_at is None
    assert house.open_alarms() == []
    assert house.row(luna).generation == 2


def test_a_token_is_renewed_a_minute_before_its_end(house: House, luna: int, chain: Chain, fanvue: Fanvue) -> None:
    house.log_in(luna, chain, timedelta(seconds=59))
    [id_] = queue(house.ledger, luna, 1)
    deliver(house.worker(), id_)
    assert set(fanvue.bearers) == {"access-token-2"}
    row = house.row(luna)
    assert (row.generation, row.owner, row.refused) == (2, None, None)
    assert "token-2" not in row.sealed
    assert house.worker().tokens is not None


def test_a_token_of_a_short_life_is_not_renewed_all_the_time(house: House, luna: int, chain: Chain) -> None:
    chain.lasts = 30
    house.log_in(luna, chain, timedelta(0))
    means = house.worker()
    for id_ in queue(house.ledger, luna, 4):
        deliver(means, id_)
    assert sent(house.ledger) == 4
    assert len(chain.spent) == 1


def test_another_process_uses_what_one_has_renewed(house: House, luna: int, chain: Chain, fanvue: Fanvue) -> None:
    house.log_in(luna, chain)
    one, two = house.worker("one"), house.worker("two")
    ids = queue(house.ledger, luna, 3)
    deliver(two, ids[0])
    chain.revoked.add("access-token-1")
    deliver(one, ids[1])
    deliver(two, ids[2])
    for id_ in queue_again(house.ledger):
        deliver(two, id_)
    assert sent(house.ledger) == 3
    assert len(chain.spent) == 1


def test_a_token_that_is_turned_away_twice_stops_the_creator(
    house: House, luna: int, chain: Chain, fanvue: Fanvue
) -> None:
    house.log_in(luna, chain)
    means = house.worker()
    chain.revoked |= {f"access-token-{number}" for number in range(9)}
    [id_] = queue(house.ledger, luna, 1)
    deliver(means, id_)
    for id_ in queue_again(house.ledger):
        deliver(means, id_)
    assert len(chain.spent) == 1
    row = creator(house.ledger, luna)
    assert row.stopped_reason.startswith("credentials: ")
    recheck(means, luna)
    assert creator(house.ledger, luna).stopped_at is not None, "the newest token is the one that was turned away"
    chain.next_pair()
    chain.revoked.clear()
    house.log_in(luna, chain)
    assert creator(house.ledger, luna).stopped_at is None
    assert house.open_alarms() == []


def test_sends_that_are_turned_away_whatever_the_token_stop_the_creator(
    house: House, luna: int, chain: Chain, platform: StandIn
) -> None:
    house.log_in(luna, chain)
    platform.answer = lambda seen: Reply(401 if seen.method == "POST" else 404, {"error": "told so"})
    means = house.worker()
    [id_] = queue(house.ledger, luna, 1)
    deliver(means, id_)
    for _ in range(5):
        for again in queue_again(house.ledger):
            deliver(means, again)
    row = broadcast(house.ledger, id_)
    assert (row.waiting_for, row.attempts, len(chain.spent)) == ("creator", 2, 1)
    assert creator(house.ledger, luna).stopped_reason.startswith("credentials: ")


@pytest.mark.parametrize(
    ("fault", "words"),
    [(page(502), "HTTP 502"), (page(200), "HTTP 200"), (told(400, "invalid_grant"), "invalid_grant")],
)
def test_what_may_have_spent_the_token_ends_in_a_login(
    house: House, luna: int, chain: Chain, fanvue: Fanvue, issues: StandIn, fault: Any, words: str
) -> None:
    house.log_in(luna, chain, timedelta(0))
    chain.faults.append(fault)
    workers = [house.worker(str(number)) for number in range(3)]
    ids = queue(house.ledger, luna, 4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: deliver(workers[number % 3], ids[number]), range(4)))
    for id_ in queue_again(house.ledger):
        deliver(workers[0], id_)
    assert len(issues.seen) == 1
    row = creator(house.ledger, luna)
    assert words in row.stopped_reason
    assert row.stopped_reason.endswith("log in again: carillon login luna")
    assert all(broadcast(house.ledger, id_).waiting_for == "creator" for id_ in ids)
    assert len(house.open_alarms()) == 1
    recheck(workers[0], luna)
    assert creator(house.ledger, luna).stopped_at is not None
    house.log_in(luna, chain)
    assert creator(house.ledger, luna).stopped_at is None
    assert house.open_alarms() == []


@pytest.mark.parametrize("fault", [told(503, "temporarily_unavailable"), page(429)])
def test_what_spent_nothing_is_tried_again_later(
    house: House, luna: int, chain: Chain, fanvue: Fanvue, issues: StandIn, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.log_in(luna, chain, timedelta(0))
    chain.faults.append(fault)
    means = house.worker()
    [id_] = queue(house.ledger, luna, 1)
    deliver(means, id_)
    row = broadcast(house.ledger, id_)
    assert (row.state, row.waiting_for, row.attempts) == ("planned", "retry", 0)
    assert creator(house.ledger, luna).stopped_at is None
    now = clock.ticks()
    monkeypatch.setattr(clock, "ticks", lambda: now + 60)
    for again in queue_again(house.ledger):
        deliver(means, again)
    assert broadcast(house.ledger, id_).state == "sent"
    assert chain.spent == ["refresh-token-1"]


@pytest.mark.parametrize(("word", "fault", "state"), [("store", None, "sent"), ("give_back", page(429), "planned")])
def test_what_a_refresh_came_to_is_written_though_the_ledger_was_away(
    house: House,
    luna: int,
    chain: Chain,
    fanvue: Fanvue,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    fault: Any,
    state: str,
) -> None:
    house.log_in(luna, chain, timedelta(0))
    chain.faults += [fault] if fault else []
    write, fails = getattr(rows, word), [OperationalError("", {}, Exception("away"))]

    def away_at_first(*about: Any) -> Any:
        if fails:
            raise fails.pop()
        return write(*about)

    monkeypatch.setattr(rows, word, away_at_first)
    [id_] = queue(house.ledger, luna, 1)
    deliver(house.worker(), id_)
    row = house.row(luna)
    assert (broadcast(house.ledger, id_).state, row.owner, row.lost) == (state, None, None)


def test_a_refresh_that_was_claimed_and_not_confirmed_is_anybodys_again(
    house: House, luna: int, chain: Chain, fanvue: Fanvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.log_in(luna, chain, timedelta(0))
    claim, fails = rows.claim, [OperationalError("", {}, Exception("cut"))]

    def unheard_at_first(*about: Any, **more: Any) -> Any:
        claimed = claim(*about, **more)
        if fails:
            raise fails.pop()
        return claimed

    monkeypatch.setattr(rows, "claim", unheard_at_first)
    [id_] = queue(house.ledger, luna, 1)
    with pytest.raises(OperationalError):
        deliver(house.worker(), id_)
    assert house.row(luna).owner is None
    deliver(house.worker(), id_)
    assert broadcast(house.ledger, id_).state == "sent"
    assert chain.spent == ["refresh-token-1"]


def test_a_401_is_recorded_though_the_ledger_is_away_as_its_token_is_to_be_renewed(
    house: House, luna: int, chain: Chain, platform: StandIn, fanvue: Fanvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.log_in(luna, chain)
    read, away = rows.kept, threading.Event()

    def away_for_once(*about: Any) -> Any:
        if away.is_set():
            away.clear()
            raise OperationalError("", {}, Exception("away"))
        return read(*about)

    def ended(seen: Seen) -> Reply:
        if seen.method == "POST" and not chain.revoked:
            chain.revoked.add(chain.access)
            away.set()
        return fanvue(seen)

    platform.answer = ended
    monkeypatch.setattr(rows, "kept", away_for_once)
    means = house.worker()
    [id_] = queue(house.ledger, luna, 1)
    deliver(means, id_)
    row = broadcast(house.ledger, id_)
    assert (row.state, row.waiting_for) == ("planned", "retry")
    for _ in range(2):
        for again in queue_again(house.ledger):
            deliver(means, again)
    assert broadcast(house.ledger, id_).state == "sent"
    assert creator(house.ledger, luna).stopped_at is None


def test_a_server_that_is_away_harms_nobody_while_the_token_lasts(
    house: House, luna: int, chain: Chain, fanvue: Fanvue
) -> None:
    house.log_in(luna, chain, timedelta(seconds=40))
    means = house.worker(issuers={"fanvue": Issuer(SERVERS["fanvue"], "http://127.0.0.1:1", CLIENT, SECRET)})
    for id_ in queue(house.ledger, luna, 3):
        deliver(means, id_)
    assert sent(house.ledger) == 3
    assert house.row(luna).owner is None


def test_whoever_died_with_a_refresh_on_its_way_leaves_a_login(
    house: House, luna: int, chain: Chain, issues: StandIn
) -> None:
    house.log_in(luna, chain, timedelta(0))
    with house.ledger.write() as connection:
        long_ago = clock.now() - rows.LEASE - timedelta(seconds=1)
        connection.execute(update(token_table).values(owner="worker that died", sent_at=long_ago))
    [id_] = queue(house.ledger, luna, 1)
    deliver(house.worker(), id_)
    assert broadcast(house.ledger, id_).waiting_for == "creator"
    assert "carillon login luna" in creator(house.ledger, luna).stopped_reason
    assert issues.seen == []


def test_whoever_waits_for_a_slow_refresh_gives_its_thread_back(
    house: House, luna: int, chain: Chain, issues: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.renewal._PATIENCE_SECONDS", 0.1)
    house.log_in(luna, chain, timedelta(0))
    with house.ledger.write() as connection:
        connection.execute(update(token_table).values(owner="a slow one", sent_at=clock.now()))
    [id_] = queue(house.ledger, luna, 1)
    deliver(house.worker(), id_)
    assert broadcast(house.ledger, id_).waiting_for == "retry"
    assert issues.seen == []


def test_one_login_of_an_agency_speaks_for_all_its_creators(house: House, chain: Chain, fanvue: Fanvue) -> None:
    agency = {"platform": "fanvue", "credentials": "env:AGENCY", "wake_at": None}
    ids = [add_creator(house.ledger, name, account=name, account_id=name, **agency) for name in ("ada", "bea", "cleo")]
    house.log_in(ids[0], chain)
    workers = [house.worker(str(number)) for number in range(3)]
    for turn in range(2):
        chain.revoked |= {"access-token-1"} if turn else set()
        jobs = [add_broadcast(house.ledger, id_, f"c{turn}", platform="fanvue") for id_ in ids]
        for means, job in zip(workers, jobs, strict=True):
            deliver(means, job)
    for job in queue_again(house.ledger):
        deliver(workers[0], job)
    assert sent(house.ledger) == 6
    assert chain.spent == ["refresh-token-1"]
    rows.lose(house.ledger, ids[0], 2, "spent", "test")
    with pytest.raises(CredentialError, match="carillon login ada"):
        account_of(house.worker(), creator(house.ledger, ids[1]))
    mia = add_creator(house.ledger, "mia", platform="fanvue", credentials="env:HERS")
    with pytest.raises(CredentialError, match="env:HERS: not set"):
        account_of(house.worker(), creator(house.ledger, mia))


def test_a_pair_is_never_renewed_in_the_name_of_another_login_of_the_agency(
    house: House, chain: Chain, fanvue: Fanvue, issues: StandIn
) -> None:
    """Ada and Bea both logged in, each with a first pair; Cleo speaks by whichever is newer."""
    agency = {"platform": "fanvue", "credentials": "env:AGENCY", "wake_at": None}
    ids = [add_creator(house.ledger, name, account=name, account_id=name, **agency) for name in ("ada", "bea", "cleo")]
    ada, bea, cleo = ids
    house.log_in(ada, chain, timedelta(minutes=5))
    means = house.worker()
    account = account_of(means, creator(house.ledger, cleo))
    assert (account.secret, account.generation) == ("access-token-1", 1)
    chain.next_pair()
    house.log_in(bea, chain)
    with house.ledger.write() as connection:
        connection.execute(update(token_table).values(stored_at=clock.now() - HOUR))
        newer = update(token_table).where(token_table.c.creator_id == bea)
        connection.execute(newer.values(stored_at=clock.now()))
    chain.revoked.add("access-token-1")
    assert means.tokens is not None
    renewed = means.tokens.after_401("fanvue", account)
    assert renewed is not None
    assert (renewed.secret, renewed.generation) == ("access-token-2", 1), "that of Bea, which needs no renewal"
    assert issues.seen == []


def test_an_application_that_is_not_known_names_the_settings(house: House, luna: int, chain: Chain) -> None:
    house.log_in(luna, chain, timedelta(0))
    chain.faults.append(told(401, "invalid_client"))
    ids = queue(house.ledger, luna, 2)
    for id_, means in zip(ids, (house.worker(issuers={}), house.worker()), strict=True):
        deliver(means, id_)
        assert "CARILLON_FANVUE_CLIENT_ID" in creator(house.ledger, luna).stopped_reason
        with house.ledger.write() as connection:
            connection.execute(update(creators_table).values(stopped_at=None, stopped_reason=None))
    assert house.row(luna).owner is None


def test_a_secret_key_that_does_not_open_the_tokens_is_told(house: House, luna: int, chain: Chain) -> None:
    house.log_in(luna, chain)
    with pytest.raises(CredentialError, match="does not open the stored tokens"):
        account_of(house.worker(keys=Keyring("another key of sixteen")), creator(house.ledger, luna))
    with pytest.raises(CredentialError, match="CARILLON_SECRET_KEY is not set"):
        account_of(house.worker(keys=Keyring(None)), creator(house.ledger, luna))


def test_platforms_without_a_login_ask_the_ledger_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_KEY", "secret-of-mia")
    mia = creator(house.ledger, add_creator(house.ledger, "mia"))
    monkeypatch.setattr(house.ledger, "read", None)
    account = account_of(house.worker(), mia)
    assert (account.secret, account.generation) == ("secret-of-mia", 0)


def test_reads_go_again_with_the_new_token_and_no_secret_is_told(
    house: House, luna: int, chain: Chain, fanvue: Fanvue, caplog: pytest.LogCaptureFixture
) -> None:
    house.log_in(luna, chain)
    means = house.worker()
    account = account_of(means, creator(house.ledger, luna))
    chain.revoked.add("access-token-1")
    platform = PLATFORMS["fanvue"]
    request = platform.request(account, Content(text="x"))
    answer = means.caller(platform, account).get(request)
    assert answer.status == 201
    assert fanvue.bearers == ["access-token-1", "access-token-2"]
    assert means.newest(account).secret == "access-token-2"
    for shown in (repr(account), repr(means.newest(account)), caplog.text):
        assert "-token-" not in shown
