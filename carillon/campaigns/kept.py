"""The JSON text in which the ledger keeps a catalogue: written and read a file at a time, since a folder may be large.

Older releases read what this one writes, and pass over what they do not know.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from carillon.campaigns.file import SECTIONS, SourceFile, restored
from carillon.campaigns.places import Place, key_at

_FORM = 1
_HEAD = f'{{"form":{_FORM},"files":['


class CatalogueError(Exception):
    """A kept catalogue that this version of Carillon cannot read."""


@dataclass(frozen=True)
class Checked:
    """Who found the files right: which release, while which platforms' addresses were others than the real ones."""

    release: str
    overridden: frozenset[str]


@dataclass(frozen=True)
class Kept:
    """`live` counts the enabled pairs of campaign and creator. Older releases wrote neither this nor `checked`."""

    files: tuple[SourceFile, ...]
    live: int | None = None
    checked: Checked | None = None

    def text(self) -> str:
        checked = self.checked and {
            "release": self.checked.release,
            "overridden": sorted(self.checked.overridden),
        }
        files = ",".join(_text(_kept(file) | _beside(file)) for file in self.files)
        return f'{_HEAD}{files}],"live":{_text(self.live)},"checked":{_text(checked)}}}'

    @classmethod
    def read(cls, text: str) -> "Kept":
        """Raises CatalogueError, or what a text of another form leads to."""
        about: dict[str, Any] = {}
        files = tuple(_file(file) for file in _files(text, about))
        checked = about.get("checked")
        return cls(files, about.get("live"), checked and Checked(checked["release"], frozenset(checked["overridden"])))


def digest(files: Iterable[SourceFile]) -> str:
    """Of what the files say, wherever they lie: two hosts may keep the same files in different folders."""
    found = hashlib.sha256(b"[")
    for number, file in enumerate(files):
        said = {**_kept(file), "shown": file.name, "folder": relied_on(file)}
        found.update((("," if number else "") + _text(said)).encode())
    found.update(b"]")
    return found.hexdigest()


def relied_on(file: SourceFile) -> str | None:
    """The folder, if a key, a webhook's secret or a medium is looked for beside the file."""
    if file.has_media_files:
        return file.folder
    entries = (*file.shape.creators.values(), *file.shape.platforms.values())
    named = [reference or "" for entry in entries for reference in (entry.credentials, entry.webhook_secret)]
    places = [place for kind, _, place in (reference.partition(":") for reference in named) if kind == "file"]
    return None if all(place.startswith("/") for place in places) else file.folder


def _beside(file: SourceFile) -> dict[str, Any]:
    """What is known of a file beside what it says."""
    known = {"sha256": file.sha256, "has_media_files": file.has_media_files}
    return {name: value for name, value in known.items() if value}


def _kept(file: SourceFile) -> dict[str, Any]:
    names = {section: getattr(file.shape, section) for section in SECTIONS}
    return {
        "shown": file.shown,
        "folder": file.folder,
        "values": {key: value for key, value in file.values.items() if not key.startswith("x-")},
        "places": {
            section: {name: key_at(file.root, (section, name)) for name in entries}
            for section, entries in names.items()
            if entries
        },
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)


def _files(text: str, about: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each file, one at a time where the text is as it is written here; `about` gets the rest at the end."""
    if not text.startswith(_HEAD):
        about.update(json.loads(text))
        if about["form"] != _FORM:
            raise CatalogueError(f"the catalogue has form {about['form']}; this version of Carillon reads {_FORM}")
        yield from about["files"]
        return
    decoder, at = json.JSONDecoder(), len(_HEAD)
    while text[at] != "]":
        file, at = decoder.raw_decode(text, at + (text[at] == ","))
        yield file
    about.update(json.loads('{"form":1' + text[at + 1 :]))


def _file(kept: Mapping[str, Any]) -> SourceFile:
    sections = {
        section: Place(1, 1, {key: (line, column) for key, (line, column) in places.items()})
        for section, places in kept["places"].items()
    }
    root = Place(1, 1, {}, sections)
    beside = bool(kept.get("has_media_files"))
    return restored(kept["shown"], kept["folder"], kept["values"], root, kept.get("sha256"), has_media_files=beside)
