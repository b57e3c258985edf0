"""One campaign file: its bytes read once, its shape, and where everything in it stands."""

import os
import re
import stat
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from carillon.campaigns import places
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.places import Place
from carillon.campaigns.readers import NAME_FORM
from carillon.campaigns.shape import CampaignFile
from carillon.campaigns.shape_errors import Fault, faults
from carillon.campaigns.yaml_bytes import SIZE_LIMIT, YamlError
from carillon.campaigns.yaml_tree import parse

SECTIONS = ("platforms", "creators", "groups", "audiences", "campaigns")


@dataclass(frozen=True)
class SourceFile:
    """`shown` is the file as the user named it, `folder` absolute. What `broken` names was wrong and is left out."""

    shown: str
    folder: str
    values: Mapping[str, Any]
    root: Place
    shape: CampaignFile
    broken: frozenset[tuple[str, ...]] = frozenset()

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
        return _disabled(self.values, campaign)


def read_file(path: Path, shown: str) -> tuple[SourceFile | None, list[Finding]]:
    """The file, without what is wrong in it; None if nothing of it can be read or it is empty."""
    try:
        values, root = parse(_bytes(path))
        _not_empty(values)
    except YamlError as error:
        return None, [Finding(shown, error.line, error.column, "error", error.message)]
    return _shaped(SourceFile(shown, str(path.absolute().parent), values, root, CampaignFile()))


def restored(shown: str, folder: str, values: Mapping[str, Any], root: Place) -> SourceFile:
    """A file that passed check earlier. Raises ValidationError if this version of Carillon sees it otherwise."""
    return SourceFile(shown, folder, values, root, CampaignFile.model_validate(values))


def stubbed(file: SourceFile, campaigns: Set[str]) -> SourceFile:
    """The same file with nothing but their names left of some disabled campaigns."""
    if not campaigns:
        return file
    stubs = {name: {"enabled": False} for name in campaigns}
    return _with(file, {**file.values, "campaigns": {**file.values["campaigns"], **stubs}})


def without(file: SourceFile, entries: Set[tuple[str, str]]) -> SourceFile:
    """The same file without some entries of its sections."""
    values = {
        key: {name: entry for name, entry in value.items() if (key, name) not in entries} if key in SECTIONS else value
        for key, value in file.values.items()
    }
    return file if values == file.values else _with(file, values)


def _with(file: SourceFile, values: Mapping[str, Any]) -> SourceFile:
    return replace(file, values=values, shape=CampaignFile.model_validate(values))


def _bytes(path: Path) -> bytes:
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
    broken = frozenset(_part(fault) for fault in found)
    values = _without(file.values, broken)
    findings = [_finding(file, fault) for fault in found]
    return replace(file, values=values, shape=CampaignFile.model_validate(values), broken=broken), findings


def _part(fault: Fault) -> tuple[str, ...]:
    """What must be left out for the rest to be right: an entry of a section, or a key of the file."""
    size = 2 if fault.path[0] in SECTIONS and len(fault.path) > 1 else 1
    return tuple(str(step) for step in fault.path[:size])


def _finding(file: SourceFile, fault: Fault) -> Finding:
    section, *entry = _part(fault)
    harmless = section == "campaigns" and entry and file.disabled(entry[0])
    at = file.at_key if fault.at_key else file.at_value
    return at(fault.path, "warning" if harmless else "error", fault.message)


def _disabled(values: Mapping[str, Any], campaign: str) -> bool:
    campaigns = values.get("campaigns")
    declared = campaigns.get(campaign) if isinstance(campaigns, dict) else None
    for layer in (declared, values.get("defaults")):
        if isinstance(layer, dict) and "enabled" in layer:
            return layer["enabled"] is False
    return False


def _without(values: Mapping[str, Any], broken: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """The same values without the broken parts; of a disabled campaign its name stays."""
    kept = {key: dict(value) if key in SECTIONS and isinstance(value, dict) else value for key, value in values.items()}
    for section, *entry in broken:
        if not entry:
            kept.pop(section, None)
        elif section == "campaigns" and _disabled(values, entry[0]) and re.fullmatch(NAME_FORM, entry[0]):
            kept[section][entry[0]] = {"enabled": False}
        elif section in kept:
            kept[section].pop(entry[0], None)
    if ("defaults",) in broken:  # what a campaign lacks might stand there
        kept.pop("campaigns", None)
    return kept
