"""The checked content of the campaign files: immutable, resolved for each creator, kept whole in the ledger as JSON.

Begin reading here: `load.py` makes a catalogue out of files, the scheduler asks it for due times and contents.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from carillon.campaigns import creators
from carillon.campaigns.creators import Creator
from carillon.campaigns.drafts import Draft, draft, scope
from carillon.campaigns.file import SECTIONS, SourceFile, restored
from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.layers import Layers
from carillon.campaigns.occurrences import Occurrence, occurrences
from carillon.campaigns.places import Place, key_at
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.shape import Campaign
from carillon.platforms.contract import Content

DEFAULT_EXPIRY = timedelta(hours=2)
_FORM = 1  # of the JSON text


class CatalogueError(Exception):
    """A kept catalogue that this version of Carillon cannot read."""


@dataclass(frozen=True)
class CampaignSummary:
    """One campaign as declared, for people to look at."""

    name: str
    file: str
    line: int
    creators: tuple[str, ...]
    labels: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True)
class Entry:
    """One campaign resolved for one creator. `revision` stays the same as long as its due times do."""

    campaign: str
    creator: Creator
    schedule: Schedule
    catch_up: Literal["latest", "all", "skip"]
    expires_after: timedelta
    overlap: Literal["queue", "skip"]
    priority: int
    enabled: bool
    labels: tuple[str, ...]
    on_unknown: Literal["hold", "resend"]
    layers: Layers = field(repr=False, compare=False)
    folder: Folder = field(repr=False, compare=False)

    @cached_property
    def draft(self) -> Draft:
        return draft(self.layers, self.creator, self.folder)

    @cached_property
    def revision(self) -> str:
        return self.schedule.revision()

    def content(self, occurrence: Occurrence, number: int) -> Content:
        """`number` counts the occurrences from 1. Raises TextError where check could not foresee a text's trouble."""
        seen = scope(self.creator, self.campaign, occurrence, number)
        return self.draft.content(seen, occurrence, self.schedule.zone)

    def occurrences(self, after: datetime, until: datetime) -> Iterator[Occurrence]:
        """Those whose instant without jitter is after `after` and not after `until`, in order."""
        return occurrences(self.schedule, f"{self.campaign} {self.creator.key}", after, until)


class Catalogue:
    """What is in force. Built from files without errors; equal content has an equal digest."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @classmethod
    def restore(cls, content: str) -> "Catalogue":
        """Raises CatalogueError if it cannot be read."""
        try:
            kept = json.loads(content)
            if kept["form"] != _FORM:
                raise CatalogueError(f"the catalogue has form {kept['form']}; this version of Carillon reads {_FORM}")
            return cls(Folder(tuple(_file(file) for file in kept["files"])))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise CatalogueError("the catalogue in force cannot be read by this version of Carillon") from error

    @property
    def files(self) -> tuple[SourceFile, ...]:
        return self._folder.files

    @cached_property
    def creators(self) -> Mapping[str, Creator]:
        resolved = (creators.resolve(declared, self._folder) for declared in self._folder.creators.values())
        return MappingProxyType({creator.key: creator for creator in resolved})

    @cached_property
    def campaigns(self) -> Mapping[str, CampaignSummary]:
        return MappingProxyType({name: self._summary(found) for name, found in self._folder.campaigns.items()})

    def entries(self) -> Iterator[Entry]:
        """All pairs of campaign and creator, each resolved when it is reached; disabled ones too."""
        for declared in self._folder.campaigns.values():
            for key in campaign_creators(declared, self._folder):
                yield resolve(declared, self.creators[key], self._folder)

    def entry(self, campaign: str, creator: str) -> Entry | None:
        declared = self._folder.campaigns.get(campaign)
        if declared is None or creator not in campaign_creators(declared, self._folder):
            return None
        return resolve(declared, self.creators[creator], self._folder)

    @cached_property
    def content(self) -> str:
        """The JSON text that the ledger keeps."""
        kept = {"form": _FORM, "files": [_kept(file) for file in self._folder.files]}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """Of what the files say, wherever they lie: two hosts may keep the same files in different folders."""
        said = [{**_kept(file), "shown": file.name, "folder": _relied_on(file)} for file in self._folder.files]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    def _summary(self, declared: Declared[Campaign]) -> CampaignSummary:
        layers = Layers(declared)
        return CampaignSummary(
            name=declared.name,
            file=declared.file.shown,
            line=declared.file.line("campaigns", declared.name),
            creators=campaign_creators(declared, self._folder),
            labels=layers.value("labels", ()),
            enabled=layers.value("enabled", True),
        )


def campaign_creators(declared: Declared[Campaign], folder: Folder) -> tuple[str, ...]:
    """The creators that a campaign is for, in the order of the file."""
    layers = Layers(declared)
    given = layers.find("creators", "creator")
    words = () if given is None else given.value
    taken_out = set(folder.members(layers.value("except_creators", ())))
    members = folder.members((words,) if isinstance(words, str) else words)
    return tuple(key for key in members if key not in taken_out)


def resolve(declared: Declared[Campaign], creator: Creator, folder: Folder) -> Entry:
    """One campaign for one creator. Both must have passed check."""
    layers = Layers(declared, creator.key, creator.platform)
    schedule = layers.value("schedule")
    zone = zone_of(layers, creator)
    assert schedule is not None
    assert zone is not None
    return Entry(
        campaign=declared.name,
        creator=creator,
        schedule=Schedule.of(schedule, ZoneInfo(zone), creator.away),
        catch_up=layers.value("catch_up", "latest"),
        expires_after=layers.value("expires_after", DEFAULT_EXPIRY),
        overlap=layers.value("overlap", "queue"),
        priority=layers.value("priority", 0),
        enabled=layers.value("enabled", True) and creator.enabled,
        labels=layers.value("labels", ()),
        on_unknown=layers.value("on_unknown", "hold"),
        layers=layers,
        folder=folder,
    )


def zone_of(layers: Layers, creator: Creator) -> str | None:
    """The zone of due times: the schedule's, the creator's, the campaign's file's default."""
    schedule = layers.value("schedule")
    own = None if schedule is None else schedule.timezone
    return own or creator.timezone or layers.campaign.file.shape.defaults.timezone


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


def _relied_on(file: SourceFile) -> str | None:
    """The folder, if a key is looked for beside the file."""
    named = [entry.credentials or "" for entry in (*file.shape.creators.values(), *file.shape.platforms.values())]
    places = [place for kind, _, place in (reference.partition(":") for reference in named) if kind == "file"]
    return None if all(place.startswith("/") for place in places) else file.folder


def _file(kept: Mapping[str, Any]) -> SourceFile:
    sections = {
        section: Place(1, 1, {key: (line, column) for key, (line, column) in places.items()})
        for section, places in kept["places"].items()
    }
    root = Place(1, 1, {}, sections)
    return restored(kept["shown"], kept["folder"], kept["values"], root)
