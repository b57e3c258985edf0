"""Files beside the campaign file reach the platforms before they are due, once, also if `up` is killed in between."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from carillon.ledger.tables_media import uploads
from console.sandbox import Fault, Sandbox
from running import Carillon, until

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 1200  # 300 kB, several parts
PLATFORMS = ("fanvue", "ofauth", "onlyfansapi")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.world.backstage.part_size = 100_000
        yield sandbox


@pytest.fixture
def carillon(tmp_path: Path, sandbox: Sandbox) -> Iterator[Carillon]:
    keys = {f"{name.upper()}_KEY": key for name, key in sandbox.keys.items()}
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "summer night.jpg").write_bytes(PHOTO)
    with Carillon(tmp_path, sandbox.urls, **keys) as carillon:
        yield carillon


def declared(sandbox: Sandbox, names: tuple[str, ...], due: datetime, more: str = "") -> str:
    at = due.isoformat().replace("+00:00", "Z")
    accounts = {
        name: f"account: {sandbox.accounts[name]}, " if name not in ("fanvue", "frontrow") else "" for name in names
    }
    creators = "".join(
        f"  at-{name}: {{platform: {name}, {accounts[name]}credentials: env:{name.upper()}_KEY}}\n" for name in names
    )
    audiences = "".join(f"    {name}: {{include: [{next(iter(sandbox.account(name).lists))}]}}\n" for name in names)
    return f"""version: 1
defaults: {{timezone: UTC}}
creators:
{creators}audiences:
  fans:
{audiences}campaigns:
  drop:
    creators: all
    lists: fans
    text: See for yourselves
    price: 5.00
    media: ["media/summer night.jpg"]
    for:
      at-{names[-1]}: {{media: ["media/summer night.jpg"{more}]}}
    schedule: {{at: "{at}"}}
"""


def soon(seconds: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def uploads_of(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.uploads()


def rows(carillon: Carillon) -> list[Any]:
    with carillon.ledger.read() as session:
        return list(session.execute(select(uploads).order_by(uploads.c.id)))


def test_files_are_uploaded_ahead_and_every_send_names_what_is_there(sandbox: Sandbox, carillon: Carillon) -> None:
    carillon.declare(declared(sandbox, PLATFORMS, soon(3600), ', "https://cdn.example/clip.mp4"'))
    carillon.up()
    until(lambda: [row.state for row in rows(carillon)] == ["ready"] * 4, 40)
    assert not sandbox.deliveries()
    carillon.run("send", "drop", "--yes")
    assert len(carillon.broadcasts(state="sent")) == 3
    digest = hashlib.sha256(PHOTO).hexdigest()
    assert [upload["sha256"] for upload in uploads_of(sandbox) if not upload["url"]] == [digest] * 3
    assert [upload["url"] for upload in uploads_of(sandbox) if upload["url"]] == ["https://cdn.example/clip.mp4"]
    sent: dict[str, Any] = {delivery.platform: delivery.body for delivery in sandbox.deliveries()}
    for name, key in (("fanvue", "mediaUuids"), ("ofauth", "mediaItems"), ("onlyfansapi", "mediaFiles")):
        uploaded = [set(upload["media"]) for upload in uploads_of(sandbox) if upload["platform"] == name]
        assert len(sent[name][key]) == len(uploaded)
        assert all(any(str(named) in ids for ids in uploaded) for named in sent[name][key]), (sent[name], uploaded)


def test_an_upload_that_was_killed_goes_on_where_it_was(sandbox: Sandbox, carillon: Carillon) -> None:
    sandbox.faults.add("fanvue", Fault.hold(), on="write", text="/3\n")
    carillon.declare(declared(sandbox, ("fanvue",), soon(4)))
    carillon.up()
    until(lambda: uploads_of(sandbox) and uploads_of(sandbox)[0]["puts"] == 3)
    carillon.kill()
    carillon.up()
    carillon.wait_for_states("sent", seconds=30)
    (upload,) = uploads_of(sandbox)
    assert upload["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert upload["puts"] <= 5  # four parts, and the one that was cut


def test_send_uploads_by_itself_and_a_dry_run_nothing(sandbox: Sandbox, carillon: Carillon) -> None:
    carillon.declare(declared(sandbox, ("fanvue",), datetime(2099, 1, 1, tzinfo=UTC)))
    dry = json.loads(carillon.run("send", "drop", "--dry-run"))
    assert dry[0]["body"]["mediaUuids"] == ["file:summer night.jpg"]
    assert (uploads_of(sandbox), (carillon.folder / "home").exists()) == ([], False)
    carillon.run("send", "drop", "--yes")
    assert carillon.broadcasts(state="sent")
    assert [upload["sha256"] for upload in uploads_of(sandbox)] == [hashlib.sha256(PHOTO).hexdigest()]
