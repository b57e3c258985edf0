"""Files beside the YAML: which ones check refuses, and that what is frozen stays as it was."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.findings import Finding
from carillon.campaigns.load import check, load
from carillon.campaigns.media_files import MediaError, look_at
from carillon.campaigns.occurrences import Occurrence
from carillon.platforms.store import Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
THEN = Occurrence("2026-11-21T20:00 UTC", NOW, NOW, NOW.replace(tzinfo=None))
JPEG = b"\xff\xd8\xff\xe0 a photo, as far as it goes"
MP4 = b"\x00\x00\x00\x20ftypisom and the rest"
YAML = """\
creators:
  fay: {platform: fanvue, credentials: "env:FAY_KEY", timezone: UTC}
campaigns:
  drop: {creator: fay, lists: {include: [subscribers]}, schedule: {every: 6h}, media: [%s]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the campaign file lies; around it is what it must not reach."""
    folder = tmp_path / "campaigns"
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "clip.mp4").write_bytes(MP4)
    (folder / "a photo of Zoë.jpg").write_bytes(JPEG)
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_bytes(b"<!doctype html>")
    (folder / "link.mp4").symlink_to(folder / "media" / "clip.mp4")
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    (folder / "out.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "way-out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.jpg")
    with (folder / "huge.mp4").open("wb") as huge:
        huge.write(MP4)
        huge.truncate(1_700_000_000)
    return folder


def told(folder: Path, media: str) -> list[Finding]:
    file = folder / "campaigns.yaml"
    file.write_text(YAML % media)
    return check(file, now=NOW)


@pytest.mark.parametrize(
    ("medium", "word"),
    [
        ("./clip.mp4", "there is no file"),
        ("./media", "not a plain file"),
        ("./pipe.jpg", "not a plain file"),
        ("./empty.jpg", "empty"),
        ("./page.jpg", "neither a photo"),
        ("./huge.mp4", "at most 1.6 GB"),
        ("../outside.jpg", "outside the folder"),
        ("media/../../outside.jpg", "outside the folder"),
        ("./out.jpg", "outside the folder"),
        ("way-out/outside.jpg", "outside the folder"),
        ("/etc/passwd", "outside the folder"),
    ],
)
def test_a_file_that_cannot_be_sent_is_told_where_it_is_named(folder: Path, medium: str, word: str) -> None:
    (finding,) = told(folder, f'media_1, "{medium}"')
    assert (finding.severity, finding.line, finding.column) == ("error", 4, 97)
    assert word in finding.message


@pytest.mark.parametrize(
    "media",
    ["./media/clip.mp4", "media/clip.mp4", "./link.mp4", "./a photo of Zoë.jpg", "https://cdn.example/a.mp4", "an-id"],
)
def test_what_can_be_sent_is_right(folder: Path, media: str) -> None:
    assert told(folder, f'"{media}"') == []


def test_a_file_that_nobody_may_read_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # tests may run as root, whom nothing refuses
    with pytest.raises(MediaError, match="Permission denied"):
        look_at(str(folder / "media" / "clip.mp4"), str(folder))


def entry_of(folder: Path, store: Store | None, media: str = '"./media/clip.mp4", an-id') -> Entry:
    """By the catalogue as the ledger keeps it."""
    file = folder / "campaigns.yaml"
    file.write_text(YAML % media)
    catalogue = load(file, now=NOW).catalogue
    assert catalogue is not None
    restored = Catalogue.restore(catalogue.content)
    assert restored.digest == catalogue.digest
    restored.store = store
    entry = restored.entry("drop", "fay")
    assert entry is not None
    return entry


def test_a_folder_that_becomes_a_link_out_meanwhile_leads_nowhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mp4").write_bytes(MP4)
    media, real = folder / "media", os.path.realpath

    def exchanged_after(path: str) -> str:
        found = real(path)
        if path == str(folder):
            media.rename(folder / "before")
            media.symlink_to(tmp_path)
        return found

    monkeypatch.setattr(os.path, "realpath", exchanged_after)
    with pytest.raises(MediaError, match="cannot be read"):
        look_at(str(media / "clip.mp4"), str(folder))


def test_what_is_frozen_stays_as_it_was(folder: Path) -> None:
    store = Store(folder.parent / "store")
    entry = entry_of(folder, store)
    frozen, clip = entry.content(THEN, 1), folder / "media" / "clip.mp4"
    digest = hashlib.sha256(MP4).hexdigest()
    assert frozen.media == (f"file:{digest}:clip.mp4", "an-id")
    with clip.open("r+b") as stream:  # in place, so that a link would follow
        stream.write(JPEG)
    assert b"".join(store.reader(digest)(0, 1 << 20)) == MP4
    assert entry.content(THEN, 2).media != frozen.media
    clip.unlink()
    with pytest.raises(MediaError, match="there is no file"):
        entry.content(THEN, 3)
    assert store.size(digest) == len(MP4)


def test_previews_that_are_files_are_frozen_like_the_media(folder: Path) -> None:
    yaml = YAML.replace("fanvue, ", "onlyfansapi, account: a, ").replace(
        "media:", "text: Hi, preview_media: [./b.jpg], media:"
    )
    (folder / "b.jpg").write_bytes(JPEG)
    (folder / "campaigns.yaml").write_text(yaml.replace("subscribers", "fans") % "./media/clip.mp4, ./b.jpg")
    catalogue = load(folder / "campaigns.yaml", now=NOW).catalogue
    assert catalogue is not None
    catalogue.store = Store(folder.parent / "store")
    entry = catalogue.entry("drop", "fay")
    assert entry is not None
    content = entry.content(THEN, 1)
    assert content.preview_media == content.media[1:]


def test_without_a_store_nothing_is_written_and_the_file_is_named_by_its_place(folder: Path) -> None:
    entry = entry_of(folder, None)
    assert entry.content(THEN, 1).media == (str(folder / "media" / "clip.mp4"), "an-id")


def test_the_same_words_in_another_folder_name_other_files(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    digests = []
    for place, media in (
        (folder, "./media/clip.mp4"),
        (other, "./media/clip.mp4"),
        (folder, "an-id"),
        (other, "an-id"),
    ):
        (place / "media").mkdir(exist_ok=True)
        (place / "media" / "clip.mp4").write_bytes(MP4)
        (place / "campaigns.yaml").write_text(YAML % media)
        catalogue = load(place / "campaigns.yaml", now=NOW).catalogue
        assert catalogue is not None
        digests.append(catalogue.digest)
    assert digests[0] != digests[1]
    assert digests[2] == digests[3]
