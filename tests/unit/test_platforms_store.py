"""The store of media: whole files under their hashes, or nothing."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from carillon import clock
from carillon.platforms.kinds import kind_of
from carillon.platforms.store import Store


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe1", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x01", "video/webm"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"ID3\x04", "audio/mpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"", None),
        (b"<!doctype html>", None),
        (b"%PDF-1.7", None),
        (b"PK\x03\x04", None),
        (b"MZ\x90\x00", None),
        (b"#!/bin/sh\n", None),
    ],
)
def test_a_kind_is_told_by_how_a_file_begins(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind


def test_what_is_added_is_there_whole_and_can_be_read_in_stretches(tmp_path: Path) -> None:
    store = Store(tmp_path / "uploads")
    digest = store.add([b"0123", b"", b"456789"])
    assert digest == hashlib.sha256(b"0123456789").hexdigest()
    assert store.size(digest) == 10
    read = store.reader(digest)
    assert [b"".join(read(*stretch)) for stretch in ((0, 10), (3, 4), (8, 100), (10, 5))] == [
        b"0123456789",
        b"3456",
        b"89",
        b"",
    ]
    assert store.add([b"0123456789"]) == digest
    assert os.listdir(tmp_path / "uploads") == [digest]


def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Store(tmp_path).add(cut())
    assert os.listdir(tmp_path) == []


def test_a_file_is_copied_once_until_it_changes_or_its_copy_is_gone(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.jpg", tmp_path / "uploads"
    file.write_bytes(b"one")
    store = Store(folder)

    def added() -> str:
        with file.open("rb") as stream:
            return store.add_file(str(file), stream.fileno())

    first = added()
    inode = (folder / first).stat().st_ino
    assert (added(), (folder / first).stat().st_ino) == (first, inode)
    (folder / first).unlink()
    assert added() == first
    assert store.still_wanted(first)
    file.write_bytes(b"two")
    assert added() == hashlib.sha256(b"two").hexdigest()


def test_tidying_keeps_what_is_needed_and_what_is_young(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert Store(tmp_path / "nowhere").tidy(set(), 0) == []
    needed, old, young = (store.add([word]) for word in (b"needed", b"old", b"young"))
    (tmp_path / "coming-x").write_bytes(b"left by a kill")
    an_hour_ago = clock.now().timestamp() - 3600
    for name in (needed, old, "coming-x"):
        os.utime(tmp_path / name, (an_hour_ago, an_hour_ago))
    assert sorted(store.tidy({needed}, 600)) == sorted([old, "coming-x"])
    assert sorted(os.listdir(tmp_path)) == sorted([needed, young])
    os.utime(tmp_path / young, (an_hour_ago, an_hour_ago))
    assert store.still_wanted(young)
    assert store.tidy({needed}, 600) == []


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """The folder may be a volume of its own, or hold somebody's originals."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "beach.jpg").write_bytes(b"an original")
    for name in ("lost+found", "beach.jpg"):
        os.utime(tmp_path / name, (0, 0))
    assert Store(tmp_path).tidy(set(), 600) == []
    assert sorted(os.listdir(tmp_path)) == ["beach.jpg", "lost+found"]
