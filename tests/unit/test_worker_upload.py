"""One upload from order to reference, with a library that answers as told; on both databases."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger import uploading
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms
from carillon.ledger.tables_media import uploads
from carillon.platforms import errors
from carillon.platforms.client import Client
from carillon.platforms.fetch import Fetch, FetchError
from carillon.platforms.parts import Progress, Reference
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.store import Store
from ledger_rows import add_broadcast, add_creator, broadcast, creator
from running import until
from uploads import PHOTO, Told, about, add_upload, all_uploads, states
from worker.crew import Crew
from worker.means import Means
from worker.upload import begin_upload, upload

URL = "https://cdn.example/night?size=1"


class Web(Fetch):
    """What URLs lead to."""

    def __init__(self) -> None:
        self.leads: bytes | FetchError = PHOTO
        self.asked = 0

    def pieces(self, _url: str) -> Iterator[bytes]:
        self.asked += 1
        if isinstance(self.leads, FetchError):
            raise self.leads
        yield self.leads


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(PLATFORMS["fanvue"], "library", told)
    monkeypatch.setenv("LUNA_KEY", "key")
    return told


@pytest.fixture
def means(ledger: Ledger, told: Told, tmp_path: Path) -> Iterator[Means]:
    store = Store(tmp_path / "store")
    means = Means(ledger, Client(1), "worker test", 1, store=store, fetch=Web())
    yield means
    means.uploading.wait(10)
    means.client.close()


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, platform="fanvue", wake_at=None)


def a_file(means: Means, luna: int) -> int:
    assert means.store
    return add_upload(means.ledger, luna, f"file:{means.store.add([PHOTO])}")


def alarmed(ledger: Ledger) -> list[tuple[str, bool]]:
    """Causes of alarms, and whether they are open."""
    with ledger.read() as session:
        return [(row.cause.split(":")[0], row.cleared_at is None) for row in session.execute(select(alarms))]


def again(ledger: Ledger) -> None:
    """As if the time of the next try had come."""
    with ledger.write() as connection:
        connection.execute(update(uploads).values(next_at=clock.now() - timedelta(seconds=1)))


def test_a_file_is_brought_whole_and_what_waits_for_it_is_looked_at(means: Means, luna: int, told: Told) -> None:
    later = clock.now() + timedelta(minutes=1)
    waiting = add_broadcast(means.ledger, luna, state="planned", waiting_for="media", not_before=later)
    upload_id = a_file(means, luna)
    upload(means, upload_id)
    assert states(means.ledger) == [("ready", "m1")]
    assert told.calls == [("upload", ("a.jpg", "image/jpeg", PHOTO))]
    assert broadcast(means.ledger, waiting).not_before < later
    assert creator(means.ledger, luna).wake_at <= clock.now()
    upload(means, upload_id)
    assert len(told.calls) == 1, "what is ready is not uploaded again"


@pytest.mark.parametrize(
    ("error", "state", "seconds", "alarm"),
    [
        (errors.Unreachable("away"), "waiting", 0, []),
        (errors.Unreadable("no such thing"), "waiting", 0, []),
        (errors.Unauthorized("who?"), "waiting", 0, []),
        (errors.Throttled("slowly", 300), "waiting", 300, []),
        (errors.Refused("no such format"), "failed", 0, [("not_uploaded", False)]),
        (OSError(28, "No space left on device"), "waiting", 0, []),
    ],
)
def test_what_an_error_means(
    means: Means, luna: int, told: Told, error: Exception, state: str, seconds: float, alarm: list[tuple[str, bool]]
) -> None:
    told.answers = [error]
    upload(means, a_file(means, luna))
    (row,) = all_uploads(means.ledger)
    assert (row.state, row.owner) == (state, None)
    assert str(error) in row.words
    assert about(row.next_at, seconds)
    assert alarmed(means.ledger) == alarm


def test_trouble_that_lasts_alarms_until_it_is_over(means: Means, luna: int, told: Told) -> None:
    told.answers = [errors.Unreachable("away")] * 4
    upload_id = a_file(means, luna)
    for _ in range(4):
        again(means.ledger)
        upload(means, upload_id)
    assert alarmed(means.ledger) == [("upload", True)]
    again(means.ledger)
    upload(means, upload_id)
    assert states(means.ledger) == [("ready", "m1")]
    assert alarmed(means.ledger) == [("upload", False)]


def test_an_upload_that_was_cut_goes_on_where_it_was(means: Means, luna: int, told: Told) -> None:
    def cut(_: object, progress: Progress) -> Reference:
        progress.keep(session="s1")
        progress.keep(part=1)
        raise errors.Unreachable("cut")

    told.answers = [cut]
    upload_id = a_file(means, luna)
    upload(means, upload_id)
    again(means.ledger)
    upload(means, upload_id)
    assert told.kept == [{}, {"session": "s1", "part": 1}]


def test_what_the_platform_processes_is_asked_for_until_it_is_ready(means: Means, luna: int, told: Told) -> None:
    told.answers = [Reference("p1", "processing", single_use=True), Reference("p1", "processing", single_use=True)]
    upload_id = a_file(means, luna)
    for _ in range(3):
        again(means.ledger)
        upload(means, upload_id)
    assert [call for call, _ in told.calls] == ["upload", "uploaded", "uploaded"]
    assert states(means.ledger) == [("ready", "m1")]


def test_what_the_platform_cannot_process_has_failed(means: Means, luna: int, told: Told) -> None:
    told.answers = [Reference("p1", "broken")]
    upload(means, a_file(means, luna))
    assert [row.state for row in all_uploads(means.ledger)] == ["failed"]
    assert alarmed(means.ledger) == [("not_uploaded", False)]


def test_two_workers_do_not_upload_the_same_and_the_lease_of_a_dead_one_ends(
    means: Means, luna: int, told: Told
) -> None:
    upload_id = a_file(means, luna)
    entered, go_on = threading.Event(), threading.Event()

    def stuck(_: object, progress: Progress) -> Reference:
        entered.set()
        go_on.wait(10)
        progress.keep(part=2)
        return Reference("too late", "ready")

    told.answers = [stuck]
    begin_upload(means, upload_id)
    assert entered.wait(10)
    begin_upload(means, upload_id)
    upload(means, upload_id)
    assert len(told.calls) == 1
    again(means.ledger)  # as if it had been frozen, and its lease had run out
    upload(means, upload_id)
    go_on.set()
    means.uploading.wait(10)
    assert states(means.ledger) == [("ready", "m1")]
    assert len(told.calls) == 2


def test_a_worker_that_stops_lets_go_at_once(means: Means, luna: int, told: Told) -> None:
    means.stopping.set()
    upload(means, a_file(means, luna))
    (row,) = all_uploads(means.ledger)
    assert (row.state, row.owner, row.tries, told.kept) == ("waiting", None, 0, [])
    assert about(row.next_at, 0)


def test_a_file_that_is_not_here_says_what_must_be_shared(means: Means, luna: int) -> None:
    upload(means, add_upload(means.ledger, luna, f"file:{'0' * 64}"))
    (row,) = all_uploads(means.ledger)
    assert row.state == "waiting"
    assert "must share that folder" in row.words


def test_a_file_that_is_too_large_for_the_platform_fails(means: Means, luna: int, told: Told) -> None:
    told.most_bytes = 1_000
    upload(means, a_file(means, luna))
    assert [row.state for row in all_uploads(means.ledger)] == ["failed"]
    assert told.calls == []


def test_a_url_is_fetched_where_the_platform_cannot(means: Means, luna: int, told: Told) -> None:
    upload(means, add_upload(means.ledger, luna, URL, name="night"))
    assert [call for call, _ in told.calls] == ["upload_url", "upload"]
    assert told.calls[1] == ("upload", ("night.jpg", "image/jpeg", PHOTO))
    upload(means, add_upload(means.ledger, luna, URL, name="night"))
    assert states(means.ledger) == [("ready", "m1")] * 2
    assert cast("Web", means.fetch).asked == 2
    assert [call for call, _ in told.calls].count("upload") == 1, "what is there already is not brought again"


def test_a_url_that_was_fetched_is_not_fetched_again_when_its_upload_was_cut(
    means: Means, luna: int, told: Told
) -> None:
    told.answers = [errors.Unreachable("cut")]
    upload_id = add_upload(means.ledger, luna, URL, name="night")
    upload(means, upload_id)
    again(means.ledger)
    upload(means, upload_id)
    assert (states(means.ledger), cast("Web", means.fetch).asked) == ([("ready", "m1")], 1)


def test_a_url_that_the_platform_fetches_is_not_fetched_here(means: Means, luna: int, told: Told) -> None:
    told.fetches = True
    upload(means, add_upload(means.ledger, luna, URL))
    assert (states(means.ledger), cast("Web", means.fetch).asked) == ([("ready", "m1")], 0)


@pytest.mark.parametrize(("final", "state"), [(True, "failed"), (False, "waiting")])
def test_a_url_that_cannot_be_fetched(means: Means, luna: int, final: bool, state: str) -> None:
    cast("Web", means.fetch).leads = FetchError("cdn.example leads to an address inside", final=final)
    upload(means, add_upload(means.ledger, luna, URL))
    (row,) = all_uploads(means.ledger)
    assert (row.state, row.words) == (state, "cdn.example leads to an address inside")


def test_what_nobody_waits_for_any_more_is_given_up(means: Means, luna: int, told: Told) -> None:
    told.answers = [errors.Unreachable("away")]
    long_ago = clock.now() - timedelta(days=2)
    assert means.store
    source = f"file:{means.store.add([PHOTO])}"
    upload(means, add_upload(means.ledger, luna, source, needed_until=long_ago + uploading.NEEDED_AFTER))
    assert [row.state for row in all_uploads(means.ledger)] == ["failed"]


def test_a_crew_does_each_thing_once_and_no_more_at_a_time_than_it_has_hands() -> None:
    crew, go_on, done = Crew("upload", 2), threading.Event(), list[int]()
    most, busy, lock = 0, 0, threading.Lock()

    def long(subject: int) -> None:
        nonlocal most, busy
        with lock:
            busy += 1
            most = max(most, busy)
        go_on.wait(10)
        with lock:
            busy -= 1
        done.append(subject)

    given = [crew.give(subject, partial(long, subject)) for subject in (1, 2, 3, 1, 3, 4)]
    until(lambda: busy == 2)
    go_on.set()
    crew.wait(10)
    assert given == [True, True, True, False, False, True]
    assert (sorted(done), most) == ([1, 2, 3, 4], 2)
    assert crew.give(1, partial(long, 1))
    crew.wait(10)


def test_a_hand_outlives_what_fails() -> None:
    crew, done = Crew("upload", 1), list[str]()

    def fail(error: Exception) -> None:
        raise error

    for number, error in enumerate((ValueError("unforeseen"), SQLAlchemyError("no ledger"))):
        crew.give(number, partial(fail, error))
    crew.give(2, lambda: done.append("the next"))
    crew.wait(10)
    assert done == ["the next"]
    assert crew.give(0, lambda: None), "it may be ordered again"
    crew.wait(10)
