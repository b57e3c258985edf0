"""One campaign file: its bytes read once, its shape, and where everything in it stands."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import ValidationError

from carillon.campaigns import places
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.lazy import Packed
from carillon.campaigns.media_files import is_file
from carillon.campaigns.places import Place
from carillon.campaigns.prune import Path, part, pruned
from carillon.campaigns.readers import NAME_FORM
from carillon.campaigns.shape import CampaignFile
from carillon.campaigns.shape_errors import Fault, faults
from carillon.campaigns.yaml_bytes import SIZE_LIMIT, YamlError
from carillon.campaigns.yaml_tree import parse

SECTIONS = ("platforms", "creators", "groups", "audiences", "campaigns")
Item = TypeVar("Item")
_STUB = {"enabled": False, "except_creators": ["all"]}  # for nobody, whatever the defaults say


@dataclass(frozen=True)
class SourceFile:
    """`shown` is the file as the user named it, `folder` absolute.

    What `broken` names was wrong and is left out; `meant` are the keys that unknown ones among it resemble. `sha256` is
    that of the bytes that say all this, None if no bytes do. `has_media_files`: some of its media lie beside it.
    """

    shown: str
    folder: str
    values: Mapping[str, Any]
    root: Place
    shape: CampaignFile
    broken: frozenset[Path] = frozenset()
    meant: frozenset[Path] = frozenset()
    sha256: str | None = None
    has_media_files: bool = False

    @property
    def name(self) -> str:
        return os.path.basename(self.shown)

    def at_value(self, path: places.Path, severity: Severity, message: str) -> Finding:
        return Finding(self.shown, *places.value_at(self.root, path), severity, message)

    def at_key(self, path: places.Path, severity: Severity, message: str) -> Finding:
        return Finding(self.shown, *places.key_at(self.root, path), severity, message)

    def line(self, *path: str) -> int:
        return places.key_at(self.root, path)[0]

    def disabled(self, campaign: str) -> bool:
        """By the file's own words, whatever else is wrong with the campaign."""
        return ("campaigns", campaign, "enabled") not in self.broken and _disabled(self.values, campaign)

    def lost(self, path: Path) -> bool:
        """Whether something is wrong, and told already, that stood at `path` or was probably meant to."""
        above = (path[:size] for size in range(1, len(path) + 1)) if self.broken else ()
        return any(step in self.broken or step in self.meant for step in above)

    def items(self, path: Path, values: Sequence[Item]) -> Iterator[tuple[int, Item]]:
        """What is left of the list at `path`, each with its place in the file's own list."""
        return zip((index for index in count() if (*path, index) not in self.broken), values, strict=False)

    def broken_campaigns(self) -> set[str]:
        """Those with something wrong inside."""
        return {str(path[1]) for path in self.broken if path[0] == "campaigns" and len(path) > 1}

    def is_stub(self, campaign: str) -> bool:
        """Whether only the name is left of a campaign."""
        return bool(self.values["campaigns"][campaign] == _STUB)


def read_file(path: FilePath, shown: str) -> tuple[SourceFile | None, list[Finding]]:
    """The file, without what is wrong in it; None if nothing of it can be read or it is empty."""
    try:
        data = _bytes(path)
        values, root = parse(data)
        _not_empty(values)
    except YamlError as error:
        return None, [Finding(shown, error.line, error.column, "error", error.message)]
    folder = str(path.absolute().parent)
    file, findings = _shaped(SourceFile(shown, folder, values, root, CampaignFile(), sha256=_digest(data)))
    return replace(file, has_media_files=_has_media_files(file.shape)), findings


def sha256(path: FilePath) -> str | None:
    """Of the bytes that stand there now; None if they cannot be read as a campaign file's."""
    try:
        return _digest(_bytes(path))
    except YamlError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _has_media_files(shape: CampaignFile) -> bool:
    layers = (shape.defaults, *shape.campaigns.values())
    return any(is_file(medium) for layer in layers for said in (layer, *layer.for_.values()) for medium in said.media)


def restored(
    shown: str, folder: str, values: Mapping[str, Any], root: Place, sha256: str | None, *, has_media_files: bool
) -> SourceFile:
    """A file that passed check earlier. Raises ValidationError if this version of Carillon sees it otherwise."""
    shape = CampaignFile.model_validate(values)
    sections = root.values if isinstance(root.values, Mapping) else {}
    campaigns: Mapping[str, Any] = values.get("campaigns") or {}
    packed = Packed(campaigns, {name: places.key_at(root, ("campaigns", name)) for name in campaigns})
    return SourceFile(
        shown,
        folder,
        {**values, **({"campaigns": packed.values} if campaigns else {})},
        replace(root, values={**sections, "campaigns": packed.place}),
        shape.model_copy(update={"campaigns": packed.shapes}),
        sha256=sha256,
        has_media_files=has_media_files,
    )


def stubbed(file: SourceFile, campaigns: Set[str]) -> SourceFile:
    """The same file with nothing but their names left of some disabled campaigns, and nothing else wrong."""
    if not campaigns:
        return file
    stubs = {name: _STUB for name in campaigns if name in file.shape.campaigns}
    values = {**file.values, "campaigns": {**file.values["campaigns"], **stubs}}
    return replace(_with(file, values), broken=frozenset(), meant=frozenset())


def without(file: SourceFile, entries: Set[tuple[str, str]]) -> SourceFile:
    """The same file without some entries of its sections."""
    if not any((section, name) in entries for section in SECTIONS for name in getattr(file.shape, section)):
        return file
    values = {
        key: {name: entry for name, entry in value.items() if (key, name) not in entries} if key in SECTIONS else value
        for key, value in file.values.items()
    }
    return replace(_with(file, values), sha256=None)


def _with(file: SourceFile, values: Mapping[str, Any]) -> SourceFile:
    return replace(file, values=values, shape=CampaignFile.model_validate(values))


def _bytes(path: FilePath) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise YamlError(1, 1, "this is not a file")
            return stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise YamlError(1, 1, "there is no such file") from None
    except OSError as error:
        raise YamlError(1, 1, f"the file cannot be read: {error.strerror}") from None


def _not_empty(values: Any) -> None:
    if values is None:
        raise YamlError(1, 1, "the file is empty; to remove all its campaigns write `campaigns: {}`")
    if not isinstance(values, dict):
        raise YamlError(1, 1, "a campaign file is keys and values: version, creators, campaigns and so on")
    if not [key for key in values if key != "version" and not key.startswith("x-")]:
        raise YamlError(1, 1, "the file declares nothing; to remove all its campaigns write `campaigns: {}`")


def _shaped(file: SourceFile) -> tuple[SourceFile, list[Finding]]:
    try:
        return replace(file, shape=CampaignFile.model_validate(file.values)), []
    except ValidationError as error:
        found = faults(error)
    parts = {part(file.values, fault.path) for fault in found}
    lists = {path[:-1] for path in parts if isinstance(path[-1], int)}
    meant = frozenset(fault.meant for fault in found if fault.meant)
    findings = [_finding(file, fault) for fault in found if fault.lacks not in meant]
    values = _without(file.values, parts)
    shape = CampaignFile.model_validate(values)
    return replace(file, values=values, shape=shape, broken=frozenset(parts | lists), meant=meant), findings


def _finding(file: SourceFile, fault: Fault) -> Finding:
    harmless = fault.path[0] == "campaigns" and len(fault.path) > 1 and file.disabled(str(fault.path[1]))
    at = file.at_key if fault.at_key else file.at_value
    return at(fault.path, "warning" if harmless else "error", fault.message)


def _disabled(values: Mapping[str, Any], campaign: str) -> bool:
    campaigns = values.get("campaigns")
    declared = campaigns.get(campaign) if isinstance(campaigns, Mapping) else None
    for layer in (declared, values.get("defaults")):
        if isinstance(layer, dict) and "enabled" in layer:
            return layer["enabled"] is False
    return False


def _without(values: Mapping[str, Any], parts: Iterable[Path]) -> dict[str, Any]:
    """The same values without the wrong parts; of a disabled campaign its name stays."""
    kept: dict[str, Any] = pruned(values, parts)
    for section, *entry in parts:
        name = str(entry[0]) if len(entry) == 1 else ""
        if section == "campaigns" and re.fullmatch(NAME_FORM, name) and _disabled(values, name):
            kept["campaigns"][name] = _STUB
    return kept
