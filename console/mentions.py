"""What the campaign files say of each account, and where it stands: its key, its lists, its media."""

from collections.abc import Iterator
from dataclasses import dataclass

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.creators import Creator, holder_of
from carillon.campaigns.drafts import lists_for
from carillon.campaigns.file import SourceFile
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given
from carillon.campaigns.media_files import is_file
from carillon.platforms.contract import ListRef
from carillon.platforms.sources import is_url

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """A value in a file, or with `by_key` the key that it stands under."""

    file: SourceFile
    path: Path
    by_key: bool = False

    def finding(self, severity: Severity, message: str) -> Finding:
        at = self.file.at_key if self.by_key else self.file.at_value
        return at(self.path, severity, message)


@dataclass(frozen=True)
class ListMention:
    """A list that a campaign sends to, or leaves out."""

    ref: ListRef
    place: Place
    included: bool


@dataclass(frozen=True)
class MediaMention:
    """A medium that a campaign names by the platform's id."""

    id: str
    place: Place


@dataclass(frozen=True)
class Mentions:
    """All of one creator."""

    creator: Creator
    name: Place
    credentials: Place
    account: Place
    lists: tuple[ListMention, ...]
    media: tuple[MediaMention, ...]


def mentions(catalogue: Catalogue) -> Iterator[Mentions]:
    """Of all creators that are enabled, with what their enabled campaigns say."""
    entries: dict[str, list[Entry]] = {}
    for entry in catalogue.entries():
        if entry.enabled:
            entries.setdefault(entry.creator.key, []).append(entry)
    for creator in catalogue.creators.values():
        if creator.enabled:
            yield _of(creator, catalogue.folder, entries.get(creator.key, []))


def _of(creator: Creator, folder: Folder, entries: list[Entry]) -> Mentions:
    declared = folder.creators[creator.key]
    path = ("creators", creator.key)
    name = Place(declared.file, path, by_key=True)
    holder = holder_of(declared, folder, "credentials")
    credentials = Place(holder.file, (holder.section, holder.name, "credentials")) if holder else name
    account = Place(declared.file, (*path, "account")) if declared.shape.given("account") else name
    lists = tuple(mention for entry in entries for mention in _lists(entry))
    media = tuple(mention for entry in entries for mention in _media(entry))
    return Mentions(creator, name, credentials, account, lists, media)


def _lists(entry: Entry) -> Iterator[ListMention]:
    given = entry.layers.find("lists")
    lists = lists_for(given, entry.creator.key, entry.creator.platform, entry.folder)
    if given is None or lists is None:
        return
    file, path = _home(entry, given)
    for side in ("include", "exclude"):
        for index, ref in file.items((*path, side), getattr(lists, side)):
            yield ListMention(ref, Place(file, (*path, side, index)), side == "include")


def _home(entry: Entry, given: Given) -> tuple[SourceFile, tuple[str, ...]]:
    """Where the lists themselves stand: in the campaign, or in the audience that it names."""
    if not isinstance(given.value, str):
        return entry.layers.campaign.file, given.path
    audience = entry.folder.audiences[given.value]
    whose = entry.creator.key if entry.creator.key in audience.shape else entry.creator.platform
    return audience.file, ("audiences", given.value, whose)


def _media(entry: Entry) -> Iterator[MediaMention]:
    given = entry.layers.find("media")
    if given is None:
        return
    file = entry.layers.campaign.file
    for index, medium in file.items(given.path, given.value):
        if not is_url(medium) and not is_file(medium):
            yield MediaMention(medium, Place(file, (*given.path, index)))
