"""The checked content of the campaign files: immutable, resolved for each creator, kept whole in the ledger as JSON.

Begin reading here: `load.py` makes a catalogue out of files, the scheduler asks it for due times and contents.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from carillon.campaigns import creators
from carillon.campaigns.creators import Creator
from carillon.campaigns.drafts import Draft, draft, scope
from carillon.campaigns.file import SourceFile
from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.kept import CatalogueError, Checked, Kept, digest
from carillon.campaigns.layers import Layers
from carillon.campaigns.lazy import Lazy
from carillon.campaigns.media_files import is_file, kept
from carillon.campaigns.memory import uncollected
from carillon.campaigns.occurrences import Occurrence, occurrences
from carillon.campaigns.schedule import Schedule
from carillon.campaigns.shape import Campaign
from carillon.platforms.contract import Content
from carillon.platforms.store import Store

DEFAULT_EXPIRY = timedelta(hours=2)
DEFAULT_LEAD = timedelta(hours=24)


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
    """One campaign resolved for one creator. `revision` stays the same as long as its due times do.

    `lead` is how long before its due time it is placed in the platform's own scheduler; None where Carillon keeps the
    time.
    """

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
    lead: timedelta | None
    layers: Layers = field(repr=False, compare=False)
    folder: Folder = field(repr=False, compare=False)
    store: Store | None = field(default=None, repr=False, compare=False)

    @cached_property
    def draft(self) -> Draft:
        return draft(self.layers, self.creator, self.folder)

    @cached_property
    def revision(self) -> str:
        return self.schedule.revision()

    def content(self, occurrence: Occurrence, number: int) -> Content:
        """`number` counts the occurrences from 1. With a `store`, files are kept there as they are now.

        Raises TextError where check could not foresee a text's or a file's trouble.
        """
        seen = scope(self.creator, self.campaign, occurrence, number)
        return self._kept(self.draft.content(seen, occurrence, self.schedule.zone))

    def keep_files(self) -> None:
        """Have its files in the store, so that `content` will not take long. Raises TextError."""
        if any(map(is_file, self.layers.value("media", ()))):
            self._kept(Content(media=self.draft.fixed["media"]))

    def _kept(self, content: Content) -> Content:
        return kept(content, self.layers.campaign.file.folder, self.store) if self.store else content

    def occurrences(self, after: datetime, until: datetime) -> Iterator[Occurrence]:
        """Those whose instant without jitter is after `after` and not after `until`, in order."""
        return occurrences(self.schedule, f"{self.campaign} {self.creator.key}", after, until)


class Catalogue:
    """What is in force. Built from files without errors; equal content has an equal digest."""

    def __init__(self, folder: Folder, checked: Checked | None = None) -> None:
        self.folder = folder
        self.checked = checked
        self.store: Store | None = None
        self._met: tuple[str, frozenset[str]] = ("", frozenset())

    @classmethod
    def restore(cls, content: str, digest: str | None = None) -> "Catalogue":
        """`digest` is that of the content, if it is known. Raises CatalogueError if it cannot be read."""
        try:
            with uncollected():
                kept = Kept.read(content)
        except (ValueError, KeyError, TypeError, IndexError, ValidationError) as error:
            raise CatalogueError("the catalogue in force cannot be read by this version of Carillon") from error
        found = cls(Folder(kept.files), kept.checked)
        if digest is not None:
            found.digest = digest
        if kept.live is not None:
            found.live_count = kept.live
        return found

    @property
    def files(self) -> tuple[SourceFile, ...]:
        return self.folder.files

    @cached_property
    def creators(self) -> Mapping[str, Creator]:
        resolved = (creators.resolve(declared, self.folder) for declared in self.folder.creators.values())
        return MappingProxyType({creator.key: creator for creator in resolved})

    @cached_property
    def campaigns(self) -> Mapping[str, CampaignSummary]:
        """Each made when it is asked for."""
        return Lazy(self.folder.campaigns, lambda name: self._summary(self.folder.campaigns[name]))

    def live(self) -> Iterator[tuple[str, str]]:
        """Names of campaign and creator of all pairs that are enabled."""
        for name, declared in self.folder.campaigns.items():
            if Layers(declared).value("enabled", True):
                for key in campaign_creators(declared, self.folder):
                    if self.creators[key].enabled:
                        yield name, key

    @cached_property
    def live_count(self) -> int:
        return sum(1 for _ in self.live())

    @cached_property
    def leads(self) -> Mapping[str, timedelta]:
        """By name, the campaigns whose broadcasts are placed in the platform's own scheduler."""
        found = ((name, lead_of(Layers(declared))) for name, declared in self.folder.campaigns.items())
        return MappingProxyType({name: lead for name, lead in found if lead is not None})

    def entries(self) -> Iterator[Entry]:
        """All pairs of campaign and creator, each resolved when it is reached; disabled ones too."""
        for declared in self.folder.campaigns.values():
            for key in campaign_creators(declared, self.folder):
                yield resolve(declared, self.creators[key], self.folder, self.store)

    def entry(self, campaign: str, creator: str) -> Entry | None:
        """Asked for many creators of one campaign in a row, it counts them once."""
        declared = self.folder.campaigns.get(campaign)
        if declared is None:
            return None
        met, members = self._met
        if met != campaign:
            members = frozenset(campaign_creators(declared, self.folder))
            self._met = campaign, members
        return resolve(declared, self.creators[creator], self.folder, self.store) if creator in members else None

    @property
    def content(self) -> str:
        """The JSON text that the ledger keeps."""
        return Kept(self.folder.files, self.live_count, self.checked).text()

    @cached_property
    def digest(self) -> str:
        """Of what the files say, wherever they lie."""
        return digest(self.folder.files)

    def _summary(self, declared: Declared[Campaign]) -> CampaignSummary:
        layers = Layers(declared)
        return CampaignSummary(
            name=declared.name,
            file=declared.file.shown,
            line=declared.file.line("campaigns", declared.name),
            creators=campaign_creators(declared, self.folder),
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


def resolve(declared: Declared[Campaign], creator: Creator, folder: Folder, store: Store | None = None) -> Entry:
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
        lead=lead_of(layers),
        layers=layers,
        folder=folder,
        store=store,
    )


def lead_of(layers: Layers) -> timedelta | None:
    """How long before its due time a campaign is placed; None where Carillon keeps the time."""
    lead: timedelta = layers.value("lead", DEFAULT_LEAD)
    return lead if layers.value("scheduled_by") == "platform" else None


def zone_of(layers: Layers, creator: Creator) -> str | None:
    """The zone of due times: the schedule's, the creator's, the campaign's file's default."""
    schedule = layers.value("schedule")
    own = None if schedule is None else schedule.timezone
    return own or creator.timezone or layers.campaign.file.shape.defaults.timezone
