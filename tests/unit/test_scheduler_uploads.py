"""What is planned has its media uploaded ahead, by orders; the store keeps what may be needed. On both databases."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import select, update

from carillon import clock
from carillon.handoff import broker as brokers
from carillon.ledger.connect import Ledger
from carillon.ledger.owners import this_process
from carillon.ledger.tables import alarms, broadcasts, cursors
from carillon.ledger.tables_media import uploads
from carillon.platforms.store import Store
from ledger_rows import add_creator
from scheduler import publish
from scheduler.once import Once, insert_once, occurrence_now
from scheduler.plan import plan
from scheduler.publish import Publisher
from scheduler.rescue import Reminders
from scheduler.signs import Question
from scheduler.uploads import order_uploads, tidy_store, want_again
from uploads import PHOTO, about, add_upload, all_uploads

YAML = """\
creators:
  fay: {platform: fanvue, credentials: "env:FAY_KEY", timezone: UTC}
campaigns:
  drop:
    creator: fay
    lists: {include: [subscribers]}
    text: %s
    media: [%s]
    schedule: {every: %s, start: "%s"}
"""
FILE = '"./media/beach.jpg"'


@pytest.fixture
def broker() -> Iterator[StubBroker]:
    made = brokers.make(None, "test")
    assert isinstance(made, StubBroker)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "uploads")


class Scheduler:
    """One that goes on running, and what lies in the folder that it reads."""

    def __init__(self, ledger: Ledger, folder: Path, store: Store) -> None:
        self.photo = folder / "media" / "beach.jpg"
        self.photo.parent.mkdir()
        self.photo.write_bytes(PHOTO)
        self._ledger, self._file, self._start = ledger, folder / "campaigns.yaml", clock.now() + timedelta(hours=1)
        self._publisher = Publisher(ledger, self._file, frozenset(), "scheduler test", store=store)

    def declare(self, text: str = "Hi", media: str = FILE, every: str = "12h") -> None:
        self._file.write_text(YAML % (text, media, every, f"{self._start:%Y-%m-%dT%H:%M:%SZ}"))
        if self._publisher.catalogue is None:
            self._publisher.start()
        else:
            self.look()
            self.look()
        self.plan()

    def look(self) -> None:
        self._publisher.look()

    def plan(self) -> None:
        assert self._publisher.catalogue is not None
        plan(self._ledger, self._publisher.catalogue, self._publisher.generation, "scheduler test")

    def once(self) -> Once:
        assert self._publisher.catalogue is not None
        entry = self._publisher.catalogue.entry("drop", "fay")
        assert entry is not None
        occurrence = occurrence_now(entry, clock.now())
        return Once(entry, occurrence, entry.content(occurrence, 1))


@pytest.fixture
def scheduler(ledger: Ledger, tmp_path: Path, store: Store) -> Scheduler:
    return Scheduler(ledger, tmp_path, store)


def orders(broker: StubBroker) -> list[int]:
    found = []
    while not broker.queues["fanvue"].empty():
        message = dramatiq.Message.decode(broker.queues["fanvue"].get())
        assert message.actor_name == "upload"
        found.append(message.args[0])
    return found


def contents(ledger: Ledger) -> list[dict[str, Any]]:
    with ledger.read() as session:
        return [json.loads(row.content) for row in session.execute(select(broadcasts).order_by(broadcasts.c.due_at))]


def open_alarms(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(alarms.c.message).where(alarms.c.cleared_at.is_(None))))


def test_what_is_planned_is_frozen_and_its_upload_is_ordered(
    ledger: Ledger, scheduler: Scheduler, store: Store, broker: StubBroker
) -> None:
    scheduler.declare()
    (upload,) = all_uploads(ledger)
    assert [content["media"] for content in contents(ledger)] == [[f"{upload.source}:beach.jpg"]] * 2
    assert about(upload.wanted_by, 3600)
    assert b"".join(store.reader(upload.source.removeprefix("file:"))(0, 1 << 30)) == PHOTO
    signs = Question(ledger).ask()
    assert signs.upload_at is not None
    assert signs.upload_at <= signs.now
    reminders = Reminders()
    assert [order_uploads(ledger, broker, reminders) for _ in "12"] == [[upload.id], []]
    assert orders(broker) == [upload.id]


def test_an_edit_brings_another_file(ledger: Ledger, scheduler: Scheduler) -> None:
    scheduler.declare()
    scheduler.photo.write_bytes(PHOTO + b"by night")
    scheduler.declare(text="Hello")
    first, second = all_uploads(ledger)
    assert [content["media"] for content in contents(ledger)] == [[f"{second.source}:beach.jpg"]] * 2
    assert first.source != second.source


def test_a_file_that_is_gone_is_told_and_loses_nothing(ledger: Ledger, scheduler: Scheduler) -> None:
    scheduler.declare(every="1h")
    before = contents(ledger)
    photo = scheduler.photo.read_bytes()
    scheduler.photo.unlink()
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="cancelled", reason="removed: for this test"))
    behind(ledger)
    scheduler.plan()
    (message,) = open_alarms(ledger)
    assert "there is no file" in message
    scheduler.photo.write_bytes(photo)
    scheduler.plan()
    assert open_alarms(ledger) == []
    assert contents(ledger)[: len(before)] == before


def test_a_file_that_comes_after_the_one_that_names_it_is_taken_up(
    ledger: Ledger, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_MENDED_SECONDS", 0)
    scheduler.declare(media="an-id")
    scheduler.declare(media="./media/late.jpg")
    assert contents(ledger)[0]["media"] == ["an-id"], "what was good before stays in force"
    (scheduler.photo.parent / "late.jpg").write_bytes(PHOTO)
    scheduler.look()
    scheduler.plan()
    assert contents(ledger)[0]["media"][0].endswith(":late.jpg")


def behind(ledger: Ledger) -> None:
    """As if planned no further than now."""
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now()))


def test_what_a_person_sends_is_wanted_now(ledger: Ledger, scheduler: Scheduler) -> None:
    scheduler.declare(every="30d")
    with ledger.write() as connection:
        connection.execute(uploads.delete())
    (sent,) = insert_once(ledger, [scheduler.once()], "person")
    (upload,) = all_uploads(ledger)
    assert about(upload.next_at, 0)
    with ledger.write() as connection:
        connection.execute(update(uploads).values(state="failed"))
    want_again(ledger, sent, {}, "person")
    assert [row.state for row in all_uploads(ledger)] == ["failed", "waiting"]


def test_the_soonest_wanted_goes_first_and_a_stopped_creators_waits(ledger: Ledger, broker: StubBroker) -> None:
    fay = add_creator(ledger, "fay", platform="fanvue")
    stopped = add_creator(ledger, "mia", platform="fanvue", stopped_at=clock.now())
    now = clock.now()

    def wanted(creator_id: int, source: str, **values: Any) -> int:
        return add_upload(ledger, creator_id, source, **values)

    second = wanted(fay, "b", wanted_by=now + timedelta(hours=2))
    first = wanted(fay, "a", wanted_by=now + timedelta(hours=1))
    wanted(fay, "later", next_at=now + timedelta(hours=1))
    wanted(fay, "done", state="ready")
    wanted(stopped, "a")
    order_uploads(ledger, broker, Reminders())
    assert orders(broker) == [first, second]


def test_what_a_dead_worker_was_at_goes_on_at_once(ledger: Ledger, broker: StubBroker) -> None:
    fay, process, lease = (
        add_creator(ledger, "fay", platform="fanvue"),
        this_process(),
        clock.now() + timedelta(seconds=40),
    )
    dead = json.dumps([process.host, process.pid, "another birth", "t1"])
    alive = json.dumps([process.host, process.pid, process.birth, "t2"])
    mine = add_upload(ledger, fay, "a", state="sending", owner=dead, next_at=lease)
    add_upload(ledger, fay, "b", state="sending", owner=alive, next_at=lease)
    order_uploads(ledger, broker, Reminders())
    assert orders(broker) == [mine]


def test_the_store_keeps_what_may_still_be_uploaded(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    fay = add_creator(ledger, "fay", platform="fanvue")
    needed, fetched, past, stray = (store.add([word]) for word in (b"needed", b"fetched", b"past", b"stray"))
    add_upload(ledger, fay, f"file:{needed}")
    add_upload(ledger, fay, "https://cdn.example/a", stored=fetched)
    add_upload(ledger, fay, f"file:{past}", needed_until=clock.now() - timedelta(days=1))
    yesterday = (clock.now() - timedelta(days=1)).timestamp()
    for name in os.listdir(tmp_path / "uploads"):
        os.utime(tmp_path / "uploads" / name, (yesterday, yesterday))
    assert sorted(tidy_store(ledger, store)) == sorted([past, stray])
    assert sorted(os.listdir(tmp_path / "uploads")) == sorted([needed, fetched])


def test_a_plan_without_files_asks_for_nothing(ledger: Ledger, scheduler: Scheduler) -> None:
    scheduler.declare(media="an-id")
    assert all_uploads(ledger) == []
    assert len(contents(ledger)) == 2
