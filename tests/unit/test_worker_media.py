"""Media of a broadcast become the platform's ids, or it waits, or it fails; on both databases."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.parcels import parcel
from carillon.ledger.tables import attempts
from carillon.ledger.tables_media import uploads
from carillon.ledger.uploading import Wanted, want
from carillon.platforms.client import Client
from carillon.platforms.contract import Content, ListRef
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.store import Store
from carillon.settings import Settings
from console.requests import request_shown
from forgetful import Fanvue, standing, unknown
from ledger_rows import add_broadcast, add_creator
from standins import Reply, Seen, StandIn
from uploads import about, add_upload, all_uploads
from worker.means import Means
from worker.media import as_sent, with_references
from worker.preflight import Later, Stop

SOURCE = "file:" + "a" * 64
FILE = f"{SOURCE}:beach at night.jpg"
URL = "https://cdn.example/clip.mp4"
SAID = Content(text="Hi", media=("own-id", FILE), preview_media=(FILE,))


@pytest.fixture
def means(ledger: Ledger, tmp_path: Path) -> Means:
    return Means(ledger, Client(1), "worker test", 1, store=Store(tmp_path))


@pytest.fixture
def luna(ledger: Ledger) -> int:
    return add_creator(ledger, platform="fanvue")


def ask(means: Means, broadcast_id: int, platform: str = "fanvue") -> Content | Stop | Later:
    row = parcel(means.ledger, broadcast_id)
    assert row is not None
    return with_references(means, row, PLATFORMS[platform], Content.model_validate_json(row.content))


def queued(means: Means, luna: int, content: Content = SAID, campaign: str = "drop", **values: Any) -> int:
    frozen = content.frozen()
    return add_broadcast(means.ledger, luna, campaign, **{"content": frozen, "platform": "fanvue", **values})


def media_of(answer: Content | Stop | Later) -> tuple[str, ...]:
    assert isinstance(answer, Content), answer
    return answer.media


def single(means: Means, luna: int, reference: str, **values: Any) -> int:
    said = {"state": "ready", "reference": reference, "single_use": True, "uploaded_at": clock.now()}
    return add_upload(means.ledger, luna, SOURCE, **{**said, **values})


def attempted(means: Means, broadcast_id: int, number: int, verdict: str | None) -> int:
    now = clock.now()
    row = {
        "broadcast_id": broadcast_id,
        "number": number,
        "token": f"{broadcast_id}-{number}",
        "host": "h",
        "pid": 1,
        "process_birth": "1",
        "started_at": now,
        "lease_until": now,
        "timeout_seconds": 20,
        "request_digest": "",
        "verdict": verdict,
    }
    with means.ledger.write() as connection:
        return int(connection.execute(insert(attempts).values(row).returning(attempts.c.id)).scalar_one())


def test_what_needs_no_upload_is_as_it_was(means: Means, luna: int) -> None:
    for platform, content in (("fanvue", Content(media=("id",))), ("ofauth", Content(media=(URL, "1")))):
        assert ask(means, queued(means, luna, content, platform), platform) == content
    assert all_uploads(means.ledger) == []


def test_what_is_ready_is_named_by_its_reference(means: Means, luna: int) -> None:
    add_upload(means.ledger, luna, SOURCE, state="ready", reference="m1")
    add_upload(means.ledger, add_creator(means.ledger, "mia"), SOURCE, state="ready", reference="somebody else's")
    found = ask(means, queued(means, luna))
    assert media_of(found) == ("own-id", "m1")
    assert isinstance(found, Content)
    assert found.preview_media == ("m1",)


@pytest.mark.parametrize("medium", [FILE, URL])
def test_what_nobody_asked_for_yet_is_asked_for_now(means: Means, luna: int, medium: str) -> None:
    found = ask(means, queued(means, luna, Content(media=(medium,))))
    assert isinstance(found, Later)
    assert found.cause == "media"
    (row,) = all_uploads(means.ledger)
    assert (row.state, row.source) == ("waiting", medium.removesuffix(":beach at night.jpg"))
    assert about(row.next_at, 0)


def test_what_rests_is_hurried_and_what_was_put_off_is_not(means: Means, luna: int) -> None:
    later = clock.now() + timedelta(hours=3)
    add_upload(means.ledger, luna, SOURCE, next_at=later)
    add_upload(means.ledger, luna, URL, next_at=later, tries=2, words="away")
    found = ask(means, queued(means, luna, Content(media=(FILE, URL))))
    assert isinstance(found, Later)
    assert "file:beach at night.jpg" in found.words
    assert [about(row.next_at, 0) for row in all_uploads(means.ledger)] == [True, False]


def test_what_failed_stops_it_until_a_person_tries_again(means: Means, luna: int) -> None:
    add_upload(means.ledger, luna, SOURCE, state="failed", words="no such format")
    broadcast_id = queued(means, luna)
    found = ask(means, broadcast_id)
    assert isinstance(found, Stop)
    assert found.reason == "media_missing: file:beach at night.jpg could not be uploaded: no such format"
    with means.ledger.write() as connection:
        want(connection, [Wanted(luna, SOURCE, "a.jpg", clock.now())], clock.now())
    assert isinstance(ask(means, broadcast_id), Later)


def test_a_reference_that_works_once_is_one_broadcasts_own(means: Means, luna: int) -> None:
    single(means, luna, "once-1")
    first, second = queued(means, luna), queued(means, luna, campaign="other")
    planned = queued(means, luna, campaign="third", state="planned", due_at=clock.now() + timedelta(hours=2))
    assert media_of(ask(means, first)) == ("own-id", "once-1")
    assert media_of(ask(means, first)) == ("own-id", "once-1"), "until it is sent it may ask again"
    assert [row.state for row in all_uploads(means.ledger)] == ["ready", "waiting"], "for those that are planned"
    assert isinstance(ask(means, second), Later)
    single(means, luna, "once-2")
    assert media_of(ask(means, second)) == ("own-id", "once-2")
    assert isinstance(ask(means, planned), Later)


@pytest.mark.parametrize(
    ("verdict", "given_back"),
    [
        ("throttled", True),
        ("not_sent", True),
        ("credentials", True),
        ("forbidden", True),
        ("refused", False),
        ("unknown", False),
        ("accepted", False),
        (None, False),
    ],
)
def test_an_attempt_that_was_surely_not_taken_gives_it_back(
    means: Means, luna: int, verdict: str | None, given_back: bool
) -> None:
    first = single(means, luna, "once-1")
    broadcast_id = queued(means, luna)
    ask(means, broadcast_id)
    attempt_id = attempted(means, broadcast_id, 1, verdict)
    found = ask(means, broadcast_id)
    with means.ledger.read() as session:
        used_by = session.scalar(select(uploads.c.used_by).where(uploads.c.id == first))
    if given_back:
        assert (media_of(found), used_by) == (("own-id", "once-1"), None)
    else:
        assert isinstance(found, Later)
        assert used_by == attempt_id
        with means.ledger.write() as connection:
            connection.execute(
                update(uploads).where(uploads.c.id != first).values(state="ready", reference="once-2", single_use=True)
            )
        assert media_of(ask(means, broadcast_id)) == ("own-id", "once-2")


def test_an_unknown_outcome_is_compared_by_what_was_sent(means: Means, luna: int) -> None:
    add_upload(means.ledger, luna, URL, state="ready", reference="url-1")
    single(means, luna, "once-1")
    content = Content(text="Hi", media=(FILE, URL, "own-id"))
    broadcast_id = queued(means, luna, content)
    ask(means, broadcast_id)
    single(means, luna, "once-2")
    attempted(means, broadcast_id, 1, "unknown")
    with means.ledger.read() as session:
        sent = as_sent(session.connection(), PLATFORMS["fanvue"], luna, broadcast_id, content)
    assert sent.media == ("once-1", "url-1", "own-id")


def test_a_url_is_asked_for_anew_after_a_day_and_a_file_never(means: Means, luna: int) -> None:
    now = clock.now()
    for source in (SOURCE, URL):
        add_upload(means.ledger, luna, source, state="ready", reference="r", uploaded_at=now - timedelta(hours=30))
    with means.ledger.write() as connection:
        want(connection, [Wanted(luna, source, "a.jpg", now) for source in (SOURCE, URL)], now)
    assert [(row.source, row.state) for row in all_uploads(means.ledger)][2:] == [(URL, "waiting")]


def test_many_that_want_the_same_share_one_upload_which_the_soonest_hastens(means: Means, luna: int) -> None:
    now = clock.now()

    def wanted(*hours: float) -> None:
        with means.ledger.write() as connection:
            want(connection, [Wanted(luna, SOURCE, "a.jpg", now + timedelta(hours=each)) for each in hours], now)

    wanted(60, 50)
    (row,) = all_uploads(means.ledger)
    assert about(row.next_at, 26 * 3600)
    wanted(30, 100)
    wanted(70)
    (row,) = all_uploads(means.ledger)
    assert about(row.next_at, 6 * 3600)
    assert about(row.wanted_by, 30 * 3600)
    assert about(row.needed_until, (100 + 30 * 24) * 3600)


def test_a_person_is_shown_files_by_their_names() -> None:
    for medium in (FILE, "/campaigns/media/beach at night.jpg"):
        content = Content(text="Hi", media=("own-id", medium), preview_media=(medium,))
        body = request_shown(Settings(), "onlyfansapi", "acct", content)["body"]
        assert body["mediaFiles"] == ["own-id", "file:beach at night.jpg"]
        assert body["previews"] == ["file:beach at night.jpg"]


class Showing(Fanvue):
    """A Fanvue that shows the media of what it took, as its list does."""

    def __call__(self, seen: Seen) -> Reply:
        reply = super().__call__(seen)
        if seen.method == "POST":
            self.messages[-1]["mediaUuids"] = seen.json()["mediaUuids"]
        return reply


def test_a_lost_answer_is_found_by_the_media_that_were_sent(
    ledger: Ledger, luna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNA_KEY", "key")
    add_upload(ledger, luna, SOURCE, state="ready", reference="m1")
    with StandIn(Showing()) as platform:
        means = Means(ledger, Client(2), "worker test", 2, urls={"fanvue": platform.url})
        content = Content(include=(ListRef(kind="smart", value="all_fans"),), text="Hi", media=(FILE,))
        id_ = unknown(ledger, means, luna, content=content.frozen())
        means.client.close()
    assert standing(ledger, id_) == ("sent", "")
